from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest

from tests.making import make_wheel
from tests.variant_index.shim.family import (
    NAME,
    SIDECAR,
    add_family,
    cpu_machine,
    write_release,
    write_sidecar,
)
from tests.variant_index.shim.serving import Shim, running_shim
from tests.variant_index.upstream.fake_index import FakeIndex, Route
from variant_index.detection import DetectionError
from variant_index.model.machine import MachineProfile
from variant_index.shim import request_head
from variant_index.shim.connections import OpenConnections
from variant_index.shim.journal import Journal
from variant_index.shim.server import EndpointError, ShimServer
from variant_index.simple_api.page import ProjectFile, ProjectPage
from variant_index.simple_api.render import HTML_TYPE, JSON_TYPE, render_html, render_json
from variant_index.upstream.network import Network
from variant_index.upstream.source import Source

PIP_ACCEPT = f"{JSON_TYPE}, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"
CHOSEN = f"{NAME}-2.0-0_cu128-py3-none-any.whl"
PLAIN = ProjectFile(
    "a-1.0-py3-none-any.whl", "https://files.example/a-1.0-py3-none-any.whl", {"sha256": "0" * 64}
)


@pytest.fixture
def index() -> Iterator[FakeIndex]:
    with FakeIndex() as index:
        yield index


@pytest.fixture
def shim(index: FakeIndex) -> Iterator[Shim]:
    with running_shim(index.url) as shim:
        yield shim


def test_a_page_without_variants_passes_byte_for_byte(index: FakeIndex, shim: Shim) -> None:
    index.routes["/simple/a/"] = Route(
        b' { "files" : [ ], "meta": {"api-version": "1.9"}, "own": 1 }', JSON_TYPE
    )
    index.routes["/simple/b/"] = Route(
        b'<a href="https://h.example/b-1.tar.gz#md5=0123456789abcdef0123456789abcdef">b</a><!-- kept -->',
        HTML_TYPE,
    )
    for name in "ab":
        answer = shim.ask(f"{name}/", accept=PIP_ACCEPT)
        assert answer.body == index.routes[f"/simple/{name}/"].body
        assert answer.headers["Content-Type"] == index.routes[f"/simple/{name}/"].content_type
        assert answer.headers["Cache-Control"] == "no-store"
    assert shim.calls == []


@pytest.mark.parametrize(
    ("form", "body"),
    [
        (
            JSON_TYPE,
            render_json(ProjectPage("a", (replace(PLAIN, url=f"../../f/{PLAIN.filename}"),))),
        ),
        (HTML_TYPE, f"<A HREF = ../../f/{PLAIN.filename}#sha256={'0' * 64} >x</A>".encode()),
        (HTML_TYPE, f"<base href='/f/'><a\nhref='{PLAIN.filename}#sha256={'0' * 64}'>x</a>".encode()),
        (
            HTML_TYPE,
            (
                b'<a href="https://h.example/b.whl#md5=0123456789abcdef0123456789abcdef">b</a>'
                b'<A href="../../f/%b#md5=0123456789abcdef0123456789abcdef">x</A>'
            )
            % PLAIN.filename.encode(),
        ),
    ],
)
def test_relative_links_are_made_absolute(index: FakeIndex, shim: Shim, form: str, body: bytes) -> None:
    index.routes["/simple/a/"] = Route(body, form)
    for accept in (JSON_TYPE, PIP_ACCEPT):
        assert (
            shim.ask("a/", accept=accept).files()[PLAIN.filename]["url"] == f"{index.root}/f/{PLAIN.filename}"
        )


def test_each_client_gets_the_form_it_takes(index: FakeIndex, shim: Shim) -> None:
    for served in (JSON_TYPE, HTML_TYPE):
        index.add_project("a", [PLAIN], served)
        assert PLAIN.filename in shim.ask("a/", accept=JSON_TYPE).files()
        page = shim.ask("a/", accept="text/html")
        assert page.headers["Content-Type"].startswith(HTML_TYPE)
        assert f"#sha256={'0' * 64}".encode() in page.body
    assert shim.ask("a/", accept=None).headers["Content-Type"].startswith(HTML_TYPE)
    assert shim.ask("a/", accept="image/png").status == 406


