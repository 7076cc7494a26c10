"""Decides which releases changed since the last build (pure)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from variant_index.publish.find import FileState
from variant_index.publish.release import ReleaseKey, release_of

__all__ = ["Changes", "ProjectChange", "compare", "group_states", "inputs_digest", "is_settled"]

Inputs = Mapping[str, Mapping[str, Sequence[FileState]]]
"""Project -> version -> the files of that release."""

_COARSE_NS = 2_000_000_000
_FINE_NS = 100_000_000


@dataclass(frozen=True, slots=True)
class ProjectChange:
    """A project that has to be looked at.

    Attributes:
        name: its normal name.
        changed: version -> files, of the releases that are new or changed.
        unchanged: the versions that are published just as their files are.
    """

    name: str
    changed: Mapping[str, Sequence[FileState]]
    unchanged: frozenset[str]

    def files(self) -> Iterator[FileState]:
        """Yield the files of changed releases."""
        return (state for files in self.changed.values() for state in files)


@dataclass(frozen=True, slots=True)
class Changes:
    """What a build has to do.

    Attributes:
        projects: those with changes, by name.
        same: those without.
    """

    projects: Sequence[ProjectChange]
    same: Sequence[str]


def group_states(states: Iterable[FileState]) -> tuple[Inputs, list[FileState]]:
    """Return the files by the release that their names say, and those whose names do not say it."""
    grouped: dict[str, dict[str, list[FileState]]] = {}
    nameless: list[FileState] = []
    known: dict[tuple[str, str], ReleaseKey | None] = {}
    for state in states:
        parts = state.name.split("-", 2)
        if len(parts) == 3 and not state.name.endswith(".tar.gz"):
            # Of wheels and sidecars the first two parts decide, and they are the same in many names.
            pair = (parts[0], parts[1])
            if pair not in known:
                known[pair] = release_of(state.name)
            key = known[pair]
        else:
            key = release_of(state.name)
        if key is None:
            nameless.append(state)
        else:
            grouped.setdefault(key[0], {}).setdefault(key[1], []).append(state)
    return grouped, nameless


def inputs_digest(files: Iterable[FileState]) -> str:
    """Return a digest of the states of a release's files, which are sorted."""
    return hashlib.blake2b(
        repr(list(map(tuple, files))).encode("utf-8", "surrogateescape"), digest_size=16
    ).hexdigest()


def compare(
    inputs: Inputs,
    published: Mapping[str, str],
    noted: Mapping[str, str],
    noted_inputs: Mapping[str, Mapping[str, str]],
) -> Changes:
    """Find the projects that are not published just as their files are.

    Args:
        inputs: the files there are.
        published: project -> the stamp of its page.
        noted: the stamps when the last build ended.
        noted_inputs: project -> version -> `inputs_digest` of what the last build published.
    """
    projects, same = [], []
    for name in sorted({*inputs, *published}):
        releases = inputs.get(name, {})
        known = noted_inputs.get(name, {}) if published.get(name) == noted.get(name, "") else {}
        unchanged = {
            version
            for version, files in releases.items()
            if version in known and known[version] == inputs_digest(files)
        }
        if known and len(unchanged) == len(releases) == len(known):
            same.append(name)
            continue
        changed = {version: files for version, files in releases.items() if version not in unchanged}
        projects.append(ProjectChange(name, changed, frozenset(unchanged)))
    return Changes(projects, same)


def is_settled(state: FileState, read_ns: int) -> bool:
    """Tell whether a file that changes from now on will show it.

    A file changed just before it was read may change once more within the same tick of the clock that
    file times are made of.

    Args:
        state: as it was before it was read.
        read_ns: when that was, nanoseconds since 1970.
    """
    coarse = state.mtime_ns % 1_000_000_000 == 0
    return max(state.mtime_ns, state.ctime_ns, state.attested_ns) < read_ns - (
        _COARSE_NS if coarse else _FINE_NS
    )
