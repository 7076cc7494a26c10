"""Files of indexes that need a login, as a client without one gets them."""

from __future__ import annotations

import hashlib
import http.client
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.making import make_wheel
from tests.variant_index.shim.family import NAME, add_family
from tests.variant_index.shim.serving import Shim, running_shim
from tests.variant_index.upstream.fake_index import FakeIndex, Route
from variant_index.errors import UpstreamError
from variant_index.shim.file_table import FileTable
from variant_index.shim.present import Listed
from variant_index.shim.relay import relay
from variant_index.simple_api.page import ProjectFile
from variant_index.simple_api.render import HTML_TYPE
from variant_index.upstream.credentials import Credentials
from variant_index.upstream.network import Network
from variant_index.upstream.source import Source

WHEEL = "a-1.0-py3-none-any.whl"


@pytest.fixture
def index(tmp_path: Path) -> Iterator[FakeIndex]:
    """Serve `a` and the family, to `user` only."""
    with FakeIndex() as index:
        index.add_project("a", [index.add_file(make_wheel(tmp_path, WHEEL))])
        add_family(index, tmp_path / "family")
        index.login = "user:secretword"
        yield index


@contextmanager
def shim_for(index: FakeIndex) -> Iterator[Shim]:
    with running_shim(Source(index.url.replace("://", "://user:secretword@"))) as shim:
        yield shim


@pytest.fixture
def shim(index: FakeIndex) -> Iterator[Shim]:
    with shim_for(index) as shim:
        yield shim


def test_files_come_through_the_shim_unchanged(index: FakeIndex, shim: Shim) -> None:
    entry = shim.ask("a/").files()[WHEEL]
    assert entry["url"].startswith(f"http://{shim.authority}/")
    answer = shim.ask(entry["url"])
    original = index.routes[f"/files/{WHEEL}"].body
    assert (answer.status, answer.body) == (200, original)
    assert answer.headers["Content-Length"] == str(len(original))
    assert answer.headers["Cache-Control"] == "no-store"
    assert hashlib.sha256(answer.body).hexdigest() == entry["hashes"]["sha256"]
    metadata = shim.ask(entry["url"] + ".metadata")
    assert hashlib.sha256(metadata.body).hexdigest() == entry["core-metadata"]["sha256"]


def test_variants_come_through_the_shim_too(index: FakeIndex, shim: Shim) -> None:
    entry = shim.ask(f"{NAME}/").files()[f"{NAME}-2.0-0_cu128-py3-none-any.whl"]
    answer = shim.ask(entry["url"])
    assert (answer.status, "Location" in answer.headers) == (200, False)
    assert hashlib.sha256(answer.body).hexdigest() == entry["hashes"]["sha256"]
    assert {line.rpartition(" ")[2] for line in index.logins} == {"user:secretword"}


def test_html_clients_get_the_same_links(shim: Shim) -> None:
    page = shim.ask("a/", accept=HTML_TYPE).body.decode()
    assert f'href="http://{shim.authority}/' in page
    assert "secretword" not in page


def test_head_and_ranges(index: FakeIndex, shim: Shim) -> None:
    url = shim.ask("a/").files()[WHEEL]["url"]
    body = index.routes[f"/files/{WHEEL}"].body
    head = shim.ask(url, "HEAD")
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(body)))
    assert f"HEAD /files/{WHEEL}" in index.requests
    part = shim.ask(url, headers={"Range": "bytes=-22"})
    assert (part.status, part.body) == (206, body[-22:])
    assert part.headers["Content-Range"] == f"bytes {len(body) - 22}-{len(body) - 1}/{len(body)}"
    assert shim.ask(url, headers={"Range": f"bytes={len(body)}-"}).status == 416


def test_only_the_server_that_the_login_belongs_to_gets_it(index: FakeIndex, tmp_path: Path) -> None:
    with FakeIndex() as other:
        elsewhere = other.add_file(make_wheel(tmp_path / "b", "b-1.0-py3-none-any.whl"))
        index.add_project("b", [elsewhere])
        with shim_for(index) as shim:
            entry = shim.ask("b/").files()[elsewhere.filename]
            assert entry["url"] == elsewhere.url  # public, so the client is sent there
        assert other.logins == []


def test_a_file_that_is_redirected_elsewhere_loses_the_login(index: FakeIndex, shim: Shim) -> None:
    with FakeIndex() as storage:
        storage.routes["/signed"] = index.routes[f"/files/{WHEEL}"]
        index.routes[f"/files/{WHEEL}"] = Route(status=302, headers={"Location": f"{storage.root}/signed"})
        answer = shim.ask(shim.ask("a/").files()[WHEEL]["url"])
        assert (answer.status, answer.body) == (200, storage.routes["/signed"].body)
        assert storage.logins == []


def test_what_clients_send_is_not_sent_on(index: FakeIndex, shim: Shim) -> None:
    """pip sends netrc's entry for 127.0.0.1 to the shim."""
    stranger = {"Authorization": "Basic c3RyYW5nZXI6cHc=", "Cookie": "a=b"}
    assert shim.ask("a/", headers=stranger).status == 200
    url = shim.ask("a/").files()[WHEEL]["url"]
    assert shim.ask(url, headers=stranger).status == 200
    assert not any("stranger" in line for line in index.logins)


