"""`variant-index label`: turn ordinary wheels into variant wheels."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from variant_index.cli.json_report import json_text
from variant_index.cli.messages import say
from variant_index.errors import InputError, printable

if TYPE_CHECKING:
    from variant_index.model.label_report import LabelledWheel

__all__ = ["command"]

_LONG_WORK_BYTES = 1 << 28


@click.command(
    "label",
    epilog="""\b
Examples:
  variant-index label torch-2.9.0-*.whl -p "nvidia :: cuda_version_lower_bound :: 12.8" \\
      --label cu128 --out wheels
  variant-index label torch-2.9.0-*.whl --label null --out wheels
  variant-index label jax_cuda12_plugin-*.whl -p "nvidia :: cuda_version_lower_bound :: 12.0" \\
      --label cu12 --rename jax-gpu-plugin --settings pyproject.toml --out wheels
""",
)
@click.argument("wheels", metavar="WHEEL...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-p",
    "--property",
    "properties",
    metavar="'NS :: FEATURE :: VALUE'",
    multiple=True,
    help="What the build needs; may be repeated. Values of one feature are alternatives. "
    "None at all makes the null variant, which runs everywhere.",
)
@click.option("--label", metavar="LABEL", help="The label [default: 8 digits made from the properties].")
@click.option(
    "--rename",
    metavar="NAME",
    help="Give the wheels another project name, so that builds with names of their own become "
    "variants of one project.",
)
@click.option(
    "--settings",
    "settings_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="A TOML file with a [variant] table: namespace order and providers "
    "[default: nvidia and amd with their usual providers].",
)
@click.option(
    "--out",
    metavar="DIR",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the new wheels go.",
)
@click.option(
    "--no-verify",
    is_flag=True,
    help="Do not compare the content with RECORD, which takes longer than copying.",
)
@click.option("--force", is_flag=True, help="Replace existing wheels that have other content.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON report instead of one line per wheel.")
def command(
    *,
    wheels: tuple[Path, ...],
    properties: tuple[str, ...],
    label: str | None,
    rename: str | None,
    settings_file: Path | None,
    out: Path,
    no_verify: bool,
    force: bool,
    as_json: bool,
) -> int:
    """Turn ordinary wheels into variant wheels.

    The label goes into the file name and the properties into the wheel. Nothing else changes: every
    other byte of the content stays as it is. Every byte is read first, for what variant-index build would
    refuse is refused here too. A bad wheel does not stop the others.
    """
    from variant_index.model.label_report import LabelledWheel, LabelReport
    from variant_index.model.properties import Property
    from variant_index.model.settings import VariantSettings, load_settings
    from variant_index.wheel.relabel import label_wheel, variant_label

    wanted = [Property.parse(text) for text in properties]
    settings = load_settings(settings_file) if settings_file else VariantSettings.default()
    # Wrong for one wheel is wrong for all of them: say it once, before anything is written.
    chosen = variant_label(wanted, label)
    settings.document(chosen, wanted)
    for notice in settings.notices():
        say("warning", printable(f"{settings_file}: {notice}", 600))
    shown = sorted({str(item) for item in wanted})
    outcomes = []
    with _progress(wheels, passes=1 if no_verify else 2, quiet=as_json) as progress:
        for source in wheels:
            try:
                path = label_wheel(
                    source,
                    wanted,
                    label=chosen,
                    settings=settings,
                    out=out,
                    rename=rename,
                    force=force,
                    verify=not no_verify,
                    progress=progress,
                )
            except InputError as error:
                outcomes.append(LabelledWheel(source=str(source), error=str(error)))
                continue
            outcomes.append(LabelledWheel(source=str(source), path=str(path), label=chosen, properties=shown))
    if as_json:
        click.echo(json_text(LabelReport(wheels=outcomes)))
    return _present(outcomes, quiet=as_json)


def _present(outcomes: Sequence[LabelledWheel], *, quiet: bool) -> int:
    """Print one line per wheel and return the exit status."""
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    if not quiet:
        for outcome in outcomes:
            if outcome.path is not None:
                click.echo(printable(outcome.path, 4096))
    for outcome in failed:
        say("error", str(outcome.error))
    if failed and len(outcomes) > 1:
        click.echo(f"{len(failed)} of {len(outcomes)} wheels were not labelled", err=True)
    return InputError.exit_code if failed else 0


@contextmanager
def _progress(
    wheels: Sequence[Path], *, passes: int, quiet: bool
) -> Iterator[Callable[[int], object] | None]:
    """Give a function that draws progress, or None when the work is short or nobody looks."""
    total = passes * sum(path.stat().st_size for path in wheels if path.is_file())
    if quiet or total < _LONG_WORK_BYTES or not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=total, label="Labelling", file=sys.stderr) as bar:
        yield bar.update
