"""Reading `major.minor` version numbers out of text that others wrote."""

from __future__ import annotations

__all__ = ["Version", "cuda_version_text", "parse_version", "version_text"]

Version = tuple[int, int]
"""Major and minor."""

_DIGITS = 4  # longer numbers are no versions of anything we ask about


def parse_version(text: str, *, suffix: str = "") -> Version | None:
    """Read `12`, `12.8` or `12.8.1` (everything after the minor number is dropped).

    Args:
        text: the version; surrounding blanks do not matter.
        suffix: characters that may begin a suffix to drop, for example `-~` in `7.0.2-1234`.

    Returns:
        Major and minor, or None when the text is not a version.
    """
    text = text.strip()
    for mark in suffix:
        text = text.partition(mark)[0]
    parts = text.split(".")
    for place, part in enumerate(parts):
        if not (part.isascii() and part.isdigit() and len(part) <= (_DIGITS if place < 2 else 20)):
            return None
    return int(parts[0]), int(parts[1]) if len(parts) > 1 else 0


def cuda_version_text(number: int) -> str | None:
    """Return `M.m` for the number that NVML and libcuda give, `major * 1000 + minor * 10`.

    Returns:
        None for a number below 1.0; a number too large to be true is the largest version that can be read.
    """
    major, minor = number // 1000, number % 1000 // 10
    return version_text((min(major, 10**_DIGITS - 1), minor)) if major > 0 else None


def version_text(version: Version) -> str:
    """Return `M.m`."""
    return f"{version[0]}.{version[1]}"
