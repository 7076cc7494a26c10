"""Which part of a file a request asks for (RFC 9110, section 14.2); pure."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["requested_range"]

_ONE_RANGE: Final = re.compile(
    r"bytes[ \t]*=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.ASCII | re.IGNORECASE
)


def requested_range(header: str | None, size: int) -> range | None:
    """Return the positions asked for, None when the whole file is to be sent.

    A header that is malformed, in another unit, or for several parts is ignored, as servers may.

    Args:
        header: the request's `Range`, None without one.
        size: the file's size in bytes.

    Returns:
        The positions; empty when the file has none of those asked for, which is answered 416.
    """
    match = _ONE_RANGE.fullmatch(header or "")
    if match is None:
        return None
    first, last = match.groups()
    if not first:
        return range(max(0, size - int(last)), size) if last else None
    if last and int(last) < int(first):
        return None
    return range(int(first), min(size, int(last) + 1) if last else size)
