"""`variant-index remove`: take releases or files out of an index."""

from __future__ import annotations

from pathlib import Path

import click

from variant_index.cli.published import existing_store, out_option, show_edit, upload_time

__all__ = ["command"]

_EPILOG = """\b
Examples:
  variant-index remove torch==2.9.0 --out site
  variant-index remove torch-2.9.0-cp313-cp313-manylinux_2_28_x86_64-cu130.whl --out site
"""


@click.command(name="remove", epilog=_EPILOG, no_args_is_help=True)
@click.argument("targets", nargs=-1, required=True, metavar="NAME==VERSION|FILE...")
@out_option("The index's folder, or s3://BUCKET/PREFIX.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def command(*, targets: tuple[str, ...], out: Path | str, as_json: bool) -> None:
    """Take releases, or single files by name, out of an index.

    The files stay on disk for an hour after no page names them, because somebody who read a page just
    before may still come for them. To keep what is installed already working, use variant-index yank.
    """
    from variant_index.publish.edit import parse_target, remove

    wanted = [parse_target(text) for text in targets]
    show_edit(remove(wanted, existing_store(out), now=upload_time()), "removed", as_json=as_json)
