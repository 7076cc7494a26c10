"""Findings about files that a publisher has on disk, and about the releases they make."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from variant_index.errors import printable
from variant_index.model.rules import Finding
from variant_index.publish.advice import advise
from variant_index.publish.group import group_releases
from variant_index.publish.release import Refusal, Release, ReleaseKey, Scan
from variant_index.publish.scan import scan
from variant_index.publish.spelling import equal_releases

__all__ = ["CheckedFiles", "check_files"]


@dataclass(frozen=True, slots=True)
class CheckedFiles:
    """What was found out about some files.

    Attributes:
        scan: what the files hold, the refused ones left out.
        releases: those with nothing wrong.
        undecided: those with something wrong or missing, of which nothing is said as a whole.
        findings: every rule broken, by file and then by release.
    """

    scan: Scan
    releases: tuple[Release, ...]
    undecided: frozenset[ReleaseKey]
    findings: tuple[Finding, ...]


def check_files(
    paths: Iterable[Path],
    *,
    incomplete: frozenset[ReleaseKey] = frozenset(),
    on_bytes: Callable[[int], object] | None = None,
) -> CheckedFiles:
    """Check wheels, source distributions and sidecars as `variant-index build` would, reading every byte.

    Args:
        paths: the files, see `variant_index.publish.find.find_files`.
        incomplete: releases that have more files than these.
        on_bytes: called with the number of bytes of wheels read since the last call, for progress.
    """
    found = scan(paths, on_bytes=on_bytes)
    releases, refusals = group_releases(found)
    releases = [release for release in releases if release.key not in incomplete]
    findings = [
        *map(_finding, refusals),
        *(finding for wheel in found.wheels for finding in wheel.findings),
        *(finding for release in releases for finding in advise(release)),
        *_other_spellings(releases),
    ]
    refused = frozenset(refusal.release for refusal in refusals if refusal.release is not None)
    return CheckedFiles(found, tuple(releases), refused | incomplete, tuple(findings))


def _other_spellings(releases: Iterable[Release]) -> Iterator[Finding]:
    """Yield what of several spellings of a version is no error, as no release of it has variants."""
    by_key = {release.key: release for release in releases}
    for group in equal_releases(by_key):
        versions = " and ".join(printable(version, 60) for _, version in group)
        files = ", ".join(printable(by_key[key].files[0].name) for key in group if by_key[key].files)
        yield Finding("REL113", f"{group[0][0]}: {versions} are one version for installers: {files}")


def _finding(refusal: Refusal) -> Finding:
    assert refusal.rule is not None  # without options that change something, a rule is the only reason
    return Finding(refusal.rule, refusal.reason, refusal.path)
