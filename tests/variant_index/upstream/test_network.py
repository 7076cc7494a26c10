from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.variant_index.upstream.fake_index import FakeIndex, Route
from variant_index.errors import UpstreamError
from variant_index.upstream.network import Network
from variant_index.upstream.source import SourceError

LIMIT = 1 << 20


@pytest.fixture
def index() -> Iterator[FakeIndex]:
    with FakeIndex() as index:
        yield index


@pytest.fixture
def network() -> Iterator[Network]:
    network = Network()
    yield network
    network.close()


def test_returns_body_and_headers(index: FakeIndex, network: Network) -> None:
    index.routes["/a"] = Route(b"hello", "text/html", headers={"ETag": '"1"'})
    reply = network.get(f"{index.root}/a", limit=LIMIT)
    assert (reply.status, reply.body, reply.headers["etag"]) == (200, b"hello", '"1"')
    assert reply.url == f"{index.root}/a"


def test_missing_is_an_answer(index: FakeIndex, network: Network) -> None:
    assert network.get(f"{index.root}/nothing", limit=LIMIT).status == 404


def test_connections_are_reused_also_after_404(network: Network) -> None:
    accepted = 0
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        nonlocal accepted
        connection, _ = listener.accept()
        accepted += 1
        with connection:
            while connection.recv(65536):
                connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    for _ in range(3):
        assert network.get(f"http://127.0.0.1:{listener.getsockname()[1]}/", limit=LIMIT).body == b"none"
    network.close()
    thread.join(60)
    listener.close()
    assert accepted == 1


def test_gzip_is_decoded_and_limited_by_its_decoded_size(index: FakeIndex, network: Network) -> None:
    bomb = gzip.compress(bytes(50 * LIMIT))
    index.routes["/good"] = Route(gzip.compress(b"page"), headers={"Content-Encoding": "gzip"})
    index.routes["/bomb"] = Route(bomb, headers={"Content-Encoding": "gzip"})
    assert len(bomb) < LIMIT
    assert network.get(f"{index.root}/good", limit=LIMIT).body == b"page"
    with pytest.raises(UpstreamError, match="/bomb sends more than 1 MB"):
        network.get(f"{index.root}/bomb", limit=LIMIT)


def test_chunked_answers_are_read(network: Network) -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
            )

    threading.Thread(target=serve, daemon=True).start()
    reply = network.get(f"http://127.0.0.1:{listener.getsockname()[1]}/", limit=LIMIT)
    listener.close()
    assert reply.body == b"abcde"


@pytest.mark.parametrize("status", [500, 501, 502, 503, 504])
def test_server_errors_name_address_and_status(index: FakeIndex, network: Network, status: int) -> None:
    index.routes["/bad"] = Route(b"sorry", status=status)
    with pytest.raises(UpstreamError, match=rf"/bad answered {status}"):
        network.get(f"{index.root}/bad", limit=LIMIT)


def test_a_busy_server_is_asked_again(index: FakeIndex, network: Network) -> None:
    index.routes["/busy"] = Route(status=503)
    with pytest.raises(UpstreamError):
        network.get(f"{index.root}/busy", limit=LIMIT)
    assert index.asked("/busy") == 3


def test_refused_connection(network: Network) -> None:
    with socket.socket() as deaf:  # it has the port, and nobody listens there
        deaf.bind(("127.0.0.1", 0))
        port = deaf.getsockname()[1]
        with pytest.raises(UpstreamError, match=rf"127.0.0.1:{port}/x: .*refused"):
            network.get(f"http://127.0.0.1:{port}/x", limit=LIMIT)


def test_truncated_answer_is_an_error(index: FakeIndex, network: Network) -> None:
    index.routes["/cut"] = Route(b"half of it", promised=100)
    with pytest.raises(UpstreamError, match="/cut"):
        network.get(f"{index.root}/cut", limit=LIMIT)


def test_silence_ends_at_the_timeout(index: FakeIndex) -> None:
    index.routes["/slow"] = Route(b"late", seconds_before=120)
    started = time.monotonic()
    with pytest.raises(UpstreamError, match=r"/slow: .*timed out"):
        Network(timeout=0.2).get(f"{index.root}/slow", limit=LIMIT)
    assert time.monotonic() - started < 60


def test_a_drip_ends_at_the_deadline(index: FakeIndex) -> None:
    index.routes["/drip"] = Route(b"x" * 1000, seconds_per_byte=0.05)
    with pytest.raises(UpstreamError, match="/drip took longer"):
        Network(timeout=1).get(f"{index.root}/drip", limit=LIMIT)


