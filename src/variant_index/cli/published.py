"""What the commands that change an index share: where it is, the time, and how the outcome is shown."""

from __future__ import annotations

import dataclasses
import os
import re
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from variant_index.cli.json_report import json_text
from variant_index.cli.messages import say
from variant_index.errors import InputError, printable

if TYPE_CHECKING:
    from variant_index.model.build_report import BuildReport
    from variant_index.model.edit_report import EditReport
    from variant_index.provenance.policy import Publisher
    from variant_index.publish.build import Progress
    from variant_index.publish.store import Store

__all__ = [
    "Bars",
    "base_url_option",
    "counted",
    "existing_store",
    "layout_option",
    "out_option",
    "show_build",
    "show_edit",
    "store_at",
    "upload_time",
    "verify_option",
]

_ADDRESS = re.compile(r"https://[A-Za-z0-9.\-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~%+\-/]*)?", re.ASCII)


def out_option(help_text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option that says where the index is."""
    return click.option("--out", required=True, metavar="OUT", type=_Place(), help=help_text)


class _Place(click.Path):
    """A folder, or the address of a bucket, which stays a text."""

    def __init__(self) -> None:
        super().__init__(file_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from variant_index.publish.bucket.object_storage import is_bucket_url

        return value if is_bucket_url(str(value)) else super().convert(value, param, ctx)


def store_at(out: Path | str, progress: Progress | None = None) -> Store:
    """Return the index in a folder or bucket; whether there is one is not looked at.

    Raises:
        InputError: the address is not that of a bucket.
    """
    from variant_index.publish.bucket.store import BucketStore
    from variant_index.publish.folder.store import FolderStore

    return FolderStore(out) if isinstance(out, Path) else BucketStore(out, progress=progress)


def existing_store(out: Path | str) -> Store:
    """Return the index in a folder or bucket.

    Raises:
        InputError: there is none in the folder.
    """
    if isinstance(out, Path) and not (out / "simple").is_dir():
        raise InputError(
            f"{printable(str(out))}: no index here; write one with variant-index build ... --out"
        )
    return store_at(out)


class Bars:
    """A progress bar on stderr for each kind of work; none where stderr is not a terminal."""

    def __init__(self) -> None:
        self._what = ""
        self._bar: click._termui_impl.ProgressBar[int] | None = None

    def __enter__(self) -> Progress | None:
        return self._show if sys.stderr.isatty() else None

    def __exit__(self, *_: object) -> None:
        self._close()

    def _show(self, what: str, done: int, total: int) -> None:
        if what != self._what:
            self._close()
            self._what = what
            self._bar = click.progressbar(length=total, label=what, file=sys.stderr)
            self._bar.__enter__()
        if self._bar is not None:
            self._bar.update(done - self._bar.pos)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None


def base_url_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option that says where the index will be: None, or without a slash at the end."""

    def check(_: object, __: object, value: str | None) -> str | None:
        if value is not None and not _ADDRESS.fullmatch(value):
            raise click.BadParameter("give the https address of the folder with simple/ and files/ in it")
        return value.rstrip("/") if value is not None else None

    return click.option(
        "--base-url",
        metavar="URL",
        callback=check,
        help="The https address where OUT will be; pages need it to name provenance objects "
        "(FILE.provenance or FILE.publish.attestation beside a file), which are published only then.",
    )(function)


def verify_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option with the policy by which attestations are verified; the command gets it read."""

    def read(_: object, __: object, value: Path | None) -> tuple[Publisher, ...] | None:
        if value is None:
            return None
        from variant_index.model.settings import read_settings_file
        from variant_index.provenance.policy import parse_policy

        return parse_policy(read_settings_file(value), str(value))

    return click.option(
        "--verify-provenance",
        "policy",
        metavar="POLICY",
        type=click.Path(path_type=Path),
        callback=read,
        help="Refuse files that are not shown, by attestations beside them, to come from whom POLICY names "
        "for the project: signatures are checked offline, as by variant-index provenance --policy.",
    )(function)


def layout_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option that says which forms pages come in."""
    return click.option(
        "--layout",
        type=click.Choice(["both", "html", "json"]),
        help="The forms of pages: html for hosts that go by the extension (GitHub Pages), json for hosts "
        "that can be told index document and content type; kept until another is given; at first both.",
    )(function)


def upload_time() -> str:
    """Return the upload time of new files; `SOURCE_DATE_EPOCH` fixes it for repeatable builds."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    try:
        moment = datetime.fromtimestamp(int(epoch), timezone.utc) if epoch else datetime.now(timezone.utc)
    except (ValueError, OverflowError, OSError):
        raise InputError(f"SOURCE_DATE_EPOCH={epoch!r} is not a time in seconds since 1970") from None
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def show_build(report: BuildReport, *, as_json: bool) -> int:
    """Print what was published and refused, and return the exit status."""
    if as_json:
        click.echo(json_text(dataclasses.asdict(report)))
    else:
        _print(report)
    for warning in (*report.warnings, *(text for release in report.releases for text in release.warnings)):
        say("warning", warning)
    for refusal in report.refused:
        say("refused", f"{refusal.reason} ({refusal.rule})" if refusal.rule else refusal.reason)
    codes = sorted({refusal.rule for refusal in report.refused if refusal.rule})
    if codes and not as_json:
        from variant_index.model.rules import RULES

        click.echo("What to do:", err=True)
        for code in codes:
            click.echo(f"  {code}  {RULES[code].remedy}", err=True)
    return 2 if report.refused else 0


def _print(report: BuildReport) -> None:
    for release in report.releases:
        if not release.changed:
            continue
        wheels = sum(path.endswith(".whl") for path in release.files)
        sources = sum(path.endswith(".tar.gz") for path in release.files)
        parts = [
            *([counted(wheels, "wheel")] if wheels else []),
            *([counted(sources, "source distribution")] if sources else []),
            *([release.sidecar] if release.sidecar else []),
        ]
        files = counted(len(release.changed), "file")
        click.echo(f"{release.name} {release.version}: {', '.join(parts)} ({files} written)")
    if same := report.unchanged + sum(not release.changed for release in report.releases):
        click.echo(f"{counted(same, 'release')} up to date")


def show_edit(report: EditReport, what: str, *, as_json: bool) -> None:
    """Print what was changed in an index; `what` was done to the files."""
    if as_json:
        click.echo(json_text(report))
        return
    for release in report.releases:
        click.echo(f"{release.name} {release.version}: {counted(len(release.files), 'file')} {what}")


def counted(number: int, what: str) -> str:
    """Return a number with its noun."""
    return f"{number} {what}{'' if number == 1 else 's'}"
