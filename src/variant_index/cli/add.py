"""`variant-index add`: add wheels to an index without the others at hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from variant_index.cli.published import (
    Bars,
    base_url_option,
    layout_option,
    out_option,
    show_build,
    store_at,
    upload_time,
    verify_option,
)

if TYPE_CHECKING:
    from variant_index.provenance.policy import Publisher
    from variant_index.publish.layout import Layout

__all__ = ["command"]

_EPILOG = """\b
Examples:
  variant-index add dist --out site
  variant-index add torch-2.9.0-cp313-cp313-manylinux_2_28_x86_64-cu130.whl --out site --json
"""


@click.command(name="add", epilog=_EPILOG, no_args_is_help=True)
@click.argument("paths", nargs=-1, required=True, metavar="DIR|WHEEL...", type=click.Path(path_type=Path))
@out_option("The index's folder, made when missing, or s3://BUCKET/PREFIX.")
@layout_option
@base_url_option
@verify_option
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def command(
    *,
    paths: tuple[Path, ...],
    out: Path | str,
    layout: Layout | None,
    base_url: str | None,
    policy: tuple[Publisher, ...] | None,
    as_json: bool,
) -> int:
    """Add wheels and source distributions to an index; everything else in it stays.

    What is added must fit what is published of the same release: variants are combined with those of
    its NAME-VERSION-variants.json. A release with anything wrong is refused as a whole, nothing is added
    to it, and the exit status is 2. A published file name never gets other bytes.
    """
    from variant_index.publish.edit import add_files
    from variant_index.publish.scan import Reader, read_files

    reader: Reader = read_files
    if policy is not None:
        from variant_index.publish.attested import verifying_reader

        reader = verifying_reader(reader, policy)
    with Bars() as progress:
        store = store_at(out, progress)
        report = add_files(paths, store, now=upload_time(), reader=reader, layout=layout, base_url=base_url)
    return show_build(report, as_json=as_json)
