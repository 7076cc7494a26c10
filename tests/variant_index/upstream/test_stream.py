from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.variant_index.upstream.fake_index import FakeIndex, Route
from variant_index.errors import UpstreamError
from variant_index.upstream.connections import UnreachableError
from variant_index.upstream.network import Network


@pytest.fixture
def index() -> Iterator[FakeIndex]:
    with FakeIndex() as index:
        yield index


def test_a_stream_passes_bytes_as_they_were_sent(index: FakeIndex) -> None:
    body = bytes(range(256)) * 1000
    headers = {"Content-Encoding": "gzip", "ETag": '"1"'}
    index.routes["/f"] = Route(body, headers=headers)
    with Network().open(f"{index.root}/f") as stream:
        assert b"".join(stream.chunks()) == body
    assert (stream.status, stream.headers["etag"], stream.url) == (200, '"1"', f"{index.root}/f")


def test_head_and_ranges(index: FakeIndex) -> None:
    index.routes["/f"] = Route(b"0123456789")
    network = Network()
    with network.open(f"{index.root}/f", method="HEAD") as stream:
        assert b"".join(stream.chunks()) == b""
    assert (stream.headers["content-length"], index.requests) == ("10", ["HEAD /f"])
    with network.open(f"{index.root}/f", headers={"Range": "bytes=2-4"}) as stream:
        assert (stream.status, b"".join(stream.chunks())) == (206, b"234")


def test_an_end_that_comes_too_early_is_an_error(index: FakeIndex) -> None:
    index.routes["/f"] = Route(b"half", promised=100)
    with Network().open(f"{index.root}/f") as stream, pytest.raises(UnreachableError, match="/f"):
        list(stream.chunks())


def test_a_drip_is_given_up(index: FakeIndex) -> None:
    index.routes["/f"] = Route(b"x" * 1000, seconds_per_byte=0.05)
    with (
        Network(timeout=1).open(f"{index.root}/f") as stream,
        pytest.raises(UnreachableError, match="sent"),
    ):
        list(stream.chunks())


def test_errors_and_redirects(index: FakeIndex) -> None:
    index.routes["/bad"] = Route(status=503)
    index.routes["/old"] = Route(status=302, headers={"Location": "/f"})
    index.routes["/out"] = Route(status=302, headers={"Location": "file:///etc/passwd"})
    index.routes["/f"] = Route(b"here")
    network = Network()
    with network.open(f"{index.root}/old") as stream:
        assert b"".join(stream.chunks()) == b"here"
    with pytest.raises(UnreachableError, match="answered 503"):
        network.open(f"{index.root}/bad")
    with pytest.raises(UpstreamError, match="redirects to"):
        network.open(f"{index.root}/out")


def test_a_server_that_takes_no_connection_costs_one_timeout(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "urllib3")
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        waiting = []
        for _ in range(4):  # fill its queue, so that nobody is let in
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(address)
            waiting.append(one)
        with pytest.raises(UnreachableError, match="timed out"):
            Network(timeout=0.5).get(f"http://127.0.0.1:{address[1]}/", limit=10)
        assert [text for text in caplog.messages if "connection" in text] == [
            f"Starting new HTTP connection (1): 127.0.0.1:{address[1]}"
        ]
        for one in waiting:
            one.close()


def test_streams_close_what_was_not_read(index: FakeIndex) -> None:
    index.routes["/f"] = Route(b"x" * 10_000_000)
    network = Network()
    threads = threading.active_count()
    for _ in range(5):
        with network.open(f"{index.root}/f") as stream:
            assert next(stream.chunks())
    assert network.get(f"{index.root}/none", limit=100).status == 404
    deadline = time.monotonic() + 60
    while threading.active_count() > threads + 3:  # the server's threads end when it notices
        assert time.monotonic() < deadline
        time.sleep(0.02)
