"""Plans an index: releases in, every write out, in the order they must happen (pure).

Layout: `files/XX/DIGEST/NAME` holds wheels, source distributions and sidecars under their SHA-256, and
beside each wheel its `NAME.metadata`; `simple/PROJECT/` holds the project's page in both forms, `simple/`
the root page. What lies under `files/` never changes, so an old page goes on naming what it always
named, sidecars included, and hashes hold while pages change. Links are relative, so the folder can be
moved or served by any static host.

The order makes sure that a page never names a file that is not there: files, pages, root page.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, unquote

from variant_index.model.document import write_document
from variant_index.model.filename import sidecar_filename
from variant_index.publish.release import FoundSource, FoundWheel, Release, ReleaseKey, release_of
from variant_index.simple_api.page import ProjectFile, ProjectPage
from variant_index.simple_api.render import render_html, render_json, render_root_html, render_root_json

__all__ = [
    "FILES",
    "PAGES",
    "Copy",
    "Delete",
    "Plan",
    "Put",
    "Step",
    "file_path",
    "listed_path",
    "page_paths",
    "plan_project",
    "plan_root",
    "release_files",
]

FILES = "files/"
"""How the paths of files that never change begin."""

PAGES = "simple/"
"""How the paths of pages begin."""

_UP = "../../"
"""From a project's page to the index."""


@dataclass(frozen=True, slots=True)
class Copy:
    """Copy a file into the index.

    Attributes:
        path: where it goes, relative to the index, with `/`; it begins with `FILES`.
        source: the file to copy.
        sha256: what its bytes must hash to.
        size: bytes.
        owned: whether the source is a copy made for this (of exactly these bytes), which may be moved.
    """

    path: str
    source: Path
    sha256: str
    size: int
    owned: bool = False


@dataclass(frozen=True, slots=True)
class Put:
    """Write a file (under `FILES`: unless it is there) or a page (under `PAGES`: instead of the old one).

    Attributes:
        path: where it goes, relative to the index, with `/`.
        content: its bytes.
    """

    path: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove a file or a page that nothing names any more.

    Attributes:
        path: what goes, relative to the index, with `/`.
    """

    path: str


Step = Copy | Put | Delete


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything to do for one project.

    Attributes:
        steps: in the order they must happen; none when the project is as it should be.
        page: what the project lists then; None when it has no files, and therefore no page.
        dropped: releases that were listed and no longer are.
    """

    steps: tuple[Step, ...]
    page: ProjectPage | None
    dropped: tuple[ReleaseKey, ...]


def file_path(sha256: str, name: str) -> str:
    """Return where a file goes, relative to the index: `files/ab/ab12.../NAME`."""
    return f"{FILES}{sha256[:2]}/{sha256}/{name}"


def page_paths(name: str) -> tuple[str, str]:
    """Return where a project's page goes, as HTML and as JSON."""
    return f"{PAGES}{name}/index.html", f"{PAGES}{name}/index.json"


def listed_path(file: ProjectFile) -> str | None:
    """Return the path of a file on one of our pages, relative to the index; None when it is elsewhere."""
    path = unquote(file.url.removeprefix(_UP))
    ours = file.url.startswith(_UP + FILES) and ".." not in path.split("/")
    return path if ours else None


def plan_project(
    name: str,
    releases: Iterable[Release],
    published: ProjectPage | None,
    keep: Iterable[ReleaseKey],
    now: str,
) -> Plan:
    """Plan a project that lists exactly `releases`, and what is published already of `keep`.

    Args:
        name: the project's normal name.
        releases: its releases to publish, complete.
        published: its page now; files published before keep their upload time and whether they are
            yanked.
        keep: releases that were refused this time: what is listed of them stays as it is.
        now: the upload time of new files, `2026-01-31T12:00:00Z`.
    """
    releases = sorted(releases, key=lambda release: release.key)
    kept = frozenset(keep)
    before = published.files if published is not None else ()
    known = {file.filename: file for file in before}
    listed = [file for file in before if release_of(file.filename) in kept]
    steps: list[Step] = []
    for release in releases:
        steps += _file_steps(release)
        listed += _entries(release, known, now)
    page = ProjectPage(name, tuple(sorted(listed, key=lambda file: file.filename))) if listed else None
    if page is not None:
        html, json = page_paths(name)
        steps += [Put(html, render_html(page)), Put(json, render_json(page))]
    elif published is not None:
        steps += [Delete(path) for path in page_paths(name)]
    steps += _gone(before, listed)
    stays = kept.union(release.key for release in releases)
    keys = {release_of(file.filename) for file in before}
    return Plan(
        tuple(steps), page, tuple(sorted(key for key in keys if key is not None and key not in stays))
    )


