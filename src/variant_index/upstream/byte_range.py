"""A part of a file: how it is asked for, and whether what came is that part (RFC 9110, section 14); pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from variant_index.errors import UpstreamError, printable

__all__ = ["ByteRange", "RangeError", "WantedRange", "read_range"]

_CONTENT_RANGE: Final = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})", re.ASCII)


class RangeError(UpstreamError):
    """A server's answer to a request for a part of a file contradicts itself or the request."""


@dataclass(frozen=True, slots=True)
class ByteRange:
    """A part of a file.

    Attributes:
        start: where in the file it begins.
        total: the file's size in bytes.
        data: the bytes.
        etag: the file's strong entity tag, None without one.
    """

    start: int
    total: int
    data: bytes
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class WantedRange:
    """A part to ask for.

    Attributes:
        first: where it begins; None for the last bytes of the file.
        length: how many bytes; where the file ends there may be fewer.
    """

    first: int | None
    length: int

    @property
    def header(self) -> str:
        """The value of the `Range` header."""
        if self.first is None:
            return f"bytes=-{self.length}"
        return f"bytes={self.first}-{self.first + self.length - 1}"


def read_range(
    wanted: WantedRange, shown: str, status: int, headers: Mapping[str, str], data: bytes
) -> ByteRange | None:
    """Return the part that an answer holds, None when the server does not do ranges.

    The whole file, sent instead, is a part that holds everything.

    Args:
        wanted: what was asked for.
        shown: the address, printable.
        status: 200 or any other than a redirect, below 500 or 501.
        headers: names in lower case.
        data: the body as it was sent.

    Raises:
        RangeError: the answer is not the part that was asked for.
        UpstreamError: the address has no such file.
    """
    if status in (416, 501):
        return None
    if status not in (200, 206):
        raise UpstreamError(f"{shown} answered {status}")
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        return None  # a part of something else than the file
    etag = headers.get("etag", "")
    tag = etag if etag.startswith('"') else None
    if status == 200:
        return ByteRange(0, len(data), data, tag)
    said = headers.get("content-range", "")
    match = _CONTENT_RANGE.fullmatch(said)
    if match is None:
        raise RangeError(f"{shown} sent a part that it describes as {printable(said, 80)!r}")
    start, last, total = map(int, match.groups())
    first = max(0, total - wanted.length) if wanted.first is None else wanted.first
    if start != first or last != min(first + wanted.length, total) - 1:
        raise RangeError(f"{shown} sent other bytes than those asked for ({printable(said, 80)})")
    if len(data) != last - start + 1:
        raise RangeError(f"{shown} sent {len(data)} bytes and calls them {printable(said, 80)}")
    return ByteRange(start, total, data, tag)
