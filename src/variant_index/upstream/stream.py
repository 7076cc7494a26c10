"""An answer whose body is read piece by piece, with limits on time and size."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import BinaryIO, Final

import urllib3
from urllib3.exceptions import HTTPError

from variant_index.errors import UpstreamError, printable
from variant_index.upstream.connections import UnreachableError, cause

__all__ = ["CHUNK", "Stream", "TooLargeError"]

CHUNK: Final = 1 << 16
"""Bytes in one piece, at most."""

_SLOWEST: Final = 10_000
_CODINGS: Final = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})


class TooLargeError(UpstreamError):
    """An answer has more bytes than were wanted of it."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Stream:
    """An answer; a context manager that gives the connection back, or closes it when it was not read whole.

    Attributes:
        url: the address that answered.
        status: the HTTP status.
        headers: names in lower case.
    """

    def __init__(self, url: str, response: urllib3.BaseHTTPResponse, patience: float) -> None:
        """Take over an answer.

        Args:
            url: the address that answered.
            response: its head has been read.
            patience: seconds that the body may take beside one second for each 10 kB.
        """
        self.url = url
        self.status = response.status
        self.reason = response.reason or ""
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}
        self._response = response
        self._patience = patience

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection back if the body was read to its end, else close it."""
        self._response.close()

    def chunks(self, *, decode: bool = False) -> Iterator[bytes]:
        """Yield the body as it arrives: the bytes that were sent, or decoded ones.

        Raises:
            UnreachableError: it ends too early, or comes more slowly than 10 kB a second.
        """
        size, start = 0, time.monotonic()
        for chunk in self._pieces(decode=decode):
            size += len(chunk)
            seconds = time.monotonic() - start
            if seconds > self._patience + size / _SLOWEST:
                raise UnreachableError(
                    f"{printable(self.url)} sent {size} bytes in {seconds:.0f} s, given up"
                )
            yield chunk

    def copy(self, file: BinaryIO, *, limit: int, deadline: float, decode: bool = True) -> None:
        """Write the whole body to a file.

        Args:
            file: open for writing.
            limit: the most bytes it may have.
            deadline: when it must have ended, in `time.monotonic()` seconds.
            decode: whether to undo the content's encoding.

        Raises:
            UnreachableError: it ends too early or takes too long.
            TooLargeError: it has more bytes.
        """
        shown = printable(self.url)
        if decode and (coding := self.headers.get("content-encoding", "").strip().lower()) not in _CODINGS:
            # Also what decoders would take for several, one inside the other: that multiplies bombs.
            raise UpstreamError(
                f"{shown} answers in the encoding {printable(coding)!r}, not asked for; refused"
            )
        size, start = 0, time.monotonic()
        for chunk in self._pieces(decode=decode):
            size += len(chunk)
            if size > limit:
                raise TooLargeError(f"{shown} sends more than {_megabytes(limit)}, refused", self.status)
            if time.monotonic() > deadline:
                raise UnreachableError(f"{shown} took longer than {deadline - start:.0f} s, given up")
            file.write(chunk)

    def _pieces(self, *, decode: bool) -> Iterator[bytes]:
        try:
            while chunk := self._response.read1(CHUNK, decode_content=decode):
                yield chunk
        except (HTTPError, OSError) as error:
            raise UnreachableError(f"{printable(self.url)}: {cause(error)}") from None


def _megabytes(limit: int) -> str:
    return f"{limit >> 20} MB" if limit >= 1 << 20 else f"{limit} bytes"
