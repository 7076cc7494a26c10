"""Uploads over real HTTP: what is published, what is refused and how, and that nothing half is left."""

from __future__ import annotations

import base64
import hashlib
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.making import make_wheel
from tests.variant_index.publish.family import CU128, CU130, make_variant
from tests.variant_index.publish.folder.crash import consistent_pages
from tests.variant_index.upload.sending import BOUNDARY, TOKEN, Running, form, running, upload_form
from variant_index.publish.lock import lock_folder
from variant_index.publish.store import StoreError

PLAIN = "vdemo-1.0-py3-none-any.whl"
VARIANT = "vdemo-1.0-py3-none-any-cu128.whl"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "out", max_bytes=1 << 20, wait=5) as server:
        yield server
        assert server.left() == []
        consistent_pages(server.out)


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return make_wheel(tmp_path / "in", PLAIN)


@pytest.fixture
def variant(tmp_path: Path) -> Path:
    return make_variant(tmp_path / "in", VARIANT, CU128)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_release_grows(server: Running, plain: Path, variant: Path) -> None:
    assert server.listed() == {}
    assert server.upload(variant) == (200, f"{VARIANT}: published\n")
    assert [kind for kind, _ in server.log] == ["note", "warning"]
    assert any("no plain wheel" in text for _, text in server.log)
    server.log.clear()
    assert server.upload(plain)[0] == 200
    assert not any("no plain wheel" in text for _, text in server.log)
    listed = server.listed()
    assert listed[PLAIN] == sha256(plain)
    assert listed[VARIANT] == sha256(variant)
    assert set(listed) == {PLAIN, VARIANT, "vdemo-1.0-variants.json"}


def test_a_source_distribution(server: Running) -> None:
    assert server.post(upload_form("vdemo-1.0.tar.gz", b"anything"))[0] == 200
    assert list(server.listed()) == ["vdemo-1.0.tar.gz"]


def test_the_same_again(server: Running, plain: Path) -> None:
    assert server.upload(plain)[0] == 200
    assert server.upload(plain) == (200, f"{PLAIN}: is published already, with these bytes\n")


def test_other_bytes_are_refused_always(server: Running, plain: Path, tmp_path: Path) -> None:
    assert server.upload(plain)[0] == 200
    other = make_wheel(tmp_path / "other", PLAIN, files={"vdemo.py": b"evil = True\n"})
    for _ in range(2):
        status, text = server.upload(other)
        assert status == 400
        assert text.startswith("File already exists: ")  # what twine --skip-existing looks for
        assert "another version or build number (REL008)" in text
    assert server.listed() == {PLAIN: sha256(plain)}


def test_what_the_check_refuses(server: Running, variant: Path, tmp_path: Path) -> None:
    bad = make_variant(tmp_path / "bad", "vdemo-1.0-py3-none-any-cu128.whl", CU130)
    assert server.upload(variant)[0] == 200
    before = server.listed()
    other = tmp_path / "other" / "vdemo-1.0-1-py3-none-any-cu128.whl"
    other.parent.mkdir()
    other.write_bytes(bad.read_bytes())
    status, text = server.upload(other)
    assert status == 400
    assert "vdemo-1.0-1-py3-none-any-cu128.whl" in text
    assert text.rstrip().endswith(")")  # the rule's code
    assert str(server.out) not in text
    assert server.listed() == before


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x05\x06" + bytes(18)])
def test_not_a_wheel(server: Running, content: bytes) -> None:
    status, text, _ = server.post(upload_form(PLAIN, content))
    assert status == 400
    assert text.startswith(f"{PLAIN}: ")
    assert "(WHL" in text
    assert server.listed() == {}


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        *((name, "not the name of") for name in ("../../x-1.0-py3-none-any.whl", "/etc/x-1.0.tar.gz", "")),
        *((name, "not the name of") for name in ("..", ".x-1.0.tar.gz", "C:x-1.0.tar.gz", "-x-1.0.tar.gz")),
        ("x\u00e4-1.0-py3-none-any.whl", "not the name of"),
        ("x-1.0-py3-none-any.whl\x00", "not the name of"),
        (f"x-1.0-{'y' * 240}.whl", "not the name of"),
        *((name, "its name is not") for name in ("x.whl", "x-1.0.zip", "index.html", "x-1.0.tar.gz.asc")),
        ("vdemo-1.0-variants.json", "the index makes this file"),
    ],
)
def test_a_name_that_is_none(server: Running, tmp_path: Path, name: str, problem: str) -> None:
    before = set(tmp_path.rglob("*"))
    status, text, _ = server.post(upload_form(name, b"x"))
    assert (status, problem in text) == (400, True)
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "fields",
    [
        {"sha256_digest": "0" * 64},
        {"sha256_digest": "no digest"},
        {"md5_digest": "0" * 32},
        {"blake2_256_digest": "0" * 64},
        {"_action": "submit"},
        {"protocol_version": "2"},
        {"sha256_digest": "0" * 2000},
    ],
)
def test_fields_that_do_not_fit(server: Running, plain: Path, fields: dict[str, str]) -> None:
    status, text = server.upload(plain, **fields)
    assert status == 400
    assert text.strip()
    assert server.listed() == {}


