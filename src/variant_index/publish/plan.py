"""Plans an index: releases in, the complete list of writes out, in the order they must happen (pure).

Layout: `simple/PROJECT/` holds wheels, source distributions, `WHEEL.metadata`, the sidecars and the
project's page in both forms; `simple/` holds the root page. Links are relative, so the folder can be
moved or served by any static host.

The order makes sure that a page never names a file that is not there: wheels, metadata, sidecars,
project pages, root page; a page that is no longer wanted goes after the root page stops naming it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from variant_index.model.document import write_document
from variant_index.model.filename import sidecar_filename
from variant_index.publish.release import FoundSource, FoundWheel, Release, ReleaseKey, release_of
from variant_index.simple_api.page import ProjectFile, ProjectPage
from variant_index.simple_api.render import render_html, render_json, render_root_html, render_root_json

__all__ = ["Copy", "Delete", "Plan", "Published", "Put", "file_folder", "plan_index", "release_files"]

Published = Mapping[str, ProjectPage]
"""What an index lists already: normal project name -> its page."""


@dataclass(frozen=True, slots=True)
class Copy:
    """Copy a file into the index; a published file never changes, so one with other bytes is an error.

    Attributes:
        path: where it goes, relative to the index, with `/`.
        source: the file to copy.
        sha256: what its bytes must hash to.
    """

    path: str
    source: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class Put:
    """Write a file of the index, replacing what is there.

    Attributes:
        path: where it goes, relative to the index, with `/`.
        content: its bytes.
    """

    path: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove a page that the root page no longer names.

    Attributes:
        path: what goes, relative to the index, with `/`.
    """

    path: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything to do to a folder to make it the index.

    Attributes:
        steps: in the order they must happen.
        dropped: releases that were listed and no longer are.
    """

    steps: tuple[Copy | Put | Delete, ...]
    dropped: tuple[ReleaseKey, ...]


def file_folder(name: str) -> str:
    """Return the folder of a project, relative to the index: `simple/NAME`."""
    return f"simple/{name}"


def plan_index(
    releases: Iterable[Release], published: Published, keep: Iterable[ReleaseKey], now: str
) -> Plan:
    """Plan an index that lists exactly `releases`, and what is published already of `keep`.

    Args:
        releases: what to publish, complete.
        published: what the folder lists now; files published before keep their upload time.
        keep: releases that were refused this time: what is listed of them stays as it is.
        now: the upload time of new files, `2026-01-31T12:00:00Z`.
    """
    kept_keys = frozenset(keep)
    by_project: dict[str, list[Release]] = {}
    for release in sorted(releases, key=lambda release: release.key):
        by_project.setdefault(release.key[0], []).append(release)
    copies: list[Copy | Put | Delete] = []
    metadata: list[Put] = []
    sidecars: list[Put] = []
    pages: list[Put] = []
    names = []
    for name in sorted({*by_project, *published}):
        known = {file.filename: file for file in published[name].files} if name in published else {}
        files = [file for file in known.values() if release_of(file.filename) in kept_keys]
        for release in by_project.get(name, []):
            folder = file_folder(name)
            distributions: tuple[FoundWheel | FoundSource, ...] = (*release.wheels, *release.sources)
            copies += [Copy(f"{folder}/{file.name}", file.path, file.sha256) for file in distributions]
            metadata += [Put(f"{folder}/{wheel.name}.metadata", wheel.metadata) for wheel in release.wheels]
            if (sidecar := _sidecar(release)) is not None:
                sidecars.append(Put(f"{folder}/{sidecar[0]}", sidecar[1]))
            files += _entries(release, known, now)
        if files:
            names.append(name)
            page = ProjectPage(name, tuple(sorted(files, key=lambda file: file.filename)))
            pages.append(Put(f"{file_folder(name)}/index.html", render_html(page)))
            pages.append(Put(f"{file_folder(name)}/index.json", render_json(page)))
    root = [
        Put("simple/index.html", render_root_html(names)),
        Put("simple/index.json", render_root_json(names)),
    ]
    gone = [
        Delete(f"{file_folder(name)}/index.{form}")
        for name in sorted(published.keys() - set(names))
        for form in ("html", "json")
    ]
    listed = kept_keys.union(release.key for group in by_project.values() for release in group)
    before = {release_of(file.filename) for page in published.values() for file in page.files}
    dropped = tuple(sorted(key for key in before if key is not None and key not in listed))
    return Plan((*copies, *metadata, *sidecars, *pages, *root, *gone), dropped)


def release_files(release: Release) -> list[str]:
    """Return the paths of a release's own files, relative to the index (pages are shared by releases)."""
    folder = file_folder(release.key[0])
    sidecar = _sidecar(release)
    names = [
        *(wheel.name for wheel in release.wheels),
        *(f"{wheel.name}.metadata" for wheel in release.wheels),
        *(source.name for source in release.sources),
        *([sidecar[0]] if sidecar is not None else []),
    ]
    return [f"{folder}/{name}" for name in sorted(names)]


def _sidecar(release: Release) -> tuple[str, bytes] | None:
    if release.document is None:
        return None
    return sidecar_filename(*release.key), write_document(release.document)


def _entries(release: Release, known: Mapping[str, ProjectFile], now: str) -> Iterator[ProjectFile]:
    def timed(entry: ProjectFile) -> ProjectFile:
        before = known.get(entry.filename)
        same = before is not None and before.hashes == entry.hashes and before.upload_time is not None
        return replace(entry, upload_time=before.upload_time if same and before is not None else now)

    first_variant: str | None = None
    for wheel in release.wheels:
        entry = timed(
            ProjectFile(
                wheel.name,
                _link(wheel.name),
                {"sha256": wheel.sha256},
                wheel.requires_python,
                core_metadata={"sha256": hashlib.sha256(wheel.metadata).hexdigest()},
                size=wheel.size,
            )
        )
        if wheel.filename.label and entry.upload_time is not None:
            first_variant = min(first_variant or entry.upload_time, entry.upload_time)
        yield entry
    for source in release.sources:
        yield timed(ProjectFile(source.name, _link(source.name), {"sha256": source.sha256}, size=source.size))
    if (sidecar := _sidecar(release)) is not None:
        name, data = sidecar
        # The time of the first variant wheel: whoever looks at the index as of a date sees wheels
        # and sidecar together, although the sidecar may have changed since.
        yield ProjectFile(
            name,
            _link(name),
            {"sha256": hashlib.sha256(data).hexdigest()},
            size=len(data),
            upload_time=first_variant,
        )


def _link(filename: str) -> str:
    return quote(filename, safe="")
