"""`variant-index yank`: mark releases or files so that installers no longer choose them (PEP 592)."""

from __future__ import annotations

from pathlib import Path

import click

from variant_index.cli.published import existing_store, out_option, show_edit

__all__ = ["command"]

_EPILOG = """\b
Examples:
  variant-index yank torch==2.9.0 --out site --reason "wrong results on sm_90"
  variant-index yank torch==2.9.0 --out site --undo
"""


@click.command(name="yank", epilog=_EPILOG, no_args_is_help=True)
@click.argument("targets", nargs=-1, required=True, metavar="NAME==VERSION|FILE...")
@out_option("The index's folder, or s3://BUCKET/PREFIX.")
@click.option("--reason", default="", metavar="TEXT", help="Why: installers show it.")
@click.option("--undo", is_flag=True, help="Take the mark away.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def command(*, targets: tuple[str, ...], out: Path | str, reason: str, undo: bool, as_json: bool) -> None:
    """Mark releases, or single files by name, as yanked.

    Installers take a yanked file only where its exact version is asked for. The mark stays when the index
    is built again, and what is added to a yanked release is yanked too.
    """
    from variant_index.publish.edit import parse_target, yank

    if undo and reason:
        raise click.UsageError("--reason is not for --undo")
    wanted = [parse_target(text) for text in targets]
    report = yank(wanted, existing_store(out), reason=reason, undo=undo)
    show_edit(report, "no longer yanked" if undo else "yanked", as_json=as_json)
