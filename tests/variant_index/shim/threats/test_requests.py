"""Requests that no installer sends, from anyone on this machine, over real sockets."""

from __future__ import annotations

import hmac
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.variant_index.shim.family import NAME, add_family
from tests.variant_index.shim.serving import Shim, running_shim
from tests.variant_index.upstream.fake_index import FakeIndex
from variant_index.shim import request_head
from variant_index.shim.request_head import MAX_HEAD_BYTES, MAX_HEADERS, MAX_REQUEST_LINE


@pytest.fixture
def index(tmp_path: Path) -> Iterator[FakeIndex]:
    with FakeIndex() as index:
        add_family(index, tmp_path)
        yield index


@pytest.fixture
def shim(index: FakeIndex) -> Iterator[Shim]:
    with running_shim(index.url) as shim:
        yield shim
        # Whatever came in: nobody is told of a fault of ours.
        assert [line for line in shim.journal.failures if "internal error" in line] == []


def connect(shim: Shim) -> socket.socket:
    host, _, port = shim.authority.partition(":")
    return socket.create_connection((host, int(port)), timeout=60)


def raw(shim: Shim, request: bytes) -> bytes:
    """Send bytes and return all that comes back until the shim hangs up."""
    with connect(shim) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer


def head(shim: Shim, target: str = "", extra: bytes = b"", end: bytes = b"\r\n") -> bytes:
    path = target or f"{urlsplit(shim.index_url).path}{NAME}/"
    lines = [f"GET {path} HTTP/1.1".encode(), f"Host: {shim.authority}".encode()]
    return end.join(lines) + end + extra + end


def statuses(answer: bytes) -> list[int]:
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]


def test_the_control_is_answered(shim: Shim) -> None:
    assert statuses(raw(shim, head(shim) + head(shim))) == [200, 200]


@pytest.mark.parametrize(
    "extra",
    [
        b"Content-Length: 5\r\n",
        b"Content-Length: 0\r\nContent-Length: 5\r\n",
        b"Content-Length: 5\r\nContent-Length: 0\r\n",
        b"Content-Length: 0, 5\r\n",
        b"Content-Length: +0\r\n",
        b"content-length:\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding:\r\n",
        b"Transfer-Encoding: identity\r\nContent-Length: 0\r\n",
        b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        b"X: y\r\n Transfer-Encoding: chunked\r\n",
        b"X: y\r\n\tfolded\r\n",
        b" X: y\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Transfer-Encoding\x0b: chunked\r\n",
        b"no colon\r\n",
        b": no name\r\n",
        b"X: a\nTransfer-Encoding: chunked\r\n",
        b"X: a\rTransfer-Encoding: chunked\r\n",
        b"X: \x00\r\n",
        b"From me\r\n",
    ],
)
def test_what_two_readers_could_read_differently_is_refused_once(
    extra: bytes, index: FakeIndex, shim: Shim
) -> None:
    asked = len(index.requests)
    answer = raw(shim, head(shim, extra=extra) + head(shim))
    assert statuses(answer) == [400]
    assert b"Connection: close" in answer
    assert len(index.requests) == asked


@pytest.mark.parametrize("end", [b"\n", b"\r"])
def test_lines_end_in_both_characters(end: bytes, shim: Shim) -> None:
    assert raw(shim, head(shim, end=end)) == b""
    assert statuses(raw(shim, head(shim, end=end) + head(shim))) == [400]


def test_other_versions_and_forms_of_requests(index: FakeIndex, shim: Shim) -> None:
    asked = len(index.requests)
    path = urlsplit(shim.index_url).path
    host = f"Host: {shim.authority}\r\n\r\n".encode()
    assert b"vtorch" not in raw(shim, f"GET {path}{NAME}/\r\n".encode())  # HTTP/0.9
    assert b"vtorch" not in raw(shim, f"GET {path}{NAME}/\r\n".encode() + host)
    for line, status in (
        (f"GET {shim.index_url}{NAME}/ HTTP/1.1", 404),  # as to a proxy
        (f"GET http://evil.example{path}{NAME}/ HTTP/1.1", 404),
        (f"GET //evil.example{path}{NAME}/ HTTP/1.1", 404),
        (f"GET {path.lstrip('/')}{NAME}/ HTTP/1.1", 404),
        ("GET * HTTP/1.1", 404),
        (f"CONNECT {shim.authority} HTTP/1.1", 405),
        (f"GET {path}{NAME}/ HTTP/2.0", 505),
        (f"GET {path}{NAME}/ HTTP/1.1.1", 400),
        (f"GET {path}{NAME}/ x HTTP/1.1", 400),
        (f"GET {path}{NAME}/ HTTP/-1.1", 400),
        (f"get {path}{NAME}/ HTTP/1.1", 501),
        ("PRI * HTTP/2.0", 505),
    ):
        assert statuses(raw(shim, f"{line}\r\n".encode() + host))[:1] == [status], line
    assert len(index.requests) == asked


def test_nothing_large_is_read(shim: Shim) -> None:
    for request, status in (
        (head(shim, "/" + "a" * MAX_REQUEST_LINE), 414),
        (b"G" * (MAX_HEAD_BYTES * 20), 414),
        (head(shim, extra=b"X: y\r\n" * (MAX_HEADERS - 1)), 200),
        (head(shim, extra=b"X: y\r\n" * MAX_HEADERS), 431),
        (head(shim, extra=b"X: " + b"y" * MAX_HEAD_BYTES + b"\r\n"), 431),
        (head(shim, extra=b"X: " + b"y" * (MAX_HEAD_BYTES * 20) + b"\r\n"), 431),
    ):
        assert statuses(raw(shim, request)) == [status]


