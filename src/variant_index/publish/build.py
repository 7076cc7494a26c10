"""Builds an index from end to end: find, compare, read, group, make default wheels, plan, store, report.

It works project by project, so that memory follows the largest project and not the index, and only on
projects with changes. What a store cannot undo happens in its `carry_out`, all at once.
"""

from __future__ import annotations

import contextlib
import gc
import json
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path

from variant_index.errors import InputError, printable
from variant_index.model.build_report import BuildReport, ReleaseReport
from variant_index.model.filename import is_label
from variant_index.publish.attempts import attempt
from variant_index.publish.changes import (
    Changes,
    ProjectChange,
    compare,
    group_states,
    inputs_digest,
    is_settled,
)
from variant_index.publish.conflicts import find_conflicts
from variant_index.publish.default_wheel import sources_for_default, uncovered
from variant_index.publish.find import FileState, Listing, list_files
from variant_index.publish.folder.staging import PART
from variant_index.publish.folder.store import FolderStore
from variant_index.publish.group import group_releases
from variant_index.publish.known import known_files, note_of
from variant_index.publish.layout import Layout
from variant_index.publish.notes import Notes, ReleaseNote
from variant_index.publish.plan import Step, plan_pages, plan_project, plan_root
from variant_index.publish.reading import Reading
from variant_index.publish.release import Refusal, Release, ReleaseKey, Scan, release_of
from variant_index.publish.report import refusal_report, release_report
from variant_index.publish.scan import Reader, collect, read_files, scan
from variant_index.publish.spelling import find_respelled
from variant_index.publish.store import Store
from variant_index.simple_api.page import ProjectPage