def test_only_the_chosen_variant_is_listed_and_linked_here(
    index: FakeIndex, shim: Shim, tmp_path: Path
) -> None:
    upstream = {file.filename: file for file in add_family(index, tmp_path)}
    files = shim.ask(f"{NAME}/").files()
    assert list(files) == [f"{NAME}-1.0-py3-none-any.whl", CHOSEN]
    original = upstream[f"{NAME}-2.0-py3-none-any-cu128.whl"]
    assert files[CHOSEN]["hashes"] == original.hashes
    assert files[CHOSEN]["core-metadata"] == original.core_metadata
    assert files[f"{NAME}-1.0-py3-none-any.whl"]["url"].startswith(index.root)
    assert files[CHOSEN]["url"].startswith(shim.index_url.removesuffix("simple/") + "f/")
    assert urlsplit(files[CHOSEN]["url"]).path.endswith(f"/{CHOSEN}")
    assert shim.calls == ["machine", "tags"]


def test_a_renamed_wheel_has_no_provenance(index: FakeIndex, shim: Shim, tmp_path: Path) -> None:
    """What was attested has another name; the plain wheel keeps its own."""
    files = [replace(file, provenance="https://x/p") for file in add_family(index, tmp_path)]
    index.add_project(NAME, files)
    shown = shim.ask(f"{NAME}/").files()
    assert "provenance" not in shown[CHOSEN]
    assert shown[f"{NAME}-1.0-py3-none-any.whl"]["provenance"] == "https://x/p"


def test_the_file_is_a_redirect_that_is_not_stored(index: FakeIndex, shim: Shim, tmp_path: Path) -> None:
    add_family(index, tmp_path)
    url = shim.ask(f"{NAME}/").files()[CHOSEN]["url"]
    target = f"{index.root}/files/{NAME}-2.0-py3-none-any-cu128.whl"
    for method in ("GET", "HEAD"):
        for suffix in ("", ".metadata"):
            answer = shim.ask(url + suffix, method)
            assert (answer.status, answer.headers["Location"]) == (302, target + suffix)
            assert answer.headers["Cache-Control"] == "no-store"
    # No wheel passes through the shim: it reads the sidecar, and once the end of the chosen wheel.
    assert index.asked("/files/") == 2
    assert len(index.ranges) == 1
    assert shim.ask(url + ".asc").status == 404
    assert shim.ask(url.replace(CHOSEN, "other-1.0-py3-none-any.whl")).status == 404


def test_percent_encoding_of_the_target_stays(index: FakeIndex, shim: Shim, tmp_path: Path) -> None:
    sidecar = index.add_file(write_sidecar(tmp_path, version="2.0"))
    name = f"{NAME}-2.0-py3-none-any-cu128.whl"
    index.add_project(NAME, [ProjectFile(name, f"{index.root}/a%2Bb/{name}", {"sha256": "0" * 64}), sidecar])
    url = shim.ask(f"{NAME}/").files()[CHOSEN]["url"]
    assert shim.ask(url).headers["Location"] == f"{index.root}/a%2Bb/{name}"


def test_downloads_are_journaled_but_not_what_is_read_before(
    index: FakeIndex, shim: Shim, tmp_path: Path
) -> None:
    add_family(index, tmp_path)
    url = shim.ask(f"{NAME}/").files()[CHOSEN]["url"]
    shim.ask(url, "HEAD")
    assert shim.journal.chosen() == []
    shim.ask(url + ".metadata")
    shim.ask(url, headers={"Range": "bytes=-100"})  # the metadata in the wheel
    assert shim.journal.chosen() == []
    shim.ask(url)
    (chosen,) = shim.journal.chosen()
    assert (chosen.name, chosen.version, chosen.label) == (NAME, "2.0", "cu128")


def test_links_stay_the_same_over_requests(index: FakeIndex, shim: Shim, tmp_path: Path) -> None:
    add_family(index, tmp_path)
    assert shim.ask(f"{NAME}/").body == shim.ask(f"{NAME}/").body


