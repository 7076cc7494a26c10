"""`variant-index provenance`: check offline who built files, by the attestations beside them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from variant_index.cli.json_report import json_text
from variant_index.cli.messages import say
from variant_index.errors import InputError, printable

if TYPE_CHECKING:
    from variant_index.model.provenance_report import FileProvenance
    from variant_index.provenance.policy import Publisher

__all__ = ["command"]

_EPILOG = """\b
Examples:
  variant-index provenance dist/*.whl --policy policy.toml
  variant-index provenance torch-2.9.0-*.whl --policy policy.toml --json

\b
policy.toml:
  [[publisher]]
  projects = ["torch", "torchvision"]
  repository = "https://github.com/pytorch/pytorch"
  workflow = "release.yml"
"""


@click.command("provenance", epilog=_EPILOG, no_args_is_help=True)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--policy",
    "policy_file",
    metavar="FILE",
    required=True,
    type=click.Path(path_type=Path),
    help="A TOML file that says who may build which projects.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON report instead of one line per file.")
def command(*, files: tuple[Path, ...], policy_file: Path, as_json: bool) -> int:
    """Check who built wheels and source distributions, without network.

    The attestations of a file lie beside it, as FILE.provenance or FILE.publish.attestation (PEP 740). All
    must be signed by somebody whom the policy names for the project, and be about this file: its name, with
    the variant label if it has one, and its bytes. What an object says itself of its publisher counts for
    nothing.

    Ends with 0 when every file is shown to come from who may build it, and with 2 otherwise.
    """
    from variant_index.model.provenance_report import ProvenanceReport
    from variant_index.model.settings import read_settings_file
    from variant_index.provenance.policy import parse_policy

    policy = parse_policy(read_settings_file(policy_file), str(policy_file))
    report = ProvenanceReport(files=[_check(file, policy) for file in files])
    if as_json:
        click.echo(json_text(report))
    failed = [file for file in report.files if file.error is not None]
    for file in report.files:
        if file.error is None and not as_json:
            publishers = ", ".join(dict.fromkeys(one.publisher for one in file.attestations))
            click.echo(f"{printable(file.file, 4096)}: built by {printable(publishers, 600)}")
    for file in failed:
        say("error", str(file.error))
    return InputError.exit_code if failed else 0


def _check(file: Path, policy: tuple[Publisher, ...]) -> FileProvenance:
    from variant_index.model.provenance_report import AttestationReport, FileProvenance
    from variant_index.provenance.attestation import ProvenanceError, parse_provenance
    from variant_index.provenance.beside import SUFFIXES, read_beside
    from variant_index.provenance.policy import trusted_for
    from variant_index.provenance.verify import verify_attestations
    from variant_index.publish.reading import file_sha256
    from variant_index.publish.release import release_of

    shown = printable(str(file), 4096)
    try:
        release = release_of(file.name)
        if release is None:
            raise ProvenanceError(f"{shown}: its name is not that of a wheel or source distribution")
        sha256 = file_sha256(file)
        found = read_beside(file)
        if found is None:
            names = " or ".join(file.name + suffix for suffix in SUFFIXES)
            raise ProvenanceError(f"{shown}: has no attestation beside it ({printable(names, 600)})")
        place, data = found
        attestations = parse_provenance(data, str(place))
        try:
            verified = verify_attestations(attestations, file.name, sha256, trusted_for(release[0], policy))
        except ProvenanceError as error:
            raise ProvenanceError(f"{shown}: {error}") from None
    except ProvenanceError as error:
        return FileProvenance(file=str(file), error=str(error))
    except OSError as error:
        return FileProvenance(file=str(file), error=f"{shown}: {error.strerror or 'cannot be read'}")
    return FileProvenance(
        file=str(file),
        sha256=sha256,
        object=str(place),
        attestations=[AttestationReport(kind=one.kind, publisher=str(one.publisher)) for one in verified],
    )