@pytest.mark.parametrize("status", [401, 403, 418, 500])
def test_failures_are_said_and_show_no_secret(index: FakeIndex, shim: Shim, status: int) -> None:
    url = shim.ask("a/").files()[WHEEL]["url"]
    index.routes[f"/files/{WHEEL}"] = Route(status=status)
    answer = shim.ask(url)
    assert answer.status == 424
    (failure,) = shim.journal.failures
    assert f"/files/{WHEEL} answered {status}" in failure
    assert "secretword" not in failure + answer.body.decode() + answer.reason


def test_a_file_that_is_gone(index: FakeIndex, shim: Shim) -> None:
    url = shim.ask("a/").files()[WHEEL]["url"]
    del index.routes[f"/files/{WHEEL}"]
    assert shim.ask(url).status == 404


def test_a_broken_file_never_looks_complete(index: FakeIndex, shim: Shim) -> None:
    url = shim.ask("a/").files()[WHEEL]["url"]
    route = index.routes[f"/files/{WHEEL}"]
    index.routes[f"/files/{WHEEL}"] = replace(route, body=route.body[:50], promised=len(route.body))
    with pytest.raises(http.client.IncompleteRead):
        shim.ask(url)
    assert any(WHEEL in failure for failure in shim.journal.failures)


@pytest.mark.parametrize("complete", [True, False])
def test_a_file_of_unknown_length(index: FakeIndex, tmp_path: Path, complete: bool) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    origin = f"http://127.0.0.1:{listener.getsockname()[1]}"

    def serve() -> None:
        for _ in range(2):
            connection, _ = listener.accept()
            with connection:
                request = connection.recv(65536)
                if b"GET /simple/a/" in request:
                    link = f'<a href="/f/{WHEEL}#md5=0123456789abcdef0123456789abcdef">{WHEEL}</a>'
                    page = f"<!DOCTYPE html><html><body>{link}</body></html>".encode()
                    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n" % len(page)
                    connection.sendall(head + b"Connection: close\r\n\r\n" + page)
                else:
                    end = b"0\r\n\r\n" if complete else b""
                    odd = b"ETag: \xff\xfe\r\nX-Other: y\r\nSet-Cookie: z\r\n"
                    head = b"HTTP/1.1 200 OK\r\n" + odd + b"Transfer-Encoding: chunked\r\n\r\n"
                    connection.sendall(head + b"3\r\nabc\r\n2\r\nde\r\n" + end)

    threading.Thread(target=serve, daemon=True).start()
    with running_shim(Source(f"{origin.replace('://', '://user:pw@')}/simple/")) as shim:
        url = shim.ask("a/").files()[WHEEL]["url"]
        if complete:
            answer = shim.ask(url)
            assert answer.body == b"abcde"
            assert not answer.headers.keys() & {"ETag", "X-Other", "Set-Cookie"}
        else:
            with pytest.raises((http.client.IncompleteRead, http.client.HTTPException)):
                shim.ask(url)
    listener.close()


def test_a_page_elsewhere_cannot_fetch_from_this_machine_with_the_login(index: FakeIndex) -> None:
    source = Source(index.url.replace("://", "://user:secretword@"))
    network = Network(credentials=Credentials([source]))
    table = FileTable("http://127.0.0.1:1/t/f/", b"key")
    link = table.add(Listed(ProjectFile(WHEEL, f"{index.root}/f", listed_by="https://8.8.8.8/simple/a/")))
    target = table.find(link.split("/")[-2])
    assert target is not None
    with pytest.raises(UpstreamError, match="127"), relay(network, target.url, "GET", {}, target.listed_by):
        pass
    assert index.requests == []


@pytest.mark.parametrize("by_ranges", [False, True])
def test_uv_installs_from_a_private_index(
    index: FakeIndex, shim: Shim, tmp_path: Path, by_ranges: bool
) -> None:
    """uv knows nothing of the login; what has no metadata beside it is read by ranges."""
    if by_ranges:
        del index.routes[f"/files/{WHEEL}.metadata"]
        listed = index.add_file(tmp_path / WHEEL)
        del index.routes[f"/files/{WHEEL}.metadata"]
        index.add_project("a", [replace(listed, core_metadata=False)])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("UV_", "VIRTUAL_ENV"))}
    place = ["--python", sys.executable, "--target", str(tmp_path / "target")]
    done = subprocess.run(
        [sys.executable, "-m", "uv", "pip", "install", "a", NAME, *place, "--default-index", shim.index_url],
        env={**kept, "UV_CACHE_DIR": str(tmp_path / "cache"), "UV_NO_CONFIG": "1", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "target" / "a.py").exists()
    assert "cu128" in (tmp_path / "target" / f"{NAME}.py").read_text()
    assert "secretword" not in done.stdout + done.stderr


def test_nothing_reaches_a_file_without_its_link(shim: Shim) -> None:
    url = shim.ask("a/").files()[WHEEL]["url"]
    folder = urlsplit(url).path.rpartition("/")[0]
    for path in (f"{folder}/other.whl", f"/f/{WHEEL}", f"{folder}x/{WHEEL}"):
        assert shim.ask(path).status == 404
