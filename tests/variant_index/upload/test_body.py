"""Bodies with a length and in chunks, and those whose length is not said in one clear way."""

from __future__ import annotations

import io
from email.message import Message

import pytest
from hypothesis import given
from hypothesis import strategies as st

from variant_index.upload.body import BodyError, read_body


def read(data: bytes, *headers: tuple[str, str], limit: int = 1000, seconds: float = 10) -> bytes:
    message = Message()
    for key, value in headers:
        message[key] = value
    return b"".join(read_body(io.BufferedReader(io.BytesIO(data)), message, limit, seconds))


CHUNKED = ("Transfer-Encoding", "chunked")


def test_a_length() -> None:
    assert read(b"abcdef", ("Content-Length", "4")) == b"abcd"
    assert read(b"abcdef", ("Content-Length", "0")) == b""


@given(parts=st.lists(st.binary(min_size=1, max_size=50), max_size=10))
def test_chunks(parts: list[bytes]) -> None:
    data = b"".join(b"%x;ext=1\r\n%s\r\n" % (len(part), part) for part in parts)
    assert read(data + b"0\r\nTrailer: x\r\n\r\nnext", CHUNKED) == b"".join(parts)


@pytest.mark.parametrize(
    ("data", "headers", "status"),
    [
        (b"", [], 411),
        (b"abc", [("Content-Length", "4")], 400),
        (b"abc", [("Content-Length", "-1")], 400),
        (b"abc", [("Content-Length", "1,1")], 400),
        (b"abc", [("Content-Length", "1"), ("Content-Length", "1")], 400),
        (b"abc", [("Content-Length", "9" * 400)], 400),
        (b"abc", [("Content-Length", "1001")], 413),
        (b"0\r\n\r\n", [("Content-Length", "3"), CHUNKED], 400),
        (b"0\r\n\r\n", [("Transfer-Encoding", "gzip, chunked")], 400),
        (b"0\r\n\r\n", [CHUNKED, CHUNKED], 400),
        (b"-1\r\n\r\n", [CHUNKED], 400),
        (b"0x1\r\na\r\n0\r\n\r\n", [CHUNKED], 400),
        (b"1\r\nab\r\n0\r\n\r\n", [CHUNKED], 400),
        (b"5\r\nab", [CHUNKED], 400),
        (b"1\r\na\r\n", [CHUNKED], 400),
        (b"fffffffffffffffff\r\n", [CHUNKED], 400),
        (b"3e9\r\n", [CHUNKED], 413),
        (b"1f4\r\n" + b"x" * 500 + b"\r\n1f5\r\n", [CHUNKED], 413),
        (b"1;" + b"x" * 5000 + b"\r\na\r\n", [CHUNKED], 400),
        (b"0\r\n" + b"T: 1\r\n" * 100, [CHUNKED], 400),
    ],
)
def test_not_clear(data: bytes, headers: list[tuple[str, str]], status: int) -> None:
    with pytest.raises(BodyError) as error:
        read(data, *headers)
    assert error.value.status == status


def test_a_slow_body() -> None:
    with pytest.raises(BodyError, match="took more than"):
        read(b"abcd", ("Content-Length", "4"), seconds=-0.1)