def test_fields_of_metadata_do_not_count(server: Running, plain: Path) -> None:
    md5 = hashlib.md5(plain.read_bytes()).hexdigest().upper()
    status, _ = server.upload(plain, name="other", version="9", description="x" * 100_000, md5_digest=md5)
    assert status == 200
    assert list(server.listed()) == [PLAIN]


def test_forms_that_are_no_upload(server: Running, plain: Path) -> None:
    data = plain.read_bytes()
    file, action = (f'; name="content"; filename="{PLAIN}"', data), ('; name=":action"', b"file_upload")
    for parts in (
        [],
        [action],
        [file],
        [action, file, file],
        [action, action, file],
        [action, ('; name="content"', data)],
        [action, file, ('; name="sha256_digest"', hashlib.sha256(data).hexdigest().encode())],
        [action, file, ('; name="x"', bytes((8 << 20) + 1))],
    ):
        assert server.post(form(parts))[0] == 400
    assert server.post(form([action, file])[:-20])[0] == 400
    assert server.post(b"{}", Content_Type="application/json")[0] == 415
    assert server.listed() == {}
    assert server.post(form([file, action]))[0] == 200


def test_too_large(server: Running) -> None:
    big = upload_form(PLAIN, bytes((1 << 20) + 1))
    for body in (big, iter([big])):
        status, text, _ = server.post(body)
        assert status == 400
        assert "larger than 1 MiB" in text
    # This much is refused before anything of it is read; the client still gets the answer.
    status, text, _ = server.post(upload_form(PLAIN, bytes(32 << 20)))
    assert (status, "--max-upload" in text) == (413, True)


def test_in_chunks(server: Running, plain: Path) -> None:
    body = upload_form(PLAIN, plain.read_bytes())
    assert server.post(body[at : at + 100] for at in range(0, len(body), 100))[0] == 200
    assert list(server.listed()) == [PLAIN]


def test_who_may_upload(server: Running, plain: Path) -> None:
    body = upload_form(PLAIN, plain.read_bytes())
    status, _, headers = server.post(body, password=None)
    assert status == 401
    assert headers["WWW-Authenticate"].startswith("Basic realm=")
    for password in ("", TOKEN[:-1], TOKEN + "x"):
        assert server.post(body, password=password)[0] == 403
    # The answer reaches a client that sends a lot before it reads.
    assert server.post(bytes(32 << 20), password="wrong")[0] == 403
    assert server.listed() == {}
    assert not any(TOKEN in text for _, text in server.log)


def test_other_addresses(server: Running, plain: Path) -> None:
    body = upload_form(PLAIN, plain.read_bytes())
    assert server.post(body, Host="rebound.example")[0] == 421
    for path in ("/", "/simple/", "/legacy/x", "/files/vdemo/x/y.whl"):
        status, text, _ = server.post(body, path=path)
        assert (status, server.server.upload_url in text) == (405, True)
    assert server.post(body, path="/legacy")[0] == 200


