"""`variant-index machine`: what this machine can run, and where each fact came from."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from torch_variant_provider.table import profile_table
from variant_index.cli.domain_settings import detection_settings
from variant_index.cli.messages import say
from variant_index.cli.setting_options import DETECTION, configured, setting_options
from variant_index.cli.trust_option import own_pip_variables, trust_option, trust_providers
from variant_index.detection.settings import DetectionSettings
from variant_index.errors import InputError, printable
from variant_index.model.machine import MachineProfile
from variant_index.selection.explanation import NEWEST_CUDA

__all__ = ["command"]

_EXAMPLES = """\b
Examples:
  variant-index machine
  variant-index machine --save gpu-box.json
  variant-index machine --machine cuda12.8-sm90
  NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION=12.8 variant-index machine --json
"""

_GPUS = frozenset(("nvidia", "amd", "intel", "tpu"))


@click.command(name="machine", epilog=_EXAMPLES)
@click.option("--json", "as_json", is_flag=True, help="Print a machine profile (see schemas/).")
@click.option(
    "--save",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the machine profile, for `--machine FILE` elsewhere.",
)
@setting_options(*DETECTION)
@trust_option
def command(
    *,
    as_json: bool,
    file: Path | None,
    trust_provider: tuple[str, ...],
    **given: Any,
) -> None:
    """Show what this machine can run, and where each fact came from.

    The profile of one machine lets another choose for it: a Docker build, a login node, CI.

    Ends with status 3 when a GPU driver is present but did not say what it supports.
    """
    settings = detection_settings(configured(given, *DETECTION))
    trust_providers(trust_provider, own_pip_variables, say, enabled=settings.providers.enabled)
    warned: set[str] = set()

    def warn(line: str) -> None:
        warned.add(line)
        _warn(line)

    profile = _examine(settings, warn)
    if as_json:
        click.echo(profile.model_dump_json(indent=2))
    else:
        if settings.machine is None and _GPUS.isdisjoint(profile.facts):
            click.echo("No GPU driver was found.\n")
        notes = [note for note in profile.notes if printable(note, 400) not in warned]
        table = _table(profile, [*notes, *_beyond_all_versions(profile)])
        click.echo(table or "No GPU, and a processor of which nothing is known.\n", nl=False)
    if settings.machine is None:
        from variant_index.detection.this_machine import settled

        # After the output: what is known helps to find out why the rest is not.
        profile = settled(profile, _warn, settings.on_failure)
    if file is not None:
        _write(file, profile)
        click.echo(f"wrote {file}", err=True)


def _examine(settings: DetectionSettings, warn: Callable[[str], None]) -> MachineProfile:
    if settings.machine is not None:
        return settings.profile(warn)
    from variant_index.detection.this_machine import examine_machine

    return examine_machine(settings.timeout, warn, settings.on_failure, settings.providers)


def _warn(line: str) -> None:
    say("warning", printable(line, 400))


def _write(file: Path, profile: MachineProfile) -> None:
    """Write the profile whole or not at all."""
    import tempfile

    if not file.absolute().parent.is_dir():
        raise InputError(f"{printable(str(file))}: there is no such folder to write it in")
    try:
        with tempfile.NamedTemporaryFile(
            "w", dir=file.parent, prefix=".", suffix=".tmp", delete=False
        ) as temporary:
            try:
                temporary.write(profile.model_dump_json(indent=2) + "\n")
                temporary.close()
                mask = os.umask(0)
                os.umask(mask)
                os.chmod(temporary.name, 0o666 & ~mask)  # noqa: PTH101 - a temporary file is private at first
                os.replace(temporary.name, file)  # noqa: PTH105
            except BaseException:
                Path(temporary.name).unlink(missing_ok=True)
                raise
    except OSError as error:  # it would name the temporary file
        raise InputError(f"{printable(str(file))}: it cannot be written: {error.strerror}") from None


def _beyond_all_versions(profile: MachineProfile) -> list[str]:
    """Return a note where the driver is newer than what the list of properties can say."""
    fact = profile.facts.get("nvidia", {}).get("cuda_version")
    listed = profile.supported().get("nvidia", {}).get("cuda_version_lower_bound", ())
    if fact is None or listed[:1] != [NEWEST_CUDA] or fact.value == NEWEST_CUDA:
        return []
    return [
        f"CUDA {fact.value} is newer than all versions that variants can ask for, and counts as {NEWEST_CUDA}"
    ]


def _table(profile: MachineProfile, notes: Sequence[str]) -> str:
    return profile_table(
        {
            namespace: {name: (fact.value, fact.source) for name, fact in found.items()}
            for namespace, found in profile.facts.items()
        },
        {
            namespace: {feature: list(values) for feature, values in features.items()}
            for namespace, features in profile.supported().items()
        },
        list(notes),
    )
