"""Compute capabilities: reading the spellings that tools and users write."""

from __future__ import annotations

__all__ = ["Capability", "capability_of_driver", "parse_capability"]

Capability = tuple[int, int]
"""Major and minor; `(9, 0)` is compute capability 9.0."""


def capability_of_driver(major: int, minor: int) -> Capability | None:
    """Return the capability that a driver gives as two numbers; None for one that cannot be.

    Numbers larger than any we can name are the largest we can, so that a new GPU is not taken for none.
    """
    return (min(major, 99), min(minor, 9)) if major > 0 and minor >= 0 else None


def parse_capability(text: str) -> Capability | None:
    """Read `9.0`, `90`, `sm_90`, `compute_90` or `90a`; the letter (`a`, `f`) is dropped.

    Without a dot the last digit is the minor number, so `120` is 12.0; a single digit is a major number.

    Returns:
        Major and minor, or None when the text is not a compute capability.
    """
    text = text.strip().lower()
    for prefix in ("sm_", "sm", "compute_"):
        if text.startswith(prefix):
            text = text[len(prefix) :]
            break
    if text[-1:] in ("a", "f"):
        text = text[:-1]
    major, dot, minor = text.partition(".")
    if not dot and len(text) > 1:
        major, minor = text[:-1], text[-1]
    if not dot and len(text) == 1:
        minor = "0"
    if not (major + minor).isascii() or not major.isdigit() or not minor.isdigit():
        return None
    if len(major) > 2 or len(minor) > 1 or int(major) == 0:
        return None
    return int(major), int(minor)