def _head(length: int) -> bytes:
    word = base64.b64encode(f"u:{TOKEN}".encode()).decode()
    return (
        f"POST /legacy/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {word}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


@pytest.mark.parametrize("cut", [0, 1, 100, 400, -30, -1])
def test_a_connection_that_ends(server: Running, plain: Path, cut: int) -> None:
    body = upload_form(PLAIN, plain.read_bytes())
    answer = server.raw(_head(len(body)) + body[:cut])
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert server.listed() == {}


def test_a_connection_that_breaks(server: Running, plain: Path) -> None:
    body = upload_form(PLAIN, plain.read_bytes())
    with socket.create_connection(("127.0.0.1", server.server.server_port), timeout=60) as client:
        client.sendall(_head(len(body)) + body[:400])
        end = time.monotonic() + 60
        while not server.left() and time.monotonic() < end:
            time.sleep(0.01)
        assert server.left()
        assert server.listed() == {}
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    while server.left() and time.monotonic() < end:
        time.sleep(0.01)
    assert server.listed() == {}


def test_a_silent_client(server: Running, plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from variant_index.publish.serve import IndexHandler

    monkeypatch.setattr(IndexHandler, "timeout", 0.3)
    body = upload_form(PLAIN, plain.read_bytes())
    answer = server.raw(_head(len(body)) + body[:400], end=False)
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_slow_client_is_no_trouble_to_others(server: Running, plain: Path, variant: Path) -> None:
    body = upload_form(PLAIN, plain.read_bytes())
    with socket.create_connection(("127.0.0.1", server.server.server_port), timeout=60) as client:
        client.sendall(_head(len(body)) + body[:400])
        assert server.upload(variant)[0] == 200
        client.sendall(body[400:])
        assert client.recv(100).startswith(b"HTTP/1.1 200 ")
    assert set(server.listed()) == {PLAIN, VARIANT, "vdemo-1.0-variants.json"}


def test_many_at_once(server: Running, tmp_path: Path) -> None:
    paths = [
        make_variant(tmp_path / "in", f"vdemo-1.0-py3-none-any-l{number}.whl", CU128) for number in range(12)
    ]
    with ThreadPoolExecutor(8) as pool:
        assert [status for status, _ in pool.map(server.upload, paths)] == [200] * 12
    assert {path.name: sha256(path) for path in paths}.items() <= server.listed().items()


def test_too_many_at_once(server: Running, plain: Path) -> None:
    for _ in range(16):
        server.server.places.acquire()
    assert server.upload(plain)[0] == 503
    server.server.places.release()
    assert server.upload(plain)[0] == 200


def test_it_waits_for_a_build(server: Running, plain: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        with lock_folder(server.out, "a build"):
            answer = pool.submit(server.upload, plain)
            time.sleep(0.5)
            assert not answer.done()
            assert server.listed() == {}
        assert answer.result()[0] == 200


def test_it_does_not_wait_forever(tmp_path: Path, plain: Path) -> None:
    with running(tmp_path / "out", wait=0.3) as server, lock_folder(server.out, "a build"):
        status, text = server.upload(plain)
        assert (status, "upload it again" in text) == (503, True)
        assert server.left() == []


def test_one_server_for_an_index(server: Running) -> None:
    with pytest.raises(StoreError, match="another upload server"), running(server.out):
        pass


def test_an_index_that_is_damaged(server: Running, plain: Path, variant: Path) -> None:
    assert server.upload(variant)[0] == 200
    page = server.out / "simple" / "vdemo" / "index.json"
    good = page.read_bytes()
    page.write_bytes(b"{")
    other_form = page.with_suffix(".html")
    html = other_form.read_bytes()
    other_form.write_bytes(html[:-1])
    assert server.upload(plain)[0] == 500
    assert page.read_bytes() == b"{"
    other_form.write_bytes(html)  # tells all that the other did
    assert server.upload(plain)[0] == 200
    assert len(page.read_bytes()) > len(good)


def test_a_full_disk(server: Running, plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    from variant_index.publish.folder import exchange

    def full(_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(exchange, "flush", full)
        assert server.upload(plain)[0] == 507
        assert server.listed() == {}
    assert server.upload(plain)[0] == 200
