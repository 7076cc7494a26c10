"""The error of detection, apart from its machinery so that naming it loads nothing."""

from __future__ import annotations

from variant_index.errors import VariantIndexError

__all__ = ["DetectionError"]


class DetectionError(VariantIndexError):
    """The machine could not be examined; nothing is assumed about it.

    Ends like the provider's own command, `torch_variant_provider.__main__.UNANSWERED`.
    """

    exit_code = 3
