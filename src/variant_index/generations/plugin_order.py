"""The order that plugins give their features and values, where it is the same on every machine.

Older documents could reorder what a plugin reports. Such a wish is lost on the way to the newer form,
but nothing is lost when the plugin reports in that order anyway.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

__all__ = ["keeps_feature_order", "keeps_value_order"]

_FEATURES = {
    "nvidia": ("cuda_version_lower_bound", "cuda_version_upper_bound", "sm_arch"),
    "amd": ("gfx_arch", "rocm_version"),
}

_VERSION = re.compile(r"(\d{1,6})(?:\.(\d{1,6}))?", re.ASCII)
_ARCHITECTURE = re.compile(r"(\d{1,6})_(real|virtual)", re.ASCII)


def keeps_feature_order(namespace: str, wished: Sequence[str], used: Collection[str]) -> bool:
    """Tell whether a plugin's own order of features fulfils a wish.

    Args:
        namespace: the plugin's.
        wished: features to prefer, best first; the others follow in the plugin's order.
        used: the features that the document's variants name: nothing depends on others.
    """
    known = _FEATURES.get(namespace)
    if known is None or not all(feature in known for feature in used):
        return False
    return _unmoved([feature for feature in known if feature in used], wished)


def keeps_value_order(namespace: str, feature: str, wished: Sequence[str], used: Collection[str]) -> bool:
    """Tell whether a plugin's own order of a feature's values fulfils a wish; see `keeps_feature_order`."""
    if feature not in _FEATURES.get(namespace, ()):
        return False
    keys = {value: _key(feature, value) for value in used}
    known = {value: key for value, key in keys.items() if key is not None}
    return len(known) == len(keys) and _unmoved(sorted(known, key=known.__getitem__), wished)


def _unmoved(own: Sequence[str], wished: Sequence[str]) -> bool:
    positions = {item: position for position, item in reversed(list(enumerate(wished)))}
    return sorted(own, key=lambda item: positions.get(item, len(wished))) == list(own)


def _key(feature: str, value: str) -> tuple[int, ...] | None:
    """Return what sorts the feature's values best first; None where the machine decides the order."""
    if feature == "sm_arch":
        architecture = _ARCHITECTURE.fullmatch(value)
        return (architecture[2] == "virtual", -int(architecture[1])) if architecture else None
    if feature == "gfx_arch":
        return None  # the order of the GPUs in the machine
    version = _VERSION.fullmatch(value)
    if version is None:
        return None
    return (-int(version[1]), version[2] is None, -int(version[2] or 0))