@pytest.mark.parametrize("document", [b"not json", b"{}", b'{"$schema": 1}'])
def test_a_bad_document_degrades_to_the_default_wheel_with_a_warning(
    index: FakeIndex, shim: Shim, tmp_path: Path, document: bytes
) -> None:
    files = [index.add_file(path) for path in [*write_release(tmp_path), write_sidecar(tmp_path, document)]]
    index.add_project(NAME, files)
    assert list(shim.ask(f"{NAME}/").files()) == [f"{NAME}-2.0-py3-none-any.whl"]
    (warning,) = shim.journal.warnings
    assert warning.startswith(f"variants of {NAME} 2.0 are ignored: {SIDECAR}: ")
    assert shim.journal.failures == ()


def test_a_document_with_the_wrong_hash_degrades_as_well(
    index: FakeIndex, shim: Shim, tmp_path: Path
) -> None:
    add_family(index, tmp_path)
    index.routes[f"/files/{SIDECAR}"].body += b" "
    assert f"{NAME}-2.0-py3-none-any.whl" in shim.ask(f"{NAME}/").files()
    assert "does not have the sha256" in shim.journal.warnings[0]


@pytest.mark.parametrize("status", [401, 500, 503])
def test_a_failing_index_is_an_error_that_names_it(index: FakeIndex, shim: Shim, status: int) -> None:
    index.routes["/simple/a/"] = Route(status=status)
    answer = shim.ask("a/")
    assert answer.status == 424
    assert index.root in answer.reason
    assert str(status) in answer.reason
    (failure,) = shim.journal.failures
    assert index.root in failure


def test_a_page_that_is_no_page_is_an_error(index: FakeIndex, shim: Shim) -> None:
    for body, kind in ((b"{", JSON_TYPE), (b"{}", JSON_TYPE), (b"Log in", "text/plain"), (b"", "")):
        index.routes["/simple/a/"] = Route(body + b"-variants.json", kind)
        assert shim.ask("a/").status == 424
    assert shim.journal.failures


def test_a_machine_that_cannot_be_examined_is_an_error_and_asked_once(
    index: FakeIndex, tmp_path: Path
) -> None:
    def broken() -> MachineProfile:
        raise DetectionError("a GPU driver is present but did not answer")

    add_family(index, tmp_path)
    index.add_project("a", [PLAIN])
    with running_shim(index.url, machine=broken) as shim:
        assert [shim.ask(f"{NAME}/").status for _ in range(3)] == [424] * 3
        assert shim.ask("a/").status == 200
        assert shim.calls == ["machine"]
        assert shim.journal.failures == ("a GPU driver is present but did not answer",)


def test_a_fault_of_our_own_is_said_in_one_line(index: FakeIndex, tmp_path: Path) -> None:
    def broken() -> MachineProfile:
        raise ZeroDivisionError("oops")

    add_family(index, tmp_path)
    with running_shim(index.url, machine=broken) as shim:
        with pytest.raises((ConnectionError, OSError)):
            shim.ask(f"{NAME}/")
        assert shim.journal.failures == (
            "internal error in the shim, please report it: ZeroDivisionError: oops",
        )


