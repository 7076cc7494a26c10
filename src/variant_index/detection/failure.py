"""The error of detection, apart from its machinery so that naming it loads nothing."""

from __future__ import annotations

from variant_index.errors import VariantIndexError

__all__ = ["DetectionError"]


class DetectionError(VariantIndexError):
    """The machine could not be examined; nothing is assumed about it."""

    exit_code = 2