def test_redirects_are_followed(index: FakeIndex, network: Network) -> None:
    index.routes["/old"] = Route(status=301, headers={"Location": "/new"})
    index.routes["/new"] = Route(b"here")
    reply = network.get(f"{index.root}/old", limit=LIMIT)
    assert (reply.body, reply.url) == (b"here", f"{index.root}/new")


def test_a_redirect_loop_ends(index: FakeIndex, network: Network) -> None:
    index.routes["/loop"] = Route(status=302, headers={"Location": "/loop"})
    with pytest.raises(UpstreamError, match="/loop redirects more than 5 times"):
        network.get(f"{index.root}/loop", limit=LIMIT)


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "ftp://x/", "", "http://user:pw@127.0.0.1/", "http://["]
)
def test_redirects_lead_to_http_only(index: FakeIndex, network: Network, target: str) -> None:
    index.routes["/out"] = Route(status=302, headers={"Location": target})
    with pytest.raises(UpstreamError, match="/out redirects to"):
        network.get(f"{index.root}/out", limit=LIMIT)


def test_a_proxy_gets_the_request(index: FakeIndex) -> None:
    index.routes["http://packages.invalid/simple/x/"] = Route(b"through the proxy")
    network = Network(proxy=index.root, trusted_hosts=("packages.invalid",))
    reply = network.get("http://packages.invalid/simple/x/", limit=LIMIT)
    assert reply.body == b"through the proxy"


def test_the_environment_names_proxies(index: FakeIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    index.routes["http://packages.invalid/"] = Route(b"through the proxy")
    index.routes["/direct"] = Route(b"direct")
    monkeypatch.setenv("http_proxy", index.root)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    network = Network(trusted_hosts=("packages.invalid",))
    assert network.get("http://packages.invalid/", limit=LIMIT).body == b"through the proxy"
    assert network.get(f"{index.root}/direct", limit=LIMIT).body == b"direct"


def test_an_unusable_certificate_file_is_named() -> None:
    with pytest.raises(SourceError, match=r"/nonexistent\.pem"):
        Network(cert="/nonexistent.pem")


@pytest.mark.parametrize(
    "host",
    ["packages.invalid", "packages.invalid:8080", "10.0.0.1", "localhost.invalid", "127.0.0.1.invalid"],
)
def test_plain_http_is_for_loopback_and_trusted_hosts(index: FakeIndex, host: str) -> None:
    index.routes[f"http://{host}/"] = Route(b"page")
    with pytest.raises(UpstreamError, match=f"use https, or --trusted-host {host}"):
        Network(proxy=index.root).get(f"http://{host}/", limit=LIMIT)
    assert Network(proxy=index.root, trusted_hosts=(host,)).get(f"http://{host}/", limit=LIMIT).status == 200


def test_a_redirect_to_plain_http_elsewhere_is_refused(index: FakeIndex, network: Network) -> None:
    index.routes["/out"] = Route(status=302, headers={"Location": "http://packages.invalid/"})
    with pytest.raises(UpstreamError, match=r"--trusted-host packages\.invalid"):
        network.get(f"{index.root}/out", limit=LIMIT)


@pytest.mark.parametrize(
    "proxy", ["ftp://h", "http://", "http://[", "x:y:z", "socks5://h:1", "http://h:0", ""]
)
def test_an_unusable_proxy_is_an_error_that_keeps_secrets(proxy: str) -> None:
    with pytest.raises(SourceError, match="the proxy is not named by an http or https URL"):
        Network(proxy=proxy)
    with pytest.raises(SourceError) as caught:
        Network(proxy="ftp://someone:secret@h/")
    assert "secret" not in str(caught.value)


def test_a_dead_proxy_is_named_as_the_cause(network: Network) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        proxied = Network(proxy=f"http://127.0.0.1:{deaf.getsockname()[1]}")
        with pytest.raises(UpstreamError, match=r"https://h\.invalid/: no connection through the proxy: "):
            proxied.get("https://h.invalid/", limit=LIMIT)


def test_a_proxy_gets_the_password_and_nobody_else_sees_it(index: FakeIndex) -> None:
    index.routes["http://h.invalid/"] = Route(b"ok", unless=("Proxy-Authorization", "Basic dXNlcjpwJHdk"))
    authority = index.root.partition("//")[2]
    network = Network(proxy=f"http://user:p%24wd@{authority}", trusted_hosts=("h.invalid",))
    assert network.get("http://h.invalid/", limit=LIMIT).status == 304


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (b"garbage\r\n\r\n", "Connection aborted"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n", "Connection aborted"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", "failed to decode"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "Connection broken"),
    ],
)
def test_what_is_no_http(network: Network, answer: bytes, cause: str) -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    with pytest.raises(UpstreamError, match=cause) as caught:
        network.get(f"http://127.0.0.1:{listener.getsockname()[1]}/", limit=LIMIT)
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    assert str(caught.value).isprintable()
