"""Reads a request body in pieces; its length comes before it (Content-Length) or on the way (chunked)."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from email.message import Message
from http import HTTPStatus
from io import BufferedIOBase

from variant_index.errors import InputError

__all__ = ["BodyError", "read_body"]

_PIECE = 256 << 10
_MAX_LINE = 1024
_MAX_TRAILERS = 32

_LENGTH = re.compile(r"[0-9]{1,15}", re.ASCII)
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,12})[ \t]*(?:;[^\r\n]*)?\r?\n")


class BodyError(InputError):
    """A body cannot be read.

    Attributes:
        status: the answer.
    """

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


def read_body(file: BufferedIOBase, headers: Message, limit: int, seconds: float) -> Iterator[bytes]:
    """Yield a request's body in pieces; what is wrong with its headers is found by the first `next`.

    Args:
        file: the connection.
        headers: the request's headers.
        limit: how many bytes it may have.
        seconds: how long it may take, from now; a silent connection ends by its own time limit.

    Raises:
        BodyError: it is too long, takes too long, breaks off, or its length is not said in one clear way.
        OSError: the connection broke, or was silent for too long (TimeoutError).
    """
    end = time.monotonic() + seconds
    lengths = headers.get_all("Content-Length", [])
    encodings = headers.get_all("Transfer-Encoding", [])
    if encodings:
        if lengths or [value.strip().lower() for value in encodings] != ["chunked"]:
            raise BodyError(HTTPStatus.BAD_REQUEST, "send Content-Length or Transfer-Encoding: chunked")
        pieces = _chunked(file, limit)
    elif not lengths:
        raise BodyError(HTTPStatus.LENGTH_REQUIRED, "send Content-Length or Transfer-Encoding: chunked")
    elif len(lengths) > 1 or not _LENGTH.fullmatch(lengths[0].strip()):
        raise BodyError(HTTPStatus.BAD_REQUEST, "Content-Length is not one number")
    else:
        if int(lengths[0]) > limit:
            raise _too_long(limit)
        pieces = _exactly(file, int(lengths[0]))
    for piece in pieces:
        if time.monotonic() > end:
            raise BodyError(HTTPStatus.REQUEST_TIMEOUT, f"the upload took more than {seconds:.0f} seconds")
        yield piece


def _exactly(file: BufferedIOBase, size: int) -> Iterator[bytes]:
    while size:
        piece = file.read1(min(size, _PIECE))
        if not piece:
            raise BodyError(HTTPStatus.BAD_REQUEST, "the connection ended before the upload did")
        size -= len(piece)
        yield piece


def _chunked(file: BufferedIOBase, limit: int) -> Iterator[bytes]:
    read = 0
    while True:
        found = _CHUNK_SIZE.fullmatch(file.readline(_MAX_LINE))
        if found is None:
            raise BodyError(HTTPStatus.BAD_REQUEST, "a chunk of the body does not begin with its size")
        size = int(found[1], 16)
        if not size:
            break
        read += size
        if read > limit:
            raise _too_long(limit)
        yield from _exactly(file, size)
        if file.readline(2) not in (b"\r\n", b"\n"):
            raise BodyError(HTTPStatus.BAD_REQUEST, "a chunk of the body is longer than its size")
    for _ in range(_MAX_TRAILERS):
        if file.readline(_MAX_LINE) in (b"\r\n", b"\n", b""):
            return
    raise BodyError(HTTPStatus.BAD_REQUEST, "too many headers follow the body")


def _too_long(limit: int) -> BodyError:
    return BodyError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the upload is larger than {limit >> 20} MiB, which this server takes (--max-upload)",
    )