def test_a_head_that_drips_is_given_up(shim: Shim, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_head, "HEAD_SECONDS", 0.5)
    started = time.monotonic()
    with connect(shim) as connection:
        connection.settimeout(0.05)
        answered = None
        for byte in head(shim, extra=b"X: " + b"y" * 10_000):
            if time.monotonic() - started > 60:
                break
            try:
                connection.sendall(bytes([byte]))
                answered = connection.recv(1)
                break
            except TimeoutError:
                continue
            except ConnectionError:
                answered = b""
                break
    assert answered == b""  # hung up on
    assert time.monotonic() - started < 60


def test_slow_clients_keep_nobody_waiting(shim: Shim) -> None:
    slow = []
    for number in range(200):
        connection = connect(shim)
        slow.append(connection)
        # Some never begin, some never end, some never read the answer.
        connection.sendall((b"", b"GET /", head(shim))[number % 3])
    started = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: shim.ask(f"{NAME}/").status, range(40))) == {200}
    assert time.monotonic() - started < 60
    for connection in slow:
        connection.close()


TRAVERSAL = [
    *(
        "..",
        ".",
        "../..",
        "..%2f..",
        "%2e%2e",
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "%252e%252e%252f",
        "..%5c..",
        "..\\..",
    ),
    *("%00", "a%00", "a%00.whl", "%0d%0aX-Evil:%201", "a%0ab", "%ff", "%c0%ae%c0%ae", "%uff0e", "..;", ";"),
    *(
        "%2fetc%2fpasswd",
        "file:%2f%2f%2fetc%2fpasswd",
        "C:%5cwindows",
        "%7e",
        "~root",
        "a%2f..%2fb",
        "-",
        "_",
        "é",
    ),
]


@pytest.mark.parametrize("name", TRAVERSAL)
def test_no_path_leads_out(name: str, index: FakeIndex, shim: Shim) -> None:
    asked = len(index.requests)
    base = urlsplit(shim.index_url).path
    entry = shim.ask(f"{NAME}/").files()[f"{NAME}-2.0-0_cu128-py3-none-any.whl"]
    file = urlsplit(entry["url"]).path.rpartition("/")[0]
    after = len(index.requests)
    for target in (
        f"{base}{name}",
        f"{base}{name}/",
        f"{base}{name}/{NAME}/",
        f"{base}{NAME}/{name}",
        f"{base}{NAME}/{name}/",
        f"{file}/{name}",
        f"{file}/../{name}",
        f"{file.rpartition('/')[0]}/{name}/{NAME}-2.0-0_cu128-py3-none-any.whl",
        f"{base.replace('/simple/', '')}/{name}",
        f"/{name}{base}{NAME}/",
    ):
        answer = raw(shim, head(shim, target.encode().decode("latin-1") if target.isascii() else target))
        assert statuses(answer)[0] in (302, 400, 404), target
        assert b"X-Evil" not in answer.partition(b"\r\n\r\n")[0]
        assert b"root:" not in answer
        assert b"passwd" not in answer.partition(b"\r\n\r\n")[0]
    assert after == asked + 3  # the page, its document, and the end of the chosen wheel
    assert len(index.requests) == after


def test_the_token_is_compared_in_constant_time(shim: Shim, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[object, object]] = []
    real = hmac.compare_digest

    def watched(left: bytes, right: bytes) -> bool:
        compared.append((left, right))
        return real(left, right)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    token = urlsplit(shim.index_url).path.split("/")[1]
    assert shim.ask(f"/{token[:-1]}x/simple/{NAME}/").status == 404
    assert compared == [(f"{token[:-1]}x".encode(), token.encode())]


def test_a_guess_learns_nothing(index: FakeIndex, shim: Shim) -> None:
    token = urlsplit(shim.index_url).path.split("/")[1]
    asked = len(index.requests)
    answers = set()
    for number in range(200):
        near = number % 2 == 0
        guess = token[:-1] + "!" if near else "!" * len(token)
        # A project that is there and one that is not, a file, the root.
        for rest in (f"simple/{NAME}/", "simple/none/", "f/0/x.whl", ""):
            answer = shim.ask(f"/{guess}/{rest}")
            answers.add((answer.status, answer.body, answer.reason, *sorted(answer.headers)))
    assert len(answers) == 1
    assert {answer[0] for answer in answers} == {404}
    assert len(index.requests) == asked


def test_pages_in_a_browser_get_nothing(index: FakeIndex, shim: Shim) -> None:
    asked = len(index.requests)
    port = shim.authority.rpartition(":")[2]
    path = urlsplit(shim.index_url).path
    for host in (
        "evil.example",
        f"evil.example:{port}",
        f"localhost:{port}",
        f"127.0.0.1.:{port}",
        "127.0.0.1",
    ):
        request = f"GET {path}{NAME}/ HTTP/1.1\r\nHost: {host}\r\nOrigin: http://evil.example\r\n\r\n"
        answer = raw(shim, request.encode())
        assert statuses(answer) == [421]
    answer = raw(shim, head(shim, extra=b"Origin: http://evil.example\r\nSec-Fetch-Mode: cors\r\n"))
    assert b"access-control" not in answer.lower()  # even who knows the token cannot read it from a page
    preflight = head(shim, extra=b"Access-Control-Request-Method: GET\r\n").replace(b"GET", b"OPTIONS", 1)
    assert statuses(raw(shim, preflight)) == [405]
    assert len(index.requests) == asked + 3
