"""`variant-index build`: write a static index of wheels and variants."""

from __future__ import annotations

from functools import partial
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
  variant-index build wheels --out site
  variant-index build wheels --out site --default-from null
  variant-index build torch-2.9.0-*.whl --out site --json
  variant-index build wheels --out site --layout html
  variant-index build wheels --out s3://my-bucket/index
"""


@click.command(name="build", epilog=_EPILOG, no_args_is_help=True)
@click.argument("paths", nargs=-1, required=True, metavar="DIR|WHEEL...", type=click.Path(path_type=Path))
@out_option("The index's folder, made when missing, or s3://BUCKET/PREFIX.")
@click.option(
    "--default-from",
    metavar="LABEL",
    help="Where a release lacks a plain wheel that installers without variant support can take, "
    "make it from the variant LABEL.",
)
@click.option("--no-cache", is_flag=True, help="Read every file again, and mend what is damaged in OUT.")
@click.option(
    "--link",
    is_flag=True,
    help="Make hard links to the wheels instead of copies; they must then never be changed in place.",
)
@click.option(
    "--no-verify",
    is_flag=True,
    help="Trust that wheels hold what their RECORD says, for example after variant-index check.",
)
@click.option("--jobs", type=click.IntRange(1, 512), help="Read so many files at once; default: all cores.")
@click.option(
    "--dask",
    metavar="tcp://HOST:PORT",
    help="Read the files on a Dask cluster, whose workers must see them under the same paths.",
)
@layout_option
@base_url_option
@verify_option
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def command(
    *,
    paths: tuple[Path, ...],
    out: Path | str,
    default_from: str | None,
    no_cache: bool,
    link: bool,
    no_verify: bool,
    jobs: int | None,
    dask: str | None,
    layout: Layout | None,
    base_url: str | None,
    policy: tuple[Publisher, ...] | None,
    as_json: bool,
) -> int:
    """Write a static index that lists exactly the given wheels.

    DIR is searched to any depth for wheels and source distributions (.tar.gz). OUT gets a `simple`
    folder that any static host can serve: pages in HTML and JSON (--layout), the files, their metadata,
    and for each release with variants its `NAME-VERSION-variants.json`.

    A release with anything wrong in it is refused as a whole: the reason goes to stderr, what OUT
    lists of it stays as it is, the other releases are published, and the exit status is 2. What is
    wrong is what variant-index check calls an error; every byte of a wheel is read for that, unless it
    is unchanged since the last build.

    All pages change at once, and not before every file they name is there. In a bucket (AWS_* variables
    say where and who) each page changes at once; a killed run is finished by the next.
    """
    from variant_index.publish.build import build_index
    from variant_index.publish.notes import notes_file
    from variant_index.publish.scan import Reader, read_files

    # What was trusted without looking is not known to a build that looks.
    trusted = " unverified" if no_verify else ""
    trusted += f" {policy}" if policy is not None else ""
    title = out.resolve() if isinstance(out, Path) else out
    notes = None if no_cache else notes_file(f"{title}{trusted}")
    reader: Reader = partial(read_files, jobs=jobs, verify=not no_verify, link=link)
    if dask is not None:
        from variant_index.publish.cluster import cluster_reader

        reader = cluster_reader(dask, verify=not no_verify)
    if policy is not None:
        from variant_index.publish.attested import verifying_reader

        reader = verifying_reader(reader, policy)
    with Bars() as progress:
        report = build_index(
            paths,
            out if isinstance(out, Path) else store_at(out, progress),
            now=upload_time(),
            default_from=default_from,
            progress=progress,
            notes=notes,
            reader=reader,
            linked=link,
            details=as_json,
            layout=layout,
            base_url=base_url,
        )
    return show_build(report, as_json=as_json)