def test_local_indexes_and_folders_are_streamed(index: FakeIndex, tmp_path: Path) -> None:
    for path in write_release(tmp_path / "files"):
        data = path.read_bytes()
        (tmp_path / "files" / f"{path.name}.metadata").write_bytes(b"Name: vtorch\n")
        assert data
    write_sidecar(tmp_path / "files")
    page = ProjectPage(
        NAME,
        tuple(
            ProjectFile(path.name, f"../../files/{path.name}", core_metadata=path.suffix == ".whl")
            for path in sorted((tmp_path / "files").iterdir())
            if path.suffix != ".metadata"
        ),
    )
    (tmp_path / "simple" / NAME).mkdir(parents=True)
    (tmp_path / "simple" / NAME / "index.html").write_bytes(render_html(page))
    links = make_wheel(tmp_path / "links", "b-1.0-py3-none-any.whl")
    with running_shim((tmp_path / "simple").as_uri(), Source.find_links(str(tmp_path / "links"))) as shim:
        entry = shim.ask(f"{NAME}/").files()[CHOSEN]
        wheel = tmp_path / "files" / f"{NAME}-2.0-py3-none-any-cu128.whl"
        assert shim.ask(entry["url"]).body == wheel.read_bytes()
        assert shim.ask(entry["url"] + ".metadata").body == b"Name: vtorch\n"
        head = shim.ask(entry["url"], "HEAD")
        assert (head.status, head.body, head.headers["Content-Length"]) == (
            200,
            b"",
            str(wheel.stat().st_size),
        )
        assert [chosen.label for chosen in shim.journal.chosen()] == ["cu128"]
        assert shim.ask(shim.ask("b/").files()[links.name]["url"]).body == links.read_bytes()
        wheel.unlink()
        assert shim.ask(entry["url"]).status == 404
        assert "listed by its index but not readable" in shim.journal.failures[0]


def test_metadata_of_local_wheels_is_served_apart(tmp_path: Path) -> None:
    good = make_wheel(tmp_path, "b-1.0-py3-none-any.whl", requires_dist=["c"])
    broken = tmp_path / "b-2.0-py3-none-any.whl"
    broken.write_bytes(b"no archive")
    with running_shim(Source.find_links(str(tmp_path))) as shim:
        files = shim.ask("b/").files()
        assert files[good.name]["core-metadata"] is True
        assert b"Requires-Dist: c\n" in shim.ask(files[good.name]["url"] + ".metadata").body
        head = shim.ask(files[good.name]["url"] + ".metadata", "HEAD")
        assert (head.status, head.body) == (200, b"")
        # What we cannot read is the client's to judge.
        assert "core-metadata" not in files[broken.name]
        assert shim.ask(files[broken.name]["url"]).body == b"no archive"
        make_wheel(tmp_path, good.name, requires_dist=["other"])
        assert b"Requires-Dist: other\n" in shim.ask(files[good.name]["url"] + ".metadata").body


@pytest.mark.parametrize(
    "address", ["file:///", "file:///a%00b", "file:///dev/zero", "file:///nonexistent", ".", "pipe"]
)
def test_odd_addresses_in_a_local_index(tmp_path: Path, address: str) -> None:
    (tmp_path / "a").mkdir()
    os.mkfifo(tmp_path / "a" / "pipe")
    (tmp_path / "a" / "index.json").write_bytes(
        render_json(ProjectPage("a", (ProjectFile(PLAIN.filename, address),)))
    )
    with running_shim(tmp_path.as_uri()) as shim:
        answer = shim.ask("a/")
        if answer.status == 200:
            url = answer.files()[PLAIN.filename]["url"]
            assert (shim.ask(url).status, shim.ask(url + ".metadata").status) == (404, 404)
        assert shim.journal.failures
        assert not any("internal error" in failure for failure in shim.journal.failures)


def test_pages_of_the_network_never_lead_to_local_files(index: FakeIndex, shim: Shim, tmp_path: Path) -> None:
    secret = tmp_path / "a-1.0-py3-none-any.whl"
    secret.write_bytes(b"secret")
    index.add_project("a", [ProjectFile(secret.name, secret.as_uri())])
    assert shim.ask("a/").files() == {}


def test_the_first_source_that_has_the_project_answers(index: FakeIndex) -> None:
    with FakeIndex() as second:
        index.add_project("a", [PLAIN])
        second.add_project("b", [PLAIN])
        with running_shim(index.url, second.url) as shim:
            assert shim.ask("a/").status == shim.ask("b/").status == 200
            answer = shim.ask("c/")
            assert (answer.status, answer.reason) == (404, "no source has project c")
            assert shim.journal.failures == ()


def test_names_are_redirected_to_their_normal_form(shim: Shim) -> None:
    for asked in ("Foo.Bar/", "foo-bar", "FOO__bar", "foo%2Ebar/"):
        answer = shim.ask(asked)
        # A relative one, for behind a proxy the shim does not know under which address it is asked.
        found = urljoin(shim.index_url + asked, answer.headers["Location"])
        assert (answer.status, found) == (302, f"{shim.index_url}foo-bar/")


