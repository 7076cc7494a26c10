"""Findings about files that a publisher has on disk, and about the releases they make."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from variant_index.model.rules import Finding
from variant_index.publish.advice import advise
from variant_index.publish.group import group_releases
from variant_index.publish.release import Refusal, Release, ReleaseKey, Scan
from variant_index.publish.scan import scan

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
    ]
    refused = frozenset(refusal.release for refusal in refusals if refusal.release is not None)
    return CheckedFiles(found, tuple(releases), refused | incomplete, tuple(findings))


def _finding(refusal: Refusal) -> Finding:
    assert refusal.rule is not None  # without options that change something, a rule is the only reason
    return Finding(refusal.rule, refusal.reason, refusal.path)
