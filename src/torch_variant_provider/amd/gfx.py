"""AMD architecture names: `gfx`, the major number in decimal, minor number and stepping in hex."""

from __future__ import annotations

__all__ = ["every_gfx", "gfx_number", "gfx_of_target_version", "normal_gfx"]

# What this release can name: every minor number and stepping of these.
_OLDEST_MAJOR, _NEWEST_MAJOR = 7, 20
_HEX = "0123456789abcdef"


def normal_gfx(text: str) -> str | None:
    """Read `gfx942`, `GFX942`, `942` or `gfx942:sramecc+:xnack-` (target features are dropped).

    Returns:
        The plain lower-case name, or None for anything else, generic names (`gfx11-generic`) included.
    """
    name = text.strip().lower().partition(":")[0].removeprefix("gfx")
    major, tail = name[:-2], name[-2:]
    if not (major.isascii() and major.isdigit() and len(major) <= 2 and len(tail) == 2):
        return None
    if not _OLDEST_MAJOR <= int(major) <= _NEWEST_MAJOR or any(digit not in _HEX for digit in tail):
        return None
    return f"gfx{int(major)}{tail}"


def gfx_number(name: str) -> int:
    """Return a normal name's target version, `major * 10000 + minor * 100 + stepping`, to order by."""
    return int(name[3:-2]) * 10000 + int(name[-2], 16) * 100 + int(name[-1], 16)


def gfx_of_target_version(number: int) -> str | None:
    """Return the name of the kernel's `gfx_target_version`, for example 90010 is gfx90a.

    Returns:
        None for a number that has no such name.
    """
    major, minor, step = number // 10000, number // 100 % 100, number % 100
    if minor > 15 or step > 15:
        return None
    return normal_gfx(f"{major}{minor:x}{step:x}")


def every_gfx() -> list[str]:
    """Return every name that `normal_gfx` can return, largest first."""
    return [
        f"gfx{major}{minor}{step}"
        for major in range(_NEWEST_MAJOR, _OLDEST_MAJOR - 1, -1)
        for minor in reversed(_HEX)
        for step in reversed(_HEX)
    ]