def test_other_routes(shim: Shim) -> None:
    assert json.loads(shim.ask("").body)["projects"] == []
    for path in ("a/json", "a/b/", "a//", "/", "", "../f/", "../f/0/x.whl", "../other/"):
        assert shim.ask(path).status == (200 if path == "" else 404)


@pytest.mark.parametrize(
    "name", ["..", "%2e%2e", "%2e%2e%2fetc", "a%00", "a%0d%0aX-Evil:%201", "%C3%A4", "a%20b", "-", "."]
)
def test_names_that_are_none_reach_nothing(index: FakeIndex, shim: Shim, name: str) -> None:
    answer = shim.ask(f"{name}/")
    assert answer.status == 404
    assert "X-Evil" not in answer.headers
    assert index.requests == []


def test_without_the_token_there_is_nothing(index: FakeIndex, shim: Shim) -> None:
    index.add_project("a", [PLAIN])
    token = shim.index_url.split("/")[3]
    assert len(token) == 32  # 192 bits
    for path in (
        "/simple/a/",
        f"/{token[:-1]}/simple/a/",
        f"/{token}x/simple/a/",
        f"/{token.upper()}/simple/a/",
        "//simple/a/",
    ):
        answer = shim.ask(path)
        assert (answer.status, answer.body) == (404, b"not found\n")
    assert index.requests == []


