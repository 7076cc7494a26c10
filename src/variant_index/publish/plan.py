"""Plans an index: releases in, every write out, in the order they must happen (pure).

`files/PROJECT/BATCH/NAME` holds wheels, source distributions and sidecars, and beside each wheel its
`NAME.metadata`; `simple/PROJECT/` holds the project's page, `simple/` the root page (`layout.py`). A batch
is what one run adds to a project, and is named by a digest of all that is in it (a folder for each
file would cost more time than the files). So what lies under `files/` never changes, an old page goes on
naming what it always named, sidecars included, and hashes hold while pages change. Links are relative,
so the folder can be moved or served by any static host.

The order makes sure that a page never names a file that is not there: files, pages, root page.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, unquote

from variant_index.model.filename import SIDECAR_SUFFIX, sidecar_filename
from variant_index.publish.layout import FORMS, HTML_PAGE, JSON_PAGE, Layout
from variant_index.publish.release import PROVENANCE, FoundSource, FoundWheel, Release, ReleaseKey, release_of
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
    "listed_path",
    "listed_paths",
    "page_paths",
    "plan_page",
    "plan_pages",
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


def page_paths(name: str) -> tuple[str, str]:
    """Return where a project's page goes, as HTML and as JSON."""
    return f"{PAGES}{name}/{HTML_PAGE}", f"{PAGES}{name}/{JSON_PAGE}"


def listed_path(file: ProjectFile) -> str | None:
    """Return the path of a file on one of our pages, relative to the index; None when it is elsewhere."""
    path = unquote(file.url.removeprefix(_UP))
    ours = file.url.startswith(_UP + FILES) and ".." not in path.split("/")
    return path if ours else None


def listed_paths(page: ProjectPage, file: ProjectFile) -> list[str]:
    """Return the paths of a file on one of our pages and of what lies beside it, relative to the index."""
    path = listed_path(file)
    if path is None:
        return []
    # The address of a provenance object is a full one, and may name a host that the index was once at.
    _, ours, rest = unquote(file.provenance or "").rpartition(f"/{FILES}{page.name}/")
    provenance = [f"{FILES}{page.name}/{rest}"] if ours and ".." not in rest.split("/") else []
    return [path, *([f"{path}.metadata"] if file.core_metadata else []), *provenance]


def plan_project(
    name: str,
    releases: Iterable[Release],
    published: ProjectPage | None,
    keep: Iterable[ReleaseKey],
    now: str,
    *,
    layout: Layout = "both",
    base_url: str | None = None,
) -> Plan:
    """Plan a project that lists exactly `releases`, and what is published already of `keep`.

    Args:
        name: the project's normal name.
        releases: its releases to publish, complete.
        published: its page now; files published before keep their upload time and whether they are
            yanked.
        keep: releases that were refused this time: what is listed of them stays as it is.
        now: the upload time of new files, `2026-01-31T12:00:00Z`.
        layout: the forms of the page.
        base_url: where the index will be, https and without a slash at the end; provenance objects are
            published only when that is known, because pages give their full address (PEP 740).
    """
    releases = sorted(releases, key=lambda release: release.key)
    kept = frozenset(keep)
    before = published.files if published is not None else ()
    known = {file.filename: file for file in before}
    sidecars = {release.key: _sidecar(release) for release in releases}
    folder = _batch(name, releases, [sidecar for sidecar in sidecars.values() if sidecar is not None], known)
    listed = [file for file in before if release_of(file.filename) in kept]
    steps: list[Step] = []
    for release in releases:
        entries = list(_entries(release, sidecars[release.key], folder, known, now))
        if base_url is not None:
            objects = _provenance(name, release)
            entries = [_attested(entry, objects.get(entry.filename), base_url) for entry in entries]
            steps += objects.values()
        steps += _file_steps(release, sidecars[release.key], entries)
        listed += entries
    page = ProjectPage(name, tuple(sorted(listed, key=lambda file: file.filename))) if listed else None
    if page is not None:
        steps += plan_page(page, layout)
    elif published is not None:
        steps += [Delete(path) for path in page_paths(name)]
    steps += _gone(published, page)
    stays = kept.union(release.key for release in releases)
    keys = {release_of(file.filename) for file in before}
    return Plan(
        tuple(steps), page, tuple(sorted(key for key in keys if key is not None and key not in stays))
    )


@dataclass(frozen=True, slots=True)
class _Sidecar:
    name: str
    content: bytes
    sha256: str


def _sidecar(release: Release) -> _Sidecar | None:
    if release.document is None:
        return None
    from variant_index.model.document import write_document

    content = write_document(release.document)
    return _Sidecar(sidecar_filename(*release.key), content, hashlib.sha256(content).hexdigest())


def _batch(
    name: str, releases: Iterable[Release], sidecars: Iterable[_Sidecar], known: Mapping[str, ProjectFile]
) -> str:
    """Return the folder of what is not listed yet."""
    digest = hashlib.sha256()
    files: list[FoundWheel | FoundSource | _Sidecar] = [*sidecars]
    for release in releases:
        files += [*release.wheels, *release.sources]
    for file in sorted(files, key=lambda file: file.name):
        if file.name not in known or known[file.name].hashes.get("sha256") != file.sha256:
            digest.update(f"{file.name} {file.sha256}\n".encode())
    return f"{FILES}{name}/{digest.hexdigest()[:32]}"


