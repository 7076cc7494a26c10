"""Builds an index from end to end: scan, group, make default wheels, plan, write, report."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import replace
from pathlib import Path

from variant_index.errors import InputError
from variant_index.model.build_report import BuildReport, RefusalReport, ReleaseReport
from variant_index.model.filename import is_label, sidecar_filename
from variant_index.publish.advice import advise
from variant_index.publish.conflicts import find_conflicts
from variant_index.publish.default_wheel import sources_for_default, uncovered
from variant_index.publish.folder import FolderStore
from variant_index.publish.group import group_releases
from variant_index.publish.plan import Step, plan_project, plan_root, release_files
from variant_index.publish.release import Refusal, Release, ReleaseKey
from variant_index.publish.scan import find_files, scan
from variant_index.publish.staging import PART
from variant_index.publish.store import Store
from variant_index.wheel.relabel import unlabel_wheel

__all__ = ["NothingToPublishError", "Progress", "build_index"]

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many files are done and how many there are."""


class NothingToPublishError(InputError):
    """The input holds no wheel; an index is never emptied by accident."""


def build_index(
    paths: Iterable[Path],
    out: Path | Store,
    *,
    now: str,
    default_from: str | None = None,
    progress: Progress | None = None,
) -> BuildReport:
    """Make `out` an index that lists exactly the releases in `paths`.

    A release with anything wrong is refused as a whole and stays as it is published; the others are
    published all the same.

    Args:
        paths: folders, wheels, source distributions and sidecars.
        out: the index's folder; made when missing.
        now: the upload time of files that are new, `2026-01-31T12:00:00Z`.
        default_from: make the plain wheels that a release lacks from its variant with this label.
        progress: told how far the work is.

    Raises:
        InputError: a path cannot be scanned, nothing at all can be published, or `out` cannot take it.
        OSError: `out` cannot be written.
    """
    if default_from is not None and not is_label(default_from):
        raise InputError(f"{default_from!r} is not a label: one or more of 0-9 a-z _ . (PEP 825)")
    store: Store = FolderStore(out) if isinstance(out, Path) else out
    files = find_files(paths, exclude=out if isinstance(out, Path) else None)
    counted = _Counter(progress, "reading", len(files))
    found = scan(files, on_file=counted)
    if not found.wheels and not found.sources and not found.refusals:
        raise NothingToPublishError("no wheels found; give folders that hold .whl files, or wheels by name")
    releases, refusals = group_releases(found)
    if default_from is not None and releases:
        labels = {wheel.filename.label for release in releases for wheel in release.wheels}
        if default_from not in labels:
            raise InputError(f"--default-from {default_from}: no wheel in the input has this label")
    changed: set[str] = set()
    dropped: list[ReleaseKey] = []
    with contextlib.ExitStack() as stack:
        stack.enter_context(store.exclusive())
        if default_from is not None and any(uncovered(release) for release in releases):
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=PART, dir=store.scratch)))
            releases, more = _with_defaults(releases, default_from, scratch)
            refusals += more
        pages = {name: store.page(name) for name in store.stamps()}
        conflicts = list(find_conflicts(releases, pages, store.title))
        refusals += [refusal for _, refusal in conflicts]
        in_conflict = {release.key for release, _ in conflicts}
        releases = [release for release in releases if release.key not in in_conflict]
        refused_keys = {refusal.release for refusal in refusals if refusal.release is not None}

        def steps() -> Iterator[Step]:
            by_project: dict[str, list[Release]] = {}
            for release in releases:
                by_project.setdefault(release.key[0], []).append(release)
            names = []
            for name in sorted({*by_project, *pages}):
                plan = plan_project(name, by_project.get(name, []), pages.get(name), refused_keys, now)
                dropped.extend(plan.dropped)
                names += [name] if plan.page is not None else []
                yield from plan.steps
            yield from plan_root(names)

        if releases:
            store.carry_out(steps(), lambda step, did: changed.add(step.path) if did else None)
    return BuildReport(
        out=store.title,
        releases=[_report(release, changed, default_from) for release in releases],
        refused=[_refusal(refusal) for refusal in refusals],
        warnings=[
            f"{name} {version}: was published and is not in the input; it is no longer listed"
            for name, version in dropped
        ],
    )


class _Counter:
    """Adapts `Progress` to callbacks that name one finished thing."""

    def __init__(self, progress: Progress | None, what: str, total: int) -> None:
        self._progress, self._what, self._total = progress, what, total
        self._done = 0

    def __call__(self, _: object) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(self._what, self._done, self._total)


def _with_defaults(
    releases: Iterable[Release], label: str, scratch: Path
) -> tuple[list[Release], list[Refusal]]:
    """Add the plain wheels that releases lack, made from the variant `label`."""
    complete, refusals = [], []
    for release in releases:
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


def _report(release: Release, changed: Set[str], default_from: str | None) -> ReleaseReport:
    files = release_files(release)
    findings = [*(finding for wheel in release.wheels for finding in wheel.findings), *advise(release)]
    warnings = [f"{finding} ({finding.code})" for finding in findings if finding.rule.severity == "warning"]
    if default_from is not None and release.variants and uncovered(release):
        warnings.append(f"{release.title}: no variant {default_from!r} to make its plain wheel from")
    return ReleaseReport(
        name=release.key[0],
        version=release.key[1],
        files=files,
        changed=[path for path in files if path in changed],
        sidecar=sidecar_filename(*release.key) if release.document is not None else None,
        default_wheel=next((wheel.name for wheel in release.plain), None),
        warnings=warnings,
    )


def _refusal(refusal: Refusal) -> RefusalReport:
    name, version = refusal.release if refusal.release is not None else (None, None)
    return RefusalReport(name=name, version=version, reason=refusal.reason, rule=refusal.rule)