def _file_steps(release: Release) -> Iterator[Step]:
    for wheel in release.wheels:
        if not wheel.published:
            path = file_path(wheel.sha256, wheel.name)
            yield _copy(wheel, path)
            yield Put(f"{path}.metadata", wheel.metadata)
    for source in release.sources:
        if not source.published:
            yield _copy(source, file_path(source.sha256, source.name))
    if (sidecar := _sidecar(release)) is not None:
        name, data = sidecar
        yield Put(file_path(hashlib.sha256(data).hexdigest(), name), data)


def _copy(file: FoundWheel | FoundSource, path: str) -> Copy:
    return Copy(path, file.copy or file.path, file.sha256, file.size, file.copy is not None)


def _gone(before: Iterable[ProjectFile], after: Iterable[ProjectFile]) -> Iterator[Delete]:
    """Yield what removes the files that no page names any more."""
    paths = {listed_path(file) for file in after}
    for file in before:
        path = listed_path(file)
        if path is not None and path not in paths:
            yield Delete(path)
            if file.core_metadata:
                yield Delete(f"{path}.metadata")


def plan_root(names: Iterable[str]) -> tuple[Put, Put]:
    """Plan the root page, which comes after the projects' pages."""
    ordered = sorted(names)
    return (
        Put(f"{PAGES}index.html", render_root_html(ordered)),
        Put(f"{PAGES}index.json", render_root_json(ordered)),
    )


def release_files(release: Release) -> list[str]:
    """Return the paths of a release's own files, relative to the index (pages are shared by releases)."""
    wheels = [file_path(wheel.sha256, wheel.name) for wheel in release.wheels]
    paths = [
        *wheels,
        *(f"{path}.metadata" for path in wheels),
        *(file_path(source.sha256, source.name) for source in release.sources),
    ]
    if (sidecar := _sidecar(release)) is not None:
        paths.append(file_path(hashlib.sha256(sidecar[1]).hexdigest(), sidecar[0]))
    return sorted(paths, key=lambda path: path.rpartition("/")[2])


def _sidecar(release: Release) -> tuple[str, bytes] | None:
    if release.document is None:
        return None
    return sidecar_filename(*release.key), write_document(release.document)


def _entries(release: Release, known: Mapping[str, ProjectFile], now: str) -> Iterator[ProjectFile]:
    def timed(entry: ProjectFile) -> ProjectFile:
        before = known.get(entry.filename)
        same = before is not None and before.hashes == entry.hashes and before.upload_time is not None
        if before is None or not same:
            return replace(entry, upload_time=now)
        return replace(entry, upload_time=before.upload_time, yanked=before.yanked)

    first_variant: str | None = None
    for wheel in release.wheels:
        entry = (
            known[wheel.name]
            if wheel.published
            else timed(
                ProjectFile(
                    wheel.name,
                    _link(wheel.sha256, wheel.name),
                    {"sha256": wheel.sha256},
                    wheel.requires_python,
                    core_metadata={"sha256": hashlib.sha256(wheel.metadata).hexdigest()},
                    size=wheel.size,
                )
            )
        )
        if wheel.filename.label and entry.upload_time is not None:
            first_variant = min(first_variant or entry.upload_time, entry.upload_time)
        yield entry
    for source in release.sources:
        yield timed(
            ProjectFile(
                source.name, _link(source.sha256, source.name), {"sha256": source.sha256}, size=source.size
            )
        )
    if (sidecar := _sidecar(release)) is not None:
        name, data = sidecar
        digest = hashlib.sha256(data).hexdigest()
        # The time of the first variant wheel: whoever looks at the index as of a date sees wheels
        # and sidecar together, although the sidecar may have changed since.
        yield ProjectFile(
            name,
            _link(digest, name),
            {"sha256": digest},
            size=len(data),
            upload_time=first_variant,
        )


def _link(sha256: str, name: str) -> str:
    return _UP + quote(file_path(sha256, name))
