"""What the torch family agrees on: the torch that each release belongs to, and that torch's backend; pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from variant_index.torch_index.backends import CPU, Backend, works_with
from variant_index.torch_index.builds import Build
from variant_index.torch_index.family import torch_release

__all__ = ["Companion", "FamilyBackend", "Offer", "common_backend", "companion", "following_backend"]
__all__ += ["goes_with"]


@dataclass(frozen=True)
class FamilyBackend:
    """What was decided for torch, which the rest of its family follows.

    Attributes:
        by_release: torch's public version -> the backend chosen for it.
        newest: the torch that projects belong to whose versions do not tell: the newest that installers may
            take, or the one that there will be, where that is known. None when none is tied to a backend.
        held_back: torch release -> why installers must not take it by themselves.
        incomplete: torch releases for which something that will be installed beside it cannot be had.
        settled: the torch releases that are installed or will be, which are followed whether their backend
            fits the machine or not.
    """

    by_release: Mapping[Version, Backend]
    newest: Version | None
    held_back: Mapping[Version, str] = field(default_factory=dict)
    incomplete: frozenset[Version] = frozenset()
    settled: frozenset[Version] = frozenset()

    def release(self, name: str, version: Version) -> Version | None:
        """Return the torch release that a release belongs to, None where nothing is known."""
        torch = torch_release(name, version)
        return self.newest if torch is None else _twin(torch, self.by_release)

    def settle(self, torch: Version, backend: Backend | None) -> FamilyBackend:
        """Return the same for a torch that is installed or will be, whatever was decided for its release.

        Args:
            torch: its public version.
            backend: None where that is not known.
        """
        by_release = self.by_release if backend is None else {**self.by_release, torch: backend}
        return replace(self, by_release=by_release, newest=torch, settled=self.settled | {torch})


@dataclass(frozen=True, slots=True)
class Offer:
    """What a project that will be installed beside torch offers to one torch release.

    Attributes:
        backends: those that it can be had for; none where nothing belongs to the release.
        is_tied: whether its own version says that it belongs there.
    """

    backends: frozenset[Backend | None]
    is_tied: bool

    def fits(self, torch: Backend) -> tuple[bool, bool, bool]:
        """Tell whether it can be had beside torch's backend at all, for the very same, for its toolkit."""
        same = None in self.backends or torch in self.backends
        near = same or any(one is not None and works_with(one, torch) for one in self.backends)
        return self.goes_with(torch), same, near

    def goes_with(self, torch: Backend | None) -> bool:
        """Tell whether it can be had together with torch's backend at all."""
        return any(torch is None or goes_with(one, torch) for one in self.backends)


@dataclass(frozen=True)
class Companion:
    """A project that will be installed beside torch.

    Attributes:
        by_release: torch release -> the backends that it can be had for; those of releases that do not tell
            their torch are under None.
    """

    by_release: Mapping[Version | None, frozenset[Backend | None]]

    def offer(self, torch: Version) -> Offer:
        """Return what goes with a torch release; for one that no release belongs to what belongs to none."""
        tied = self.by_release.get(torch)
        return Offer(self.by_release.get(None, frozenset()) if tied is None else tied, tied is not None)


def companion(
    name: str,
    builds: Mapping[Version, Iterable[Build]],
    specifier: SpecifierSet,
    is_usable: Callable[[Build], bool],
    torch: Collection[Version],
) -> Companion:
    """Return what a project offers to each torch release.

    Args:
        name: its normal name.
        builds: its wheels by public version.
        specifier: the versions that may be taken.
        is_usable: whether a wheel may be taken at all here.
        torch: the torch releases that there are.
    """
    exact: dict[Version | None, set[Backend | None]] = {}
    near: dict[Version | None, set[Backend | None]] = {}
    for version, wheels in builds.items():
        backends = {
            build.backend
            for build in wheels
            if specifier.contains(build.version, prereleases=True) and is_usable(build)
        }
        release = torch_release(name, version)
        if backends and (release is None or release in torch):
            exact.setdefault(release, set()).update(backends)
        elif backends and release is not None:
            near.setdefault(_twin(release, torch), set()).update(backends)
    return Companion({one: frozenset(backends) for one, backends in {**near, **exact}.items()})


def _twin(torch: Version, known: Iterable[Version]) -> Version:
    """Return a torch release, the newest of its minor version where there is none with its patch number."""
    near = [one for one in known if one.release[:2] == torch.release[:2]]
    return torch if torch in near else max(near, default=torch)


def common_backend(ranking: Sequence[Backend | None], beside: Iterable[Offer]) -> Backend | None:
    """Choose torch's backend so that as much as possible of what is installed beside it goes with it.

    The hardware comes first: for companions a GPU is not given up.

    Args:
        ranking: torch's own backends that fit the machine, the best first; at least one.
        beside: what each companion offers.
    """
    offers = list(beside)
    best = ranking[0]
    if best is None or best.kind == CPU:
        return best

    def fit(backend: Backend) -> tuple[int, ...]:
        tied = [offer.fits(backend) for offer in offers if offer.is_tied]
        loose = [offer.fits(backend) for offer in offers if not offer.is_tied]
        return tuple(sum(fits[how] for fits in group) for group in (tied, loose) for how in (0, 1, 2))

    return max((one for one in ranking if one is not None and one.kind == best.kind), key=fit)


def following_backend(
    ranking: Sequence[Backend | None],
    offered: Iterable[Backend | None],
    torch: Backend | None,
    *,
    settled: bool,
) -> tuple[Backend | None, bool]:
    """Choose a backend that goes with torch's: the same, one of its toolkit, or one that needs none.

    Args:
        ranking: the backends that fit the machine, the best first; empty only where torch's is offered.
        offered: all backends that there are builds for.
        torch: torch's backend, None where that is not known.
        settled: whether torch's is followed even where it does not fit the machine.

    Returns:
        The backend, and whether it goes with torch's.
    """
    if torch is None:
        return ranking[0], True
    if torch in ranking or (settled and torch in offered):
        return torch, True
    for backend in ranking:
        if goes_with(backend, torch):
            return backend, True
    return ranking[0], False


def goes_with(backend: Backend | None, torch: Backend) -> bool:
    """Tell whether a build can be used with a torch: it is for the same toolkit, or needs no GPU."""
    return backend is None or backend.kind == CPU or works_with(backend, torch)
