"""Which builds of an extension installers may take, for the torch that there is; pure.

Of each public version the builds that go best with that torch stay. Its others are yanked (PEP 592), so that
they can be had by their full version; a version of which none goes with it is hidden, because pip takes a
yanked file when nothing else satisfies `==`, and a highest local version means nothing here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from variant_index.extensions.coupling import Coupling
from variant_index.extensions.torch_build import TorchBuild

__all__ = ["ExtensionWheel", "Matched", "match_builds"]

_SHOWN = 6


@dataclass(frozen=True, slots=True)
class ExtensionWheel:
    """A wheel that was built for one torch.

    Attributes:
        filename: its name.
        version: its version, local part included.
        position: how well its tags fit the interpreter, 0 is best; None when they do not.
        coupling: what it was built for.
        pinnable: whether it may be listed at all (the index has not yanked it).
    """

    filename: str
    version: Version
    position: int | None
    coupling: Coupling
    pinnable: bool = True


@dataclass(frozen=True)
class Matched:
    """The verdict on a project's wheels.

    Attributes:
        chosen: file name -> why installers may take it.
        yanked: file name -> why they may not by themselves.
        hidden: file names that are not listed.
        warning: what to say when no version has a build for the torch, None otherwise.
        note: what to say when only the newest has none, None otherwise.
    """

    chosen: Mapping[str, str] = field(default_factory=dict)
    yanked: Mapping[str, str] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    warning: str | None = None
    note: str | None = None


def match_builds(
    name: str,
    wheels: Iterable[ExtensionWheel],
    torch: TorchBuild | None,
    specifier: SpecifierSet | None = None,
) -> Matched:
    """Choose for every public version of a project.

    Args:
        name: the project's normal name.
        wheels: its wheels that were built for one torch; others are none of this module's business.
        torch: the torch that there is or will be, None when that is not known: then nothing is changed.
        specifier: the versions that are asked for, which are those that anything is said about.
    """
    groups: dict[Version, list[ExtensionWheel]] = {}
    for wheel in wheels:
        groups.setdefault(Version(wheel.version.public), []).append(wheel)
    # Of a version that nothing here can be had of nothing is held back.
    groups = {
        public: group for public, group in groups.items() if any(one.position is not None for one in group)
    }
    asked = {public: fits for public, group in groups.items() if (fits := _asked_for(group, specifier))}
    if torch is None:
        if not asked:
            return Matched()
        return Matched(
            warning=f"{name}: its builds are for {_builds(_all(asked))}, and which torch there will be is not"
            f" known: install torch first, or pin it in the same command"
        )
    chosen: dict[str, str] = {}
    yanked: dict[str, str] = {}
    hidden: set[str] = set()
    for group in groups.values():
        best = _best(group, torch)
        if best is None:
            hidden.update(wheel.filename for wheel in group)
            continue
        for wheel in group:
            if wheel.version != best.version or wheel.coupling != best.coupling:
                yanked[wheel.filename] = f"built for {wheel.coupling}; {best.version} goes with {torch}"
            elif wheel.position is not None:
                chosen[wheel.filename] = f"built for {wheel.coupling}, goes with {torch}"
    warning = note = None
    if asked:
        newest = max(asked, key=lambda public: (not public.is_prerelease, public))
        if not any(wheel.filename in chosen for group in asked.values() for wheel in group):
            warning = f"{name}{specifier or ''}: no build for {torch}; {_remedy(_all(asked), torch)}"
        elif not any(wheel.filename in chosen for wheel in asked[newest]):
            note = f"{name} {newest} has no build for {torch}; {_remedy(asked[newest], torch)}"
    return Matched(chosen, yanked, frozenset(hidden), warning, note)


def _asked_for(group: Iterable[ExtensionWheel], specifier: SpecifierSet | None) -> list[ExtensionWheel]:
    return [
        wheel
        for wheel in group
        if wheel.position is not None
        and (specifier is None or specifier.contains(wheel.version, prereleases=True))
    ]


def _all(groups: Mapping[Version, Iterable[ExtensionWheel]]) -> list[ExtensionWheel]:
    return [wheel for group in groups.values() for wheel in group]


def _best(wheels: Sequence[ExtensionWheel], torch: TorchBuild) -> ExtensionWheel | None:
    ranked = [
        ((rank, -(wheel.position or 0), wheel.version), wheel)
        for wheel in wheels
        if wheel.position is not None and wheel.pinnable and (rank := torch.rank(wheel.coupling)) is not None
    ]
    return max(ranked, key=lambda pair: pair[0])[1] if ranked else None


def _remedy(wheels: Sequence[ExtensionWheel], torch: TorchBuild) -> str:
    if torch.kind is None and any(wheel.coupling.kind is not None for wheel in wheels):
        return f"its hardware is not known, name it as in torch=={torch.version.public}+cu128"
    return f"there are builds for {_builds(wheels)}"


def _builds(wheels: Iterable[ExtensionWheel]) -> str:
    """Name the builds, newest torch first: `torch 2.10 (cu126, cu130), 2.9 (cpu)`."""
    by_torch: dict[tuple[int, ...], set[str]] = {}
    for wheel in wheels:
        by_torch.setdefault(wheel.coupling.torch, set()).add(wheel.coupling.backend)
    shown = []
    for torch in sorted(by_torch, reverse=True)[:_SHOWN]:
        backends = ", ".join(sorted(filter(None, by_torch[torch])))
        shown.append(".".join(map(str, torch)) + (f" ({backends})" if backends else ""))
    more = f" and {len(by_torch) - _SHOWN} older ones" if len(by_torch) > _SHOWN else ""
    return f"torch {', '.join(shown)}{more}"
