"""Changes some releases of an index without the files of the others at hand: add, remove, yank."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from variant_index.errors import InputError, printable
from variant_index.model.build_report import BuildReport, ReleaseReport
from variant_index.model.edit_report import EditedRelease, EditReport
from variant_index.model.filename import SIDECAR_SUFFIX, FilenameError, canonical_name, escaped_version
from variant_index.publish.attempts import attempt
from variant_index.publish.changes import group_states
from variant_index.publish.conflicts import find_conflicts
from variant_index.publish.find import FileState, find_states
from variant_index.publish.folder.staging import PART
from variant_index.publish.group import group_releases
from variant_index.publish.layout import Layout
from variant_index.publish.listed import listed_files, listed_keys
from variant_index.publish.plan import Step, plan_page, plan_pages, plan_project, plan_root
from variant_index.publish.release import FILE_SUFFIXES, Refusal, Release, ReleaseKey, Scan, release_of
from variant_index.publish.report import refusal_report, release_report
from variant_index.publish.scan import Reader, collect, read_files
from variant_index.publish.spelling import find_respelled, same_release
from variant_index.publish.store import Store
from variant_index.simple_api.page import ProjectFile, ProjectPage

__all__ = ["NotPublishedError", "Target", "add_files", "parse_target", "remove", "yank"]

_MAX_REASON = 1000


class NotPublishedError(InputError):
    """The index does not list what should be changed."""


@dataclass(frozen=True, slots=True)
class Target:
    """What to change: a release, or one file of it.

    Attributes:
        key: the release.
        filename: the file; None for all of the release.
    """

    key: ReleaseKey
    filename: str | None = None

    def covers(self, file: ProjectFile) -> bool:
        """Tell whether a listed file is meant; sidecars follow their wheels."""
        if file.filename.endswith(SIDECAR_SUFFIX):
            return False
        return (
            release_of(file.filename) == self.key if self.filename is None else file.filename == self.filename
        )

    def spelled(self, listed: Iterable[ReleaseKey]) -> list[Target]:
        """Return what is meant of the releases that are listed: 1.0 is 1.0.0 for installers too (PEP 440)."""
        if self.filename is not None:
            return [self]
        return [Target(key) for key in sorted(listed) if same_release(key, self.key)] or [self]


def parse_target(text: str) -> Target:
    """Read `NAME==VERSION` or a file's name.

    Raises:
        InputError: it is neither.
    """
    name, equals, version = text.partition("==")
    try:
        if equals and name.strip() and version.strip():
            return Target((canonical_name(name.strip()), escaped_version(version.strip())))
    except FilenameError:
        pass
    key = release_of(text)
    if key is None or text.endswith(SIDECAR_SUFFIX) or not text.endswith(FILE_SUFFIXES):
        raise InputError(f"{printable(text)}: give NAME==VERSION, or the name of a wheel or .tar.gz")
    return Target(key, text)


def add_files(
    paths: Iterable[Path],
    store: Store,
    *,
    now: str,
    reader: Reader = read_files,
    layout: Layout | None = None,
    base_url: str | None = None,
) -> BuildReport:
    """Add wheels and source distributions to an index; everything else in it stays.

    A release that would have anything wrong with it, with what is published of it already, is refused
    as a whole: nothing is added to it.

    Args:
        paths: folders, wheels, source distributions and sidecars.
        store: the index; an empty one is as good.
        now: the upload time of files that are new, `2026-01-31T12:00:00Z`.
        reader: reads the files.
        layout: the forms of all pages; those that the index has when not given, both in a new one.
        base_url: see `plan_project`.

    Raises:
        InputError: a path cannot be scanned, there is nothing to add, or the store cannot take it.
        OvertakenError: others publish to the same place faster than this can.
        OSError: the store cannot be written.
    """
    states = find_states(paths)
    if not any(state.name.endswith((".whl", ".tar.gz")) for state in states):
        raise InputError("no wheels found; give folders that hold .whl files, or wheels by name")

    def work() -> BuildReport:
        with tempfile.TemporaryDirectory(prefix=PART, dir=store.scratch) as scratch:
            staging = Path(scratch) if store.scratch is not None else None
            found = collect(reader(states, staging))
            return _Addition(store, now, found, layout, base_url).run(states)

    return attempt(store, work)


class _Addition:
    """One attempt to add files."""

    def __init__(
        self, store: Store, now: str, found: Scan, layout: Layout | None, base_url: str | None
    ) -> None:
        self._store, self._now, self._found, self._base_url = store, now, found, base_url
        self._before = store.layout()
        self._layout: Layout = layout or self._before or "both"
        self._reports: list[ReleaseReport] = []
        self._refusals: list[Refusal] = []
        self._written: set[str] = set()

    def run(self, states: Sequence[FileState]) -> BuildReport:
        by_project = {name: Scan() for name in sorted(group_states(states)[0])}
        for wheel in self._found.wheels:
            by_project[wheel.filename.name].wheels.append(wheel)
        for source in self._found.sources:
            by_project[_project(source.name)].sources.append(source)
        for sidecar in self._found.sidecars:
            by_project[_project(sidecar.path.name)].sidecars.append(sidecar)
        for refusal in self._found.refusals:
            into = by_project[refusal.release[0]].refusals if refusal.release is not None else self._refusals
            into.append(refusal)
        self._store.carry_out(self._steps(by_project), self._note)
        return BuildReport(
            out=self._store.title,
            releases=sorted(self._reports, key=lambda report: (report.name, report.version)),
            unchanged=0,
            refused=[refusal_report(refusal) for refusal in self._refusals],
            warnings=[],
        )

    def _note(self, step: Step, changed: bool) -> None:
        if changed:
            self._written.add(step.path)

    def _steps(self, by_project: dict[str, Scan]) -> Iterator[Step]:
        published = set(self._store.stamps())
        untouched = set(published)
        for name, found in by_project.items():
            page = self._store.page(name)
            releases, refusals = self._releases(found, page)
            self._refusals += refusals
            keep = listed_keys(page) - {release.key for release in releases} if page is not None else ()
            plan = plan_project(
                name, releases, page, keep, self._now, layout=self._layout, base_url=self._base_url
            )
            if not releases or plan.page is None:
                continue
            published.add(name)
            untouched.discard(name)
            self._written.clear()
            yield from plan.steps
            self._reports += [release_report(release, plan.page, self._written, None) for release in releases]
        if not self._reports:
            return
        if self._layout != self._before:
            yield from plan_pages(sorted(untouched), self._store.page, self._layout)
        yield from plan_root(published, self._layout)

    def _releases(self, found: Scan, page: ProjectPage | None) -> tuple[list[Release], list[Refusal]]:
        """Join what is new with what is published of the same releases."""
        new = {wheel.name for wheel in found.wheels} | {source.name for source in found.sources}
        joined = replace(found, wheels=list(found.wheels), sources=list(found.sources))
        if page is not None:
            touched = {release_of(name) for name in new}
            touched |= {release_of(item.path.name) for item in found.sidecars}
            for key in listed_keys(page) & touched:
                wheels, sources = listed_files(page, key, self._store.read)
                joined.wheels += [wheel for wheel in wheels if wheel.name not in new]
                joined.sources += [source for source in sources if source.name not in new]
        releases, refusals = group_releases(joined)
        refusals += [refusal for _, refusal in find_conflicts(releases, page, self._store.title)]
        if page is not None:
            taken = {release.key for release in releases}
            refusals += list(find_respelled(releases, page, listed_keys(page) - taken))
        refused = {refusal.release for refusal in refusals}
        return [release for release in releases if release.key not in refused], refusals


def _project(filename: str) -> str:
    key = release_of(filename)
    assert key is not None  # the scan refused the others
    return key[0]


def remove(targets: Sequence[Target], store: Store, *, now: str) -> EditReport:
    """Take releases or files out of an index. The files themselves stay for a grace period.

    Raises:
        NotPublishedError: the index does not list one of them.
        StoreError: the index cannot be changed.
        OSError: the store cannot be read or written.
    """

    def change(
        page: ProjectPage, wanted: Sequence[Target], layout: Layout
    ) -> tuple[list[Step], ProjectPage | None]:
        keys = {target.key for target in wanted}
        left = replace(
            page,
            files=tuple(file for file in page.files if not any(target.covers(file) for target in wanted)),
        )
        releases = []
        for key in sorted(keys):
            wheels, sources = listed_files(left, key, store.read)
            if wheels or sources:
                found, refusals = group_releases(Scan(wheels, sources))
                if refusals:
                    raise InputError(f"what would be left is not a release: {refusals[0].reason}")
                releases += found
        plan = plan_project(page.name, releases, page, listed_keys(page) - keys, now, layout=layout)
        return list(plan.steps), plan.page

    return _edit(targets, store, change)


def yank(targets: Sequence[Target], store: Store, *, reason: str = "", undo: bool = False) -> EditReport:
    """Mark releases or files as yanked (PEP 592): installers take them only when they are pinned.

    Args:
        targets: what to yank.
        store: the index.
        reason: why, for people.
        undo: take the mark away.

    Raises:
        InputError: the reason is not one line of text.
        NotPublishedError: the index does not list one of the targets.
        OSError: the store cannot be read or written.
    """
    if not reason.isprintable() or len(reason) > _MAX_REASON:
        raise InputError(f"--reason: a reason is one line of at most {_MAX_REASON} characters")
    mark: bool | str = False if undo else reason or True

    def change(
        page: ProjectPage, wanted: Sequence[Target], layout: Layout
    ) -> tuple[list[Step], ProjectPage | None]:
        files = tuple(
            replace(file, yanked=mark) if any(target.covers(file) for target in wanted) else file
            for file in page.files
        )
        marked = replace(page, files=files)
        return list(plan_page(marked, layout)), marked

    return _edit(targets, store, change)


_Change = Callable[[ProjectPage, Sequence[Target], Layout], "tuple[list[Step], ProjectPage | None]"]


def _edit(targets: Sequence[Target], store: Store, change: _Change) -> EditReport:
    def work() -> EditReport:
        names = set(store.stamps())
        layout = store.layout() or "both"
        steps: list[Step] = []
        edited: list[EditedRelease] = []
        for name in sorted({target.key[0] for target in targets}):
            wanted = [target for target in targets if target.key[0] == name]
            page = store.page(name)
            if page is not None:
                keys = listed_keys(page)
                wanted = list(dict.fromkeys(one for target in wanted for one in target.spelled(keys)))
            for target in wanted:
                files = (
                    [file.filename for file in page.files if target.covers(file)] if page is not None else []
                )
                if not files:
                    what = target.filename or " ".join(target.key)
                    raise NotPublishedError(f"{printable(what)}: {printable(store.title)} does not list it")
                edited.append(EditedRelease(name=name, version=target.key[1], files=files))
            assert page is not None
            more, after = change(page, wanted, layout)
            steps += more
            if after is None:
                names.discard(name)
        store.carry_out([*steps, *plan_root(names, layout)])
        return EditReport(out=store.title, releases=edited)

    return attempt(store, work)
