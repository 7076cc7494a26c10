"""From NVIDIA facts to the features of namespace `nvidia`; pure."""

from __future__ import annotations

from torch_variant_provider.facts import NONE, Knowledge
from torch_variant_provider.nvidia.capability import Capability, parse_capability
from torch_variant_provider.versions import Version, parse_version, version_text

__all__ = ["FEATURES", "all_properties", "supported_properties"]

LOWER, UPPER, SM = "cuda_version_lower_bound", "cuda_version_upper_bound", "sm_arch"

FEATURES: dict[str, bool] = {LOWER: False, UPPER: False, SM: True}
"""Feature -> whether a variant may list several values; most important first."""

# What this release can name. Newer drivers and GPUs report everything up to the newest listed value.
_OLDEST_MAJOR, _NEWEST_MAJOR, _NEWEST_MINOR = 11, 30, 20
_OLDEST_SM, _NEWEST_SM = 50, 309

# "Binary compatibility is not supported between Tegra and desktop": these run their own code only.
_TEGRA: frozenset[Capability] = frozenset({(5, 3), (6, 2), (7, 2), (8, 7)})


def supported_properties(knowledge: Knowledge) -> dict[str, list[str]]:
    """Return feature -> supported values, best first, for the features that something is known about.

    `cuda_version_lower_bound` and `cuda_version_upper_bound` follow from the CUDA version that the
    driver supports, plain, without minor-version compatibility: that is the publisher's to claim.
    `sm_arch` is the union over all GPUs.
    """
    properties: dict[str, list[str]] = {}
    cuda = knowledge.text("cuda_version")
    version = parse_version(cuda) if cuda is not None and cuda != NONE else None
    if version is not None:
        properties[LOWER] = _lower_bounds(version)
        properties[UPPER] = _upper_bounds(version)
    capabilities = [
        capability
        for text in knowledge.texts("compute_capability")
        if (capability := parse_capability(text)) is not None
    ]
    properties[SM] = _architectures(capabilities)
    return {feature: values for feature, values in properties.items() if values}


def all_properties() -> dict[str, list[str]]:
    """Return feature -> every value that `supported_properties` can ever return."""
    every_bound = _descending((_NEWEST_MAJOR, _NEWEST_MINOR))
    numbers = range(_NEWEST_SM, _OLDEST_SM - 1, -1)
    return {
        LOWER: every_bound,
        UPPER: every_bound,
        SM: [f"{number}_real" for number in numbers] + [f"{number}_virtual" for number in numbers],
    }


def _descending(newest: Version) -> list[str]:
    """Return `X.Y ... X.0, X`, then the same of each older major number."""
    bounds: list[str] = []
    major, minor = newest
    while major >= _OLDEST_MAJOR:
        bounds += [version_text((major, lower)) for lower in range(minor, -1, -1)]
        bounds.append(str(major))
        major, minor = major - 1, _NEWEST_MINOR
    return bounds


def _clamped(version: Version) -> Version:
    if version[0] > _NEWEST_MAJOR:
        return _NEWEST_MAJOR, _NEWEST_MINOR
    return version[0], min(version[1], _NEWEST_MINOR)


def _lower_bounds(version: Version) -> list[str]:
    return _descending(_clamped(version))


def _upper_bounds(version: Version) -> list[str]:
    """Return every value above the version, newest first; a bound is exclusive."""
    at_or_below = set(_lower_bounds(version))
    return [bound for bound in _descending((_NEWEST_MAJOR, _NEWEST_MINOR)) if bound not in at_or_below]


def _architectures(capabilities: list[Capability]) -> list[str]:
    """Return what the GPUs run: compiled code of the same major number, then code to be compiled.

    Compiled code (`_real`) runs on the same major and an equal or higher minor number; PTX
    (`_virtual`) can be compiled for any GPU that is not older.
    """
    real: list[str] = []
    newest = 0
    for major, minor in sorted(set(capabilities), reverse=True):
        number = major * 10 + minor
        newest = max(newest, number)
        lowest = number if (major, minor) in _TEGRA else major * 10
        real += [f"{lower}_real" for lower in range(number, lowest - 1, -1) if _named(lower)]
    virtual = [f"{number}_virtual" for number in range(min(newest, _NEWEST_SM), _OLDEST_SM - 1, -1)]
    return list(dict.fromkeys(real)) + virtual


def _named(number: int) -> bool:
    return _OLDEST_SM <= number <= _NEWEST_SM
