"""Newest release, or newest release that uses the hardware: which releases installers must not take alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from packaging.version import Version

from variant_index.model.properties import Properties

__all__ = ["Preference", "held_back", "uses_accelerator"]

Preference = Literal["hardware", "version"]
"""What comes first: a build that uses the hardware, or the newest release."""

_ACCELERATORS: Final = frozenset({"nvidia", "amd", "intel", "tpu"})


def uses_accelerator(properties: Properties) -> bool:
    """Tell whether a variant was built for a GPU or the like, and not just for a kind of CPU."""
    return not _ACCELERATORS.isdisjoint(properties)


def held_back(uses_hardware: Mapping[Version, bool]) -> dict[Version, Version]:
    """Return the releases to hold back: they would leave hardware idle that an older release uses.

    Without this, a machine with an old GPU or driver silently gets a CPU build as soon as a release drops
    support for it. A prerelease never holds a final release back.

    Args:
        uses_hardware: version -> whether the build for this machine uses its hardware. Releases that it
            cannot be said of are left out.

    Returns:
        Version held back -> the newest older release that uses the hardware.
    """
    held = {}
    newest_final: Version | None = None
    newest: Version | None = None
    for version in sorted(uses_hardware):
        if uses_hardware[version]:
            newest = version
            newest_final = newest_final if version.is_prerelease else version
        elif (better := newest if version.is_prerelease else newest_final) is not None:
            held[version] = better
    return held