__all__ = ["NothingToPublishError", "Progress", "build_index"]

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many files are done and how many there are."""


class NothingToPublishError(InputError):
    """The input holds no wheel; an index is never emptied by accident."""


class _AllRefusedError(Exception):
    """Nothing of the input may be published, so the index stays as it is."""


def build_index(
    paths: Iterable[Path],
    out: Path | Store,
    *,
    now: str,
    default_from: str | None = None,
    progress: Progress | None = None,
    notes: Path | None = None,
    reader: Reader = read_files,
    linked: bool = False,
    details: bool = True,
    layout: Layout | None = None,
    base_url: str | None = None,
) -> BuildReport:
    """Make `out` an index that lists exactly the releases in `paths`.

    A release with anything wrong is refused as a whole and stays as it is published; the others are
    published all the same.

    Args:
        paths: folders, wheels, source distributions and sidecars.
        out: the index's folder, made when missing, or another store.
        now: the upload time of files that are new, `2026-01-31T12:00:00Z`.
        default_from: make the plain wheels that a release lacks from its variant with this label.
        progress: told how far the work is.
        notes: the file with what earlier builds found out (`notes_file`); without, everything is read.
        reader: reads the files.
        linked: whether the reader makes hard links to them.
        details: whether releases that are up to date are in the report one by one.
        layout: the forms of pages; those that the index has when not given, both in a new one.
        base_url: see `plan_project`.

    Raises:
        InputError: a path cannot be scanned, nothing at all can be published, or `out` cannot take it.
        OvertakenError: others publish to the same place faster than this can.
        OSError: `out` cannot be written.
    """
    if default_from is not None and not is_label(default_from):
        raise InputError(f"{default_from!r} is not a label: one or more of 0-9 a-z _ . (PEP 825)")
    store: Store = FolderStore(out) if isinstance(out, Path) else out
    paths = list(paths)
    if isinstance(out, Path) and any(path.is_dir() and path.resolve() == out.resolve() for path in paths):
        raise InputError(f"{printable(str(out))} is also the input; write the index to another folder")
    with _collector_paused():
        listing = list_files(paths, exclude=out if isinstance(out, Path) else None, linked=linked)
    if not any(name.endswith((".whl", ".tar.gz")) or release_of(name) is None for name in listing.names()):
        raise NothingToPublishError("no wheels found; give folders that hold .whl files, or wheels by name")
    if default_from is not None and not any(
        name.endswith(f"-{default_from}.whl") for name in listing.names()
    ):
        raise InputError(f"--default-from {default_from}: no wheel in the input has this label")

    def work() -> BuildReport:
        with (
            Notes(notes, f"default-from {default_from} {linked} {base_url}") as known,
            tempfile.TemporaryDirectory(prefix=PART, dir=store.scratch) as scratch,
        ):
            build = _Build(store, known, Path(scratch), now, default_from, progress, reader, layout, base_url)
            return build.run(listing, details=details)

    return attempt(store, work)


@dataclass(slots=True)
class _Build:
    """One attempt to build."""

    store: Store
    notes: Notes
    scratch: Path
    now: str
    default_from: str | None
    progress: Progress | None
    reader: Reader
    layout: Layout | None
    base_url: str | None
    reports: list[ReleaseReport] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    dropped: list[ReleaseKey] = field(default_factory=list)
    written: set[str] = field(default_factory=set)
    unnoted: bool = False

    def run(self, listing: Listing, *, details: bool) -> BuildReport:
        with _collector_paused():
            digest = listing.digest()
        published = self.store.stamps()
        earlier = self.notes.reports() if details else self.notes.reports(warned=True)
        layout_stays = self.layout in (None, self.store.layout())
        if layout_stays and self.notes.same(digest, published):
            return self._report(earlier.values(), 0 if details else self.notes.count() - len(earlier))
        with _collector_paused():
            inputs, nameless = group_states(listing.states())
            changes = compare(inputs, published, self.notes.stamps(), self.notes.inputs())
        self.refusals += collect(self.reader(nameless, None)).refusals
        if changes.projects or not layout_stays:
            try:
                self.store.carry_out(self._steps(changes, time.time_ns()), self._note_step)
            except _AllRefusedError:
                self.dropped.clear()
            else:
                self._save(digest)
        elif not self.refusals:
            self._save(digest)
        count = sum(len(inputs[name]) for name in changes.same)
        count += sum(len(change.unchanged) for change in changes.projects)
        same = frozenset(changes.same)
        kept = {change.name: change.unchanged for change in changes.projects}
        reports = [
            text for (name, version), text in earlier.items() if name in same or version in kept.get(name, ())
        ]
        return self._report(reports, 0 if details else count - len(reports))

    def _save(self, digest: str) -> None:
        complete = not self.unnoted and not self.refusals
        self.notes.save(self.store.stamps(), digest if complete else None)

    def _report(self, earlier: Iterable[str], unchanged: int) -> BuildReport:
        """Return the report; `earlier` has, as they were noted, those of releases that are up to date."""
        reports = [*self.reports, *(ReleaseReport(**json.loads(text)) for text in earlier)]
        return BuildReport(
            out=self.store.title,
            releases=sorted(reports, key=lambda report: (report.name, report.version)),
            unchanged=unchanged,
            refused=[refusal_report(refusal) for refusal in self.refusals],
            warnings=[
                f"{name} {version}: was published and is not in the input; it is no longer listed"
                for name, version in sorted(self.dropped)
            ],
        )

    def _note_step(self, step: Step, changed: bool) -> None:
        if changed:
            self.written.add(step.path)

    def _steps(self, changes: Changes, started: int) -> Iterator[Step]:
        """Yield the steps of each project as soon as its files have been read."""
        known = {change.name: self._known(change) for change in changes.projects}
        todo = [
            [
                state
                for files in change.changed.values()
                for state in files
                if state.path not in known[change.name]
            ]
            for change in changes.projects
        ]
        staging = self.scratch if self.store.scratch is not None else None
        readings = _counted(
            self.reader([state for files in todo for state in files], staging),
            sum(map(len, todo)),
            self.progress,
        )
        names = list(changes.same)
        before = self.store.layout()
        layout = self.layout or before or "both"
        accepted = bool(changes.same)
        for change, states in zip(changes.projects, todo, strict=True):
            fresh = list(islice(readings, len(states)))
            page = self.store.page(change.name)
            ready = [*known.pop(change.name).values(), *fresh]
            keep = {(change.name, version) for version in change.unchanged}
            found = collect(sorted(ready, key=lambda r: str(r.path)))
            releases, refused = self._releases(page, found, keep)
            keep |= {refusal.release for refusal in refused if refusal.release is not None}
            plan = plan_project(
                change.name,
                releases,
                page,
                keep,
                self.now,
                layout=layout,
                base_url=self.base_url,
            )
            self.refusals += refused
            self.dropped += plan.dropped
            self.written.clear()
            yield from plan.steps
            names += [change.name] if plan.page is not None else []
            accepted = accepted or bool(releases) or bool(change.unchanged)
            self._note(change, releases, plan.page, zip(states, fresh, strict=True), started)
        if not accepted:
            raise _AllRefusedError
        if layout != before:
            yield from plan_pages(changes.same, self.store.page, layout)
        yield from plan_root(names, layout)

    def _known(self, change: ProjectChange) -> Mapping[str, Reading]:
        """Return, by path, the files that need not be read because they are published unchanged."""
        noted = self.notes.files(change)
        return known_files(noted, self.store.page(change.name) if noted else None)

    def _releases(
        self, page: ProjectPage | None, found: Scan, unchanged: Set[ReleaseKey]
    ) -> tuple[list[Release], list[Refusal]]:
        releases, refusals = group_releases(found)
        if self.default_from is not None:
            releases, more = _with_defaults(releases, self.default_from, self.scratch)
            refusals += more
        conflicts = list(find_conflicts(releases, page, self.store.title))
        refusals += [refusal for _, refusal in conflicts]
        refused = {refusal.release for refusal in refusals if refusal.release is not None}
        releases = [release for release in releases if release.key not in refused]
        refusals += list(find_respelled(releases, page, unchanged | refused))
        refused = {refusal.release for refusal in refusals if refusal.release is not None}
        return [release for release in releases if release.key not in refused], refusals

    def _note(
        self,
        change: ProjectChange,
        releases: Iterable[Release],
        page: ProjectPage | None,
        read: Iterable[tuple[FileState, Reading]],
        started: int,
    ) -> None:
        noted: dict[str, ReleaseNote] = {}
        for release in releases:
            assert page is not None  # it lists them
            report = release_report(release, page, self.written, self.default_from)
            self.reports.append(report)
            files = change.changed[release.key[1]]
            if self.notes.kept and all(is_settled(state, started) for state in files):
                later = json.dumps(asdict(replace(report, changed=[])))
                noted[release.key[1]] = ReleaseNote(inputs_digest(files), later, bool(report.warnings))
        self.unnoted = self.unnoted or noted.keys() != change.changed.keys()
        self.notes.set_project(
            change,
            noted,
            (
                (state, note)
                for state, reading in read
                if is_settled(state, started) and (note := note_of(reading)) is not None
            ),
        )


@contextlib.contextmanager
def _collector_paused() -> Iterator[None]:
    """Keep the garbage collector from looking through a million new tuples, again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _counted(readings: Iterable[Reading], total: int, progress: Progress | None) -> Iterator[Reading]:
    for done, reading in enumerate(readings, 1):
        if progress is not None:
            progress("reading", done, total)
        yield reading


def _with_defaults(
    releases: Iterable[Release], label: str, scratch: Path
) -> tuple[list[Release], list[Refusal]]:
    """Add the plain wheels that releases lack, made from the variant `label`."""
    from variant_index.wheel.relabel import unlabel_wheel

    complete, refusals = [], []
    for release in releases:
        if not uncovered(release):
            complete.append(release)
            continue
        try:
            made = [unlabel_wheel(wheel.path, scratch) for wheel in sources_for_default(release, label)]
        except InputError as error:
            refusals.append(Refusal(release.key, str(error), error.rule))
            continue
        found = scan(made)
        if found.refusals:
            refusals += [replace(refusal, release=release.key) for refusal in found.refusals]
            continue
        wheels = sorted((*release.wheels, *found.wheels), key=lambda wheel: wheel.name)
        complete.append(replace(release, wheels=tuple(wheels)))
    return complete, refusals
