"""Reads the head of one request from a client that may be anyone on this machine: whole, small, unambiguous.

Stricter than RFC 9112 asks for: lines end in CRLF, none is folded, each header has a name that is a token.
Installers send nothing else, and whatever two readers could take for different requests is refused.
"""

from __future__ import annotations

import io
import re
import time
from http import HTTPStatus
from typing import Final

__all__ = ["MAX_HEADERS", "MAX_HEAD_BYTES", "MAX_REQUEST_LINE", "read_head"]

MAX_REQUEST_LINE: Final = 4096
"""Bytes of the first line; a longer one is refused with 414."""

MAX_HEAD_BYTES: Final = 32 << 10
"""Bytes of request line and headers; more are refused with 431."""

MAX_HEADERS: Final = 64
"""Headers of a request; more are refused with 431."""

HEAD_SECONDS: Final = 10.0
"""Seconds from the first byte to the last one."""

_END: Final = b"\r\n\r\n"
_REQUEST_LINE: Final = re.compile(rb"[!-~]+ [!-~\x80-\xff]+ HTTP/\d\.\d")
_HEADER: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t \x21-\x7e\x80-\xff]*")


def read_head(stream: io.BufferedReader) -> bytes | HTTPStatus:
    """Read a request's head and not one byte more.

    Args:
        stream: the connection; it raises `TimeoutError` where nothing comes for long.

    Returns:
        The head with the empty line that ends it; empty where the client hung up before; the status to
        refuse it with.

    Raises:
        TimeoutError: it did not come in time.
        OSError: the connection broke.
    """
    head = b""
    deadline: float | None = None
    while not head.endswith(_END):
        piece = stream.peek()
        deadline = deadline or time.monotonic() + HEAD_SECONDS
        if not piece:
            return b""
        if time.monotonic() > deadline:
            raise TimeoutError
        # The end may lie across two pieces.
        seam = head[-3:]
        found = (seam + piece).find(_END)
        taken = len(piece) if found < 0 else found + len(_END) - len(seam)
        head += stream.read(taken)
        if len(head) > MAX_HEAD_BYTES:
            return _refusal(head) or HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    return _refusal(head) or head


def _refusal(head: bytes) -> HTTPStatus | None:
    first, *headers = head.split(b"\r\n")
    if len(first) > MAX_REQUEST_LINE:
        return HTTPStatus.REQUEST_URI_TOO_LONG
    if len(headers) - 2 > MAX_HEADERS:
        return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    whole = len(head) <= MAX_HEAD_BYTES
    if whole and not (_REQUEST_LINE.fullmatch(first) and all(map(_HEADER.fullmatch, headers[:-2]))):
        return HTTPStatus.BAD_REQUEST
    return None