def raw(shim: Shim, request: bytes) -> bytes:
    host, _, port = shim.authority.partition(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer


@pytest.mark.parametrize(
    "hosts",
    [
        (),
        ("evil.example",),
        ("localhost:{port}",),
        ("127.0.0.1",),
        ("{host}", "evil.example"),
        ("evil.example@{host}",),
    ],
)
def test_another_host_header_is_refused(index: FakeIndex, shim: Shim, hosts: tuple[str, ...]) -> None:
    port = shim.authority.partition(":")[2]
    lines = "".join(f"Host: {host.format(host=shim.authority, port=port)}\r\n" for host in hosts)
    answer = raw(shim, f"GET {urlsplit(shim.index_url).path}a/ HTTP/1.1\r\n{lines}\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 421 ")
    assert index.requests == []


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE", "PATCH"])
def test_other_methods_are_not_allowed(shim: Shim, method: str) -> None:
    answer = shim.ask("a/", method)
    assert (answer.status, answer.headers["Allow"], answer.headers["Connection"]) == (
        405,
        "GET, HEAD",
        "close",
    )
    assert shim.ask("a/", "BREW").status == 501


@pytest.mark.parametrize(
    ("extra", "status"),
    [
        (b"Content-Length: 5\r\n", 400),
        (b"Transfer-Encoding: chunked\r\n", 400),
        (b"".join(b"X-%d: y\r\n" % number for number in range(200)), 431),
        (b"X: " + b"y" * 70_000 + b"\r\n", 431),
    ],
)
def test_smuggled_and_oversized_requests_end_the_connection(shim: Shim, extra: bytes, status: int) -> None:
    path = urlsplit(shim.index_url).path
    head = f"GET {path}a/ HTTP/1.1\r\nHost: {shim.authority}\r\n".encode()
    answer = raw(shim, head + extra + b"\r\nhello" + head + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.count(b"HTTP/1.1") == 1


def test_long_addresses_are_refused(shim: Shim) -> None:
    assert shim.ask("a" * 5000).status == 414
    assert shim.ask("a" * 70_000).status == 414


def test_garbage_does_not_disturb_others(index: FakeIndex, shim: Shim) -> None:
    index.add_project("a", [PLAIN])
    for request in (b"\x00\xff\xfe\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\r\n\r\n\r\n", b""):
        raw(shim, request)
    assert shim.ask("a/").status == 200
    assert shim.journal.failures == ()


def test_a_connection_serves_many_requests_without_delay(index: FakeIndex, shim: Shim) -> None:
    index.add_project("a", [PLAIN])
    path = urlsplit(shim.index_url).path
    request = f"GET {path}a/ HTTP/1.1\r\nHost: {shim.authority}\r\nAccept: {JSON_TYPE}\r\n\r\n".encode()
    length = len(raw(shim, request))
    host, _, port = shim.authority.partition(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:

        def seconds() -> float:
            started = time.monotonic()
            for _ in range(50):
                connection.sendall(request)
                got = 0
                while got < length:
                    got += len(connection.recv(65536))
            return time.monotonic() - started

        # 50 delayed acknowledgements would take 2 s. A busy machine has pauses too, but not always.
        assert any(seconds() < 1.5 for _ in range(20))


def test_idle_connections_do_not_keep_others_out(index: FakeIndex, shim: Shim) -> None:
    index.add_project("a", [PLAIN])
    host, _, port = shim.authority.partition(":")
    idle = [socket.create_connection((host, int(port))) for _ in range(100)]
    assert shim.ask("a/").status == 200
    for connection in idle:
        connection.close()


def test_half_open_connections_do_not_keep_others_out(
    index: FakeIndex, shim: Shim, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_head, "HEAD_SECONDS", 600)
    index.add_project("a", [PLAIN])
    host, _, port = shim.authority.partition(":")
    connections = [socket.create_connection((host, int(port)), timeout=60) for _ in range(300)]
    for connection in connections[200:]:
        connection.sendall(b"GET /half HTTP/1.1\r\nHost:")
    assert [shim.ask("a/").status for _ in range(20)] == [200] * 20
    assert connections[0].recv(1) == b""  # those that waited longest were closed
    for connection in connections:
        connection.close()


def test_a_connection_that_is_answered_is_never_closed_for_another(index: FakeIndex, shim: Shim) -> None:
    index.add_project("a", [PLAIN])
    index.routes["/simple/a/"].seconds_before = 1
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(shim.ask, "a/")
        while not index.requests:
            time.sleep(0.01)
        host, _, port = shim.authority.partition(":")
        others = [socket.create_connection((host, int(port)), timeout=60) for _ in range(300)]
        assert slow.result().status == 200
    for connection in others:
        connection.close()


def test_no_more_are_answered_at_once_than_the_limit() -> None:
    connections, others = OpenConnections(2), [socket.socket() for _ in range(4)]
    assert connections.admit(others[0])
    assert connections.admit(others[1])
    for connection in others[:2]:
        connections.answer(connection)
    assert not connections.admit(others[2])
    connections.wait(others[1])
    assert connections.admit(others[2])  # in the place of the one that waits
    connections.answer(others[1])
    connections.answer(others[2])
    assert not connections.admit(others[3])
    connections.leave(others[0])
    assert connections.admit(others[3])
    for connection in others:
        connection.close()


def test_many_clients_at_once_detect_once(index: FakeIndex, tmp_path: Path) -> None:
    add_family(index, tmp_path)

    def slow() -> MachineProfile:
        time.sleep(0.2)
        return cpu_machine()

    with running_shim(index.url, machine=slow) as shim, ThreadPoolExecutor(16) as pool:
        bodies = set(pool.map(lambda _: shim.ask(f"{NAME}/").body, range(32)))
        assert len(bodies) == 1
        assert shim.calls == ["machine", "tags"]


def test_a_taken_port_is_an_error(index: FakeIndex) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EndpointError, match=f"cannot listen on 127.0.0.1 port {port}"):
            ShimServer([], Network(), cpu_machine, lambda: None, Journal(), port=port)  # type: ignore[arg-type,return-value]


def test_it_stops_at_once_and_leaves_no_thread(index: FakeIndex) -> None:
    before = threading.active_count()
    with running_shim(index.url) as shim:
        shim.ask("a/")
        started = time.monotonic()
    assert time.monotonic() - started < 20
    assert threading.active_count() <= before + 1
    with pytest.raises(OSError, match="refused"):
        shim.ask("a/")


def test_it_listens_on_loopback_only(shim: Shim) -> None:
    assert shim.authority.startswith("127.0.0.1:")
