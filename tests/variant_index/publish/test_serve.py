"""The static server over real HTTP: content types, negotiation, and what it must not serve."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.loopback import serving
from tests.variant_index.publish.family import make_family, published_file
from variant_index.publish.build import build_index
from variant_index.publish.byte_range import requested_range
from variant_index.publish.serve import IndexServer, ServeError
from variant_index.simple_api.parse import parse_page
from variant_index.simple_api.render import HTML_TYPE, HTML_V1_TYPE, JSON_TYPE

WHEEL = "vdemo-2.0-py3-none-any-cu128.whl"
FILES = "files/ab/abc"
PIP_ACCEPT = f"{JSON_TYPE}, {HTML_V1_TYPE}; q=0.1, text/html; q=0.01"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IndexServer]:
    folder = tmp_path_factory.mktemp("serve")
    build_index([make_family(folder / "in")], folder / "out", now="2026-01-01T00:00:00Z")
    (folder / "out" / "secret.txt").write_text("secret")
    (folder / "secret.whl").write_text("secret")
    simple = folder / "out" / "simple"
    (simple / "vdemo" / "link-1-py3-none-any.whl").symlink_to(folder / "secret.whl")
    (simple / "vdemo" / ".part-1.whl").write_text("secret")
    (simple / "vdemo" / "notes.txt").write_text("secret")
    (simple / "vdemo" / "vdemo-1.0.tar.gz").write_bytes(b"x" * 300_000)
    (simple / "vdemo" / "vdemo-1.1.tar.gz").write_bytes(PARTS_DATA)
    for name in ("vdemo-2.0-variants.json", f"{WHEEL}", f"{WHEEL}.metadata"):
        place = folder / "out" / FILES / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(published_file(folder / "out", name).read_bytes())
    with serving(IndexServer(folder / "out")) as running:
        yield running


def ask(
    server: IndexServer, path: str, method: str = "GET", **headers: str
) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    try:
        connection.putrequest(method, path, skip_host="Host" in headers)
        for key, value in headers.items():
            connection.putheader(key.replace("_", "-"), value)
        connection.endheaders()
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("path", "accept", "content_type"),
    [
        ("/simple/", None, "text/html; charset=utf-8"),
        ("/simple/", PIP_ACCEPT, JSON_TYPE),
        ("/simple/vdemo/", PIP_ACCEPT, JSON_TYPE),
        ("/simple/vdemo/", "text/html", "text/html; charset=utf-8"),
        ("/simple/vdemo/", HTML_V1_TYPE, HTML_V1_TYPE),
        ("/simple/vdemo/index.html", PIP_ACCEPT, "text/html; charset=utf-8"),
        ("/simple/vdemo/index.json", None, JSON_TYPE),
        ("/files/ab/abc/vdemo-2.0-variants.json", None, "application/json"),
        ("/files/ab/abc/vdemo-2.0-py3-none-any-cu128.whl", None, "application/octet-stream"),
        ("/files/ab/abc/vdemo-2.0-py3-none-any-cu128.whl.metadata", None, "text/plain; charset=utf-8"),
        ("/simple/vdemo/vdemo-1.0.tar.gz", None, "application/gzip"),
        ("/simple/vdemo/?x=1", PIP_ACCEPT, JSON_TYPE),
        ("/simple/vdemo/vdemo%2D1.0.tar.gz", None, "application/gzip"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_content_types(
    server: IndexServer, path: str, accept: str | None, content_type: str, method: str
) -> None:
    status, headers, body = ask(server, path, method, **({"Accept": accept} if accept else {}))
    assert (status, headers["Content-Type"]) == (200, content_type)
    assert headers["Cache-Control"] == "no-cache"
    assert headers["X-Content-Type-Options"] == "nosniff"
    length = int(headers["Content-Length"])
    assert len(body) == (length if method == "GET" else 0)
    assert length > 0


def test_both_forms_are_the_same_page(server: IndexServer) -> None:
    url = f"{server.url}vdemo/"
    pages = [
        parse_page(ask(server, "/simple/vdemo/", Accept=kind)[2], kind, url, "vdemo")
        for kind in (JSON_TYPE, HTML_TYPE)
    ]
    assert [file.url for file in pages[0].files] == [file.url for file in pages[1].files]
    for file in pages[0].files:
        assert ask(server, file.url.removeprefix(f"http://127.0.0.1:{server.server_port}"))[0] == 200


def test_the_page_varies_by_what_is_accepted(server: IndexServer) -> None:
    assert ask(server, "/simple/vdemo/")[1]["Vary"] == "Accept"
    assert ask(server, "/simple/vdemo/", Accept="image/png")[0] == 406


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/", "simple/"),
        ("/simple", "simple/"),
        ("/simple/vdemo", "vdemo/"),
        ("/simple/VDemo/", "../vdemo/"),
        ("/simple/a.b_c/", "../a-b-c/"),
        ("/simple/%0D%0ASet-Cookie/", None),
    ],
)
def test_redirects_to_the_normal_address_wherever_a_proxy_shows_it(
    server: IndexServer, path: str, location: str | None
) -> None:
    status, headers, _ = ask(server, path)
    assert (status, headers["Location"]) == ((302, location) if location else (404, None))


@pytest.mark.parametrize(
    "path",
    [
        "/simple/../secret.txt",
        "/simple/%2e%2e/secret.txt",
        "/secret.txt",
        "/simple/vdemo/..%2f..%2f..%2fsecret.whl",
        "/simple/vdemo/%2e%2e/%2e%2e/%2e%2e/secret.whl",
        "/simple/vdemo/link-1-py3-none-any.whl",
        "/simple/vdemo/.part-1.whl",
        "/simple/vdemo/notes.txt",
        "/files/",
        "/files/ab/",
        "/files/ab/abc/",
        f"/files/ab/{WHEEL}",
        "/files/../secret.whl",
        "/files/ab/abc/..%2f..%2f..%2f..%2fsecret.whl",
        f"/files/ab/abc/x/{WHEEL}",
        "/simple/vdemo/a/b.whl",
        "/simple/vdemo%2Fvdemo-1.0.tar.gz",
        "/simple//vdemo/",
        "/simple/nothing/",
        "/simple/nothing",
        "/simple/vdemo/nothing.whl",
        "/simple/vdemo/json",
        "/simple/vdemo/%00.whl",
        "/simple/vdemo/%ff.whl",
        "/simple/vdemo/C:%5Csecret.whl",
        "/simple/" + "a" * 5000 + ".whl",
        "*",
    ],
)
def test_what_is_not_served(server: IndexServer, path: str) -> None:
    status, _, body = ask(server, path)
    assert status == 404
    assert b"secret" not in body


@settings(max_examples=60)
@given(
    st.lists(
        st.sampled_from(["..", ".", "%2e%2e", "%2F", "simple", "vdemo", "secret.txt", "", "%5c"]), max_size=8
    )
)
def test_no_path_leads_out(server: IndexServer, parts: list[str]) -> None:
    assert b"secret" not in ask(server, "/" + "/".join(parts))[2]


def test_an_unchanged_file_is_not_sent_again(server: IndexServer) -> None:
    _, headers, _ = ask(server, "/simple/vdemo/vdemo-1.0.tar.gz")
    status, _, body = ask(server, "/simple/vdemo/vdemo-1.0.tar.gz", If_None_Match=headers["ETag"])
    assert (status, body) == (304, b"")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:80", 200),
        ("127.0.0.1", 200),
        ("evil.example", 421),
        ("evil:8000", 421),
    ],
)
def test_only_loopback_names_are_answered(server: IndexServer, host: str, status: int) -> None:
    assert ask(server, "/simple/", Host=host)[0] == status


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"])
def test_other_methods_are_not_allowed(server: IndexServer, method: str) -> None:
    status, headers, _ = ask(server, "/simple/", method)
    assert (status, headers["Allow"], headers["Connection"]) == (405, "GET, HEAD", "close")
    assert ask(server, "/simple/", "BREW")[0] == 501


PARTS = "/simple/vdemo/vdemo-1.1.tar.gz"
PARTS_DATA = bytes(range(250)) * 400  # a part of it is sent from memory or by the system


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("bytes=0-0", range(1)),
        ("bytes=10-19", range(10, 20)),
        ("Bytes = 10-", range(10, 100_000)),
        ("bytes=-7", range(99_993, 100_000)),
        ("bytes=-200000", range(100_000)),
        ("bytes=5-70000", range(5, 70_001)),
        ("bytes=99999-200000", range(99_999, 100_000)),
    ],
)
def test_a_part_of_a_file(server: IndexServer, wanted: str, expected: range) -> None:
    status, headers, body = ask(server, PARTS, Range=wanted)
    assert status == 206
    assert body == PARTS_DATA[expected.start : expected.stop]
    assert headers["Content-Range"] == f"bytes {expected[0]}-{expected[-1]}/100000"
    assert headers["Content-Length"] == str(len(expected))


@pytest.mark.parametrize("wanted", ["bytes=100000-", "bytes=100000-100001", "bytes=-0"])
def test_no_part_of_a_file(server: IndexServer, wanted: str) -> None:
    status, headers, body = ask(server, PARTS, Range=wanted)
    assert (status, body, headers["Content-Range"]) == (416, b"", "bytes */100000")


@pytest.mark.parametrize(
    "wanted",
    [
        *("bytes=5-2", "bytes=-", "bytes=1-2,4-5", "lines=1-2", "bytes=a-b", "bytes=+1-2", "bytes"),
        *("bytes=1_0-20", f"bytes={'9' * 40}-"),
    ],
)
def test_odd_ranges_get_the_whole_file(server: IndexServer, wanted: str) -> None:
    status, headers, body = ask(server, PARTS, Range=wanted)
    assert (status, body == PARTS_DATA, headers["Accept-Ranges"]) == (200, True, "bytes")


@given(header=st.from_regex(r"bytes=[0-9]{0,3}-[0-9]{0,3}", fullmatch=True), size=st.integers(0, 500))
def test_a_part_is_within_the_file(header: str, size: int) -> None:
    part = requested_range(header, size)
    first, last = header.removeprefix("bytes=").split("-")
    if part is None:
        assert (first and last and int(last) < int(first)) or not (first or last)
    elif part:
        assert 0 <= part[0] <= part[-1] < size
        wanted = int(last) - int(first) + 1 if first and last else int(last) if last else size
        assert len(part) <= wanted
    else:
        assert size == 0 or (int(first) >= size if first else int(last) == 0)


def test_a_part_of_a_changed_file_is_the_whole_file(server: IndexServer) -> None:
    tag = ask(server, PARTS)[1]["ETag"]
    assert ask(server, PARTS, Range="bytes=1-2", If_Range=tag)[0] == 206
    for other in ('"other"', f"W/{tag}", "Wed, 21 Oct 2015 07:28:00 GMT"):
        assert ask(server, PARTS, Range="bytes=1-2", If_Range=other)[0] == 200
    assert ask(server, PARTS, Range="bytes=1-2", If_None_Match=tag)[0] == 304


def test_a_head_has_no_parts(server: IndexServer) -> None:
    status, headers, body = ask(server, PARTS, "HEAD", Range="bytes=1-2")
    assert (status, body, headers["Content-Length"], headers["Accept-Ranges"]) == (
        200,
        b"",
        "100000",
        "bytes",
    )


def test_a_kept_connection_answers_without_the_40_ms_pause(server: IndexServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)

    def seconds() -> float:
        start = time.perf_counter()
        for _ in range(50):
            connection.request("GET", "/simple/vdemo/", headers={"Accept": JSON_TYPE})
            assert connection.getresponse().read()
        return time.perf_counter() - start

    # A busy machine has pauses too, but not always.
    assert any(seconds() < 50 * 0.02 for _ in range(20))
    connection.close()


def test_a_client_that_goes_away_is_no_error(server: IndexServer, capfd: pytest.CaptureFixture[str]) -> None:
    for _ in range(5):
        client = socket.create_connection(("127.0.0.1", server.server_port))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # close with a reset
        client.sendall(b"GET /simple/vdemo/vdemo-1.0.tar.gz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        client.close()
    assert ask(server, "/simple/")[0] == 200
    time.sleep(0.1)
    assert capfd.readouterr() == ("", "")


def test_what_cannot_be_served(server: IndexServer, tmp_path: Path) -> None:
    with pytest.raises(ServeError, match="no index here"):
        IndexServer(tmp_path)
    with pytest.raises(ServeError, match="--port"):
        IndexServer(server.root, server.server_port)
    with pytest.raises(ServeError, match="65535"):
        IndexServer(server.root, 70_000)
