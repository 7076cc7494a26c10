"""ROCm releases: which kernel driver belongs to which, and which ones a driver can run.

AMD supports user space up to two releases newer and, for the current driver, four releases older
than the kernel driver's own ("User and kernel-space support matrix" of the ROCm documentation).
"""

from __future__ import annotations

from torch_variant_provider.amd.gfx import gfx_number
from torch_variant_provider.versions import Version, parse_version

__all__ = ["every_release", "from_driver", "from_gfx", "up_to"]

_RELEASES: tuple[Version, ...] = (
    *((5, minor) for minor in range(8)),
    *((6, minor) for minor in range(5)),
    *((7, minor) for minor in range(3)),
    *((7, minor) for minor in range(9, 15)),
    (10, 0),
)
_NEWER, _OLDER = 2, 4

# What this release can name; the top is far away because new versions are not to be refused.
_OLDEST_MAJOR, _NEWEST_MAJOR, _NEWEST_MINOR = 4, 30, 20

# Version of the amdgpu module that AMD ships (DKMS) -> its ROCm release.
_DRIVERS: tuple[tuple[Version, Version], ...] = (
    ((6, 16), (7, 1)),
    ((6, 14), (7, 0)),
    ((6, 12), (6, 4)),
    ((6, 10), (6, 3)),
    ((6, 8), (6, 2)),
    ((6, 7), (6, 1)),
    ((6, 3), (6, 0)),
    ((6, 2), (5, 7)),
    ((6, 1), (5, 6)),
    ((6, 0), (5, 5)),
    ((5, 18), (5, 4)),
    ((5, 16), (5, 2)),
    ((5, 13), (5, 1)),
)

# First ROCm release with the architecture; what is not listed is as old as the list below it says.
_FIRST: tuple[tuple[str, Version], ...] = (
    ("gfx1250", (7, 9)),
    ("gfx1200", (6, 4)),
    ("gfx1150", (6, 4)),
    ("gfx1102", (5, 6)),
    ("gfx1100", (5, 4)),
    ("gfx950", (7, 0)),
    ("gfx940", (6, 0)),
)


def up_to(version: Version) -> list[Version]:
    """Return a forced release and the older ones that its driver still runs, newest first.

    Nothing for a release older than any wheel's.
    """
    version = _clamped(version)
    if version[0] < _OLDEST_MAJOR:
        return []
    newest = _RELEASES[-1]
    # Minor numbers between the newest release we know and a newer one forced: they exist, or do no harm.
    unknown = [(version[0], minor) for minor in range(version[1])] if version > newest else []
    older = [release for release in (*_RELEASES, *unknown) if release < version]
    return [version, *sorted(set(older), reverse=True)[:_OLDER]]


def from_driver(driver: str) -> list[Version]:
    """Return the releases that AMD's own kernel driver of a module version runs, newest first.

    A newer driver than we know counts as the newest known; an unreadable version gives nothing.
    """
    module = parse_version(driver, suffix="-~+")
    if module is None:
        return []
    for known, release in _DRIVERS:
        if module >= known:
            place = _RELEASES.index(release)
            return list(reversed(_RELEASES[max(0, place - _OLDER) : place + _NEWER + 1]))
    return []


def from_gfx(architectures: tuple[str, ...]) -> list[Version]:
    """Return every release from the first that knows one of the GPUs, newest first.

    For the kernel's own amdgpu module, which belongs to no ROCm release.
    """
    first = min((_first(name) for name in architectures), default=None)
    if first is None:
        return []
    return [release for release in every_release() if release >= first]


def every_release() -> list[Version]:
    """Return every version that the functions above can return, and more, newest first."""
    return [
        (major, minor)
        for major in range(_NEWEST_MAJOR, _OLDEST_MAJOR - 1, -1)
        for minor in range(_NEWEST_MINOR, -1, -1)
    ]


def _clamped(version: Version) -> Version:
    if version[0] > _NEWEST_MAJOR:
        return _NEWEST_MAJOR, _NEWEST_MINOR
    return version[0], min(version[1], _NEWEST_MINOR)


def _first(name: str) -> Version:
    number = gfx_number(name)
    for known, release in _FIRST:
        # Only architectures of the same major number: gfx950 is no predecessor of gfx1030.
        if known[:-2] == name[:-2] and number >= gfx_number(known):
            return release
    return _RELEASES[0]
