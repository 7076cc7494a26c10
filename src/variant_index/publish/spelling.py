"""Finds releases that are several spellings of one version, as 1.0 and 1.0.0 are (PEP 440); pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Set
from functools import lru_cache

from packaging.utils import canonicalize_version

from variant_index.errors import printable
from variant_index.model.filename import SIDECAR_SUFFIX
from variant_index.publish.release import Refusal, Release, ReleaseKey, release_of
from variant_index.simple_api.page import ProjectPage

__all__ = ["equal_releases", "find_respelled", "respelled", "same_release"]


@lru_cache(maxsize=4096)
def _shortest(version: str) -> str:
    return canonicalize_version(version)


def same_release(first: ReleaseKey, second: ReleaseKey) -> bool:
    """Tell whether installers take two releases for one."""
    return first[0] == second[0] and _shortest(first[1]) == _shortest(second[1])


def equal_releases(keys: Collection[ReleaseKey]) -> list[tuple[ReleaseKey, ...]]:
    """Return the releases that are one for installers, those of one spelling left out."""
    grouped: dict[ReleaseKey, list[ReleaseKey]] = {}
    for key in sorted(keys):
        grouped.setdefault((key[0], _shortest(key[1])), []).append(key)
    return [tuple(group) for group in grouped.values() if len(group) > 1]


def respelled(own: tuple[ReleaseKey, str], other: tuple[ReleaseKey, str]) -> str:
    """Say of two releases that are one for installers, each with one of its files, what is wrong."""
    return (
        f"{printable(own[1])}: {printable(own[0][1], 60)} is the version {printable(other[0][1], 60)} of "
        f"{printable(other[1])} for installers (PEP 440), which then take the wrong variant or none; build "
        "all wheels with one spelling of the version"
    )


def find_respelled(
    releases: Iterable[Release], published: ProjectPage | None, staying: Set[ReleaseKey]
) -> Iterator[Refusal]:
    """Yield a refusal for each release whose version is published in another spelling, with variants in one.

    Args:
        releases: what is to be published, of one project.
        published: the page of the project as it is, None without.
        staying: the releases on it that stay as they are.
    """
    if published is None or not staying:
        return
    files: dict[ReleaseKey, str] = {}
    labelled: set[ReleaseKey] = set()
    for file in published.files:
        key = release_of(file.filename)
        if key in staying and key is not None:
            if file.filename.endswith(SIDECAR_SUFFIX):
                labelled.add(key)
            else:
                files.setdefault(key, file.filename)
    by_version: dict[str, list[tuple[ReleaseKey, str]]] = {}
    for key, name in files.items():
        by_version.setdefault(_shortest(key[1]), []).append((key, name))
    for release in releases:
        for other, name in by_version.get(_shortest(release.key[1]), ()):
            if other != release.key and (release.document is not None or other in labelled):
                reason = respelled((release.key, release.files[0].name), (other, name))
                yield Refusal(release.key, reason, "REL011", str(release.files[0].path))
                break