def _file_steps(release: Release, sidecar: _Sidecar | None, entries: Iterable[ProjectFile]) -> Iterator[Step]:
    paths = {file.filename: listed_path(file) or "" for file in entries}
    for wheel in release.wheels:
        if wheel.published:
            continue
        yield _copy(wheel, paths[wheel.name])
        beside = f"{paths[wheel.name]}.metadata"
        if wheel.copy is not None:
            made = wheel.copy.with_name(f"{wheel.name}.metadata")
            yield Copy(beside, made, hashlib.sha256(wheel.metadata).hexdigest(), len(wheel.metadata), True)
        else:
            yield Put(beside, wheel.metadata)
    for source in release.sources:
        if not source.published:
            yield _copy(source, paths[source.name])
    if sidecar is not None:
        yield Put(paths[sidecar.name], sidecar.content)


def _copy(file: FoundWheel | FoundSource, path: str) -> Copy:
    return Copy(path, file.copy or file.path, file.sha256, file.size, file.copy is not None)


def _provenance(name: str, release: Release) -> dict[str, Put]:
    """Return what publishes the provenance objects of a release, by the names of the files they are about.

    Each lies in a folder named by its own digest: what is attested later must not change it.
    """
    return {
        file.name: Put(
            f"{FILES}{name}/{_digest(file.provenance)[:32]}/{file.name}{PROVENANCE}", file.provenance
        )
        for file in release.files
        if file.provenance is not None
    }


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _attested(entry: ProjectFile, step: Put | None, base_url: str) -> ProjectFile:
    return replace(entry, provenance=f"{base_url}/{quote(step.path)}") if step is not None else entry


def _gone(before: ProjectPage | None, after: ProjectPage | None) -> Iterator[Delete]:
    """Yield what removes the files that no page names any more."""
    if before is None:
        return
    stay = (
        {path for file in after.files for path in listed_paths(after, file)} if after is not None else set()
    )
    for file in before.files:
        yield from (Delete(path) for path in listed_paths(before, file) if path not in stay)


def plan_page(page: ProjectPage, layout: Layout = "both") -> tuple[Put | Delete, ...]:
    """Plan a project's page in the forms of a layout, and in no others."""
    return _in_forms(f"{PAGES}{page.name}", layout, lambda: render_html(page), lambda: render_json(page))


def plan_pages(
    names: Iterable[str], page_of: Callable[[str], ProjectPage | None], layout: Layout
) -> Iterator[Put | Delete]:
    """Plan that pages list what they list, in the forms of a layout."""
    for name in names:
        if (page := page_of(name)) is not None:
            yield from plan_page(page, layout)


def plan_root(names: Iterable[str], layout: Layout = "both") -> tuple[Put | Delete, ...]:
    """Plan the root page, which comes after the projects' pages; it says what the layout is."""
    ordered = sorted(names)
    root = PAGES.rstrip("/")
    return _in_forms(root, layout, lambda: render_root_html(ordered), lambda: render_root_json(ordered))


def _in_forms(
    folder: str, layout: Layout, html: Callable[[], bytes], json: Callable[[], bytes]
) -> tuple[Put | Delete, ...]:
    return tuple(
        Put(f"{folder}/{form}", render()) if form in FORMS[layout] else Delete(f"{folder}/{form}")
        for form, render in ((HTML_PAGE, html), (JSON_PAGE, json))
    )


def release_files(page: ProjectPage, key: ReleaseKey) -> list[str]:
    """Return the paths of a release's own files, relative to the index (pages are shared by releases)."""
    return [
        path for file in page.files if release_of(file.filename) == key for path in listed_paths(page, file)
    ]


def _entries(
    release: Release, sidecar: _Sidecar | None, folder: str, known: Mapping[str, ProjectFile], now: str
) -> Iterator[ProjectFile]:
    def entry(name: str, sha256: str, size: int, time: str | None) -> ProjectFile:
        """Return what is listed already of these bytes, or a new entry."""
        before = known.get(name)
        if before is not None and before.hashes.get("sha256") == sha256 and listed_path(before) is not None:
            return replace(before, size=size, upload_time=before.upload_time or time)
        url = _UP + quote(f"{folder}/{name}")
        mark = not name.endswith(SIDECAR_SUFFIX) and yanked
        return ProjectFile(name, url, {"sha256": sha256}, yanked=mark, size=size, upload_time=time)

    yanked = _yanked(release.key, known.values())
    first_variant: str | None = None
    for wheel in release.wheels:
        file = entry(wheel.name, wheel.sha256, wheel.size, now)
        if not wheel.published:
            digest = hashlib.sha256(wheel.metadata).hexdigest()
            file = replace(file, requires_python=wheel.requires_python, core_metadata={"sha256": digest})
        if wheel.filename.label and file.upload_time is not None:
            first_variant = min(first_variant or file.upload_time, file.upload_time)
        yield file
    for source in release.sources:
        yield entry(source.name, source.sha256, source.size, now)
    if sidecar is not None:
        # The time of the first variant wheel: whoever looks at the index as of a date sees wheels
        # and sidecar together, although the sidecar may have changed since.
        file = entry(sidecar.name, sidecar.sha256, len(sidecar.content), first_variant)
        yield replace(file, upload_time=first_variant)


def _yanked(key: ReleaseKey, listed: Iterable[ProjectFile]) -> bool | str:
    """Return the mark of a release that is yanked as a whole: what is added to it does not undo that."""
    marks = [
        file.yanked
        for file in listed
        if release_of(file.filename) == key and not file.filename.endswith(SIDECAR_SUFFIX)
    ]
    return marks[0] if marks and all(marks) else False
