"""Names that not every file system can store."""

from __future__ import annotations

import re
from collections.abc import Iterable

from variant_index.errors import printable

__all__ = ["case_collision", "windows_problem"]

# Devices, with any extension; characters and ends that Win32 forbids ("Naming Files, Paths, and
# Namespaces", Microsoft). Names are joined by newlines to search them all at once.
_RESERVED = re.compile(
    r"(?:^|/)(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?=[./\n]|\Z)|[ .](?=[/\n]|\Z)|[<>:\"|?*]",
    re.IGNORECASE | re.MULTILINE,
)


def case_collision(names: Iterable[str]) -> str | None:
    """Say which two names differ only in case; None when none do."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.casefold(), name)
        if other != name:
            return (
                f"{printable(other)} and {printable(name)} differ only in case, which Windows and macOS "
                "cannot keep apart"
            )
    return None


def windows_problem(names: Iterable[str]) -> str | None:
    """Say which name Windows cannot store: a device's, or one with characters it forbids; None without."""
    joined = "\n".join(names)
    found = _RESERVED.search(joined)
    if found is None:
        return None
    start = joined.rfind("\n", 0, found.start() + 1) + 1
    end = joined.find("\n", found.start() + 1)
    name = joined[start : end if end >= 0 else None]
    return f"Windows cannot store the name {printable(name)!r}"
