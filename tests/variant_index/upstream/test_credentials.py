"""Logins over real HTTP: which request carries which, and that no other server ever sees one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.variant_index.upstream.fake_index import FakeIndex, Route
from tests.variant_index.upstream.keyrings import make_program
from variant_index.errors import UpstreamError
from variant_index.upstream.credentials import Credentials, read_netrc
from variant_index.upstream.keyring import Keyring
from variant_index.upstream.login import Login
from variant_index.upstream.network import Network
from variant_index.upstream.project import Upstream
from variant_index.upstream.source import Source

LIMIT = 1 << 20
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="scripts as programs")


@pytest.fixture
def index() -> Iterator[FakeIndex]:
    with FakeIndex() as index:
        index.login = "user:p w"
        index.routes["/simple/x/"] = Route(b"page", "text/html")
        yield index


@pytest.fixture
def other() -> Iterator[FakeIndex]:
    with FakeIndex() as other:
        other.routes["/x"] = Route(b"elsewhere")
        yield other


def with_login(index: FakeIndex, login: str = "user:p%20w", path: str = "/simple/") -> Source:
    return Source(f"{index.root.replace('://', f'://{login}@')}{path}")


def network(*sources: Source, home: Path | None = None, keyring: Keyring | None = None) -> Network:
    environment = None if home is None else {"HOME": str(home)}
    return Network(credentials=Credentials(sources, environment=environment, keyring=keyring))


def write_netrc(home: Path, text: str) -> Path:
    (home / ".netrc").write_text(text)
    (home / ".netrc").chmod(0o600)
    return home


def test_the_urls_login_is_sent_at_once_and_to_its_server_only(index: FakeIndex, other: FakeIndex) -> None:
    source = with_login(index)
    asking = network(source)
    assert asking.get(source.project_url("x"), limit=LIMIT).body == b"page"
    assert asking.get(f"{other.root}/x", limit=LIMIT).body == b"elsewhere"
    assert index.requests == ["GET /simple/x/"]
    assert index.logins == ["/simple/x/ user:p w"]
    assert other.logins == []
    assert asking.needs_login(f"{index.root}/files/x.whl")
    assert not asking.needs_login(f"{other.root}/x")


def test_without_a_login_the_answer_is_401_with_the_remedy(index: FakeIndex) -> None:
    source = Source(index.url)
    with pytest.raises(UpstreamError) as caught:
        Upstream([source], network(source)).project("x")
    message = str(caught.value)
    assert f"index {index.url} answered 401 for project x" in message
    assert "netrc or the keyring" in message


def test_a_redirect_to_another_server_loses_the_login(index: FakeIndex, other: FakeIndex) -> None:
    source = with_login(index)
    index.routes["/simple/x/"] = Route(status=302, headers={"Location": f"{other.root}/x"})
    assert network(source).get(source.project_url("x"), limit=LIMIT).body == b"elsewhere"
    assert other.logins == []


def test_a_redirect_there_and_back_has_lost_it(index: FakeIndex, other: FakeIndex) -> None:
    source = with_login(index)
    index.routes["/simple/x/"] = Route(status=302, headers={"Location": f"{other.root}/back"})
    other.routes["/back"] = Route(status=302, headers={"Location": f"{index.root}/secret"})
    index.routes["/secret"] = Route(b"secret")
    assert network(source).get(source.project_url("x"), limit=LIMIT).status == 401
    assert index.logins == ["/simple/x/ user:p w"]


def test_a_redirect_on_the_same_server_keeps_it(index: FakeIndex) -> None:
    source = with_login(index)
    index.routes["/simple/x/"] = Route(status=301, headers={"Location": "/new"})
    index.routes["/new"] = Route(b"here")
    assert network(source).get(source.project_url("x"), limit=LIMIT).body == b"here"


def test_a_redirect_brings_nobody_a_login_of_his_own(
    index: FakeIndex, other: FakeIndex, tmp_path: Path
) -> None:
    """Another index may not make us ask a third server in the user's name."""
    write_netrc(tmp_path, "machine 127.0.0.1 login user password 'p w'")
    index.login = None
    other.routes["/x"] = Route(status=302, headers={"Location": index.url + "x/"})
    assert network(home=tmp_path).get(f"{other.root}/x", limit=LIMIT).status == 200
    assert index.logins == []


def test_another_port_or_scheme_is_another_server(index: FakeIndex, other: FakeIndex) -> None:
    credentials = Credentials([Source("https://user:pw@h.example/simple")])
    assert credentials.login("https://h.example:443/f") == Login("user", "pw")
    for url in (
        "http://h.example/f",
        "https://h.example:444/f",
        "https://h.example.evil/f",
        "https://evil/h.example",
        "ftp://h.example/",
        "/simple",
        "https://[",
    ):
        assert credentials.login(url) is None, url


def test_two_indexes_on_one_server(index: FakeIndex) -> None:
    first, second = with_login(index, "a:1", "/one/simple/"), with_login(index, "b:2", "/two/simple/")
    credentials = Credentials([first, second])
    assert credentials.login(f"{index.root}/two/files/x.whl") == Login("b", "2")
    assert credentials.login(f"{index.root}/one/files/x.whl") == Login("a", "1")
    assert credentials.login(f"{index.root}/on") == Login("a", "1")


def test_netrc_is_used_for_its_hosts(index: FakeIndex, tmp_path: Path) -> None:
    write_netrc(tmp_path, 'machine 127.0.0.1 login user password "p w"\nmachine h.example login a password b')
    source = Source(index.url)
    asking = network(source, home=tmp_path)
    assert asking.get(source.project_url("x"), limit=LIMIT).body == b"page"
    assert index.requests == ["GET /simple/x/"]  # at once: some servers hide what is private
    credentials = Credentials(environment={"NETRC": str(tmp_path / ".netrc")})
    assert credentials.login("https://h.example/f") == Login("a", "b")
    assert credentials.login("https://other.example/f") is None


def test_the_default_entry_is_for_servers_of_the_users_that_ask(
    index: FakeIndex, other: FakeIndex, tmp_path: Path
) -> None:
    write_netrc(tmp_path, 'default login user password "p w"')
    source = Source(index.url)
    asking = network(source, home=tmp_path)
    other.login = "someone:else"
    assert asking.get(f"{other.root}/x", limit=LIMIT).status == 401
    assert other.logins == []
    for _ in range(2):
        assert asking.get(source.project_url("x"), limit=LIMIT).body == b"page"
    assert len(index.requests) == 3  # asked for once, known then
    assert asking.needs_login(index.url)


def test_a_netrc_that_cannot_be_read_is_told_without_its_content(index: FakeIndex, tmp_path: Path) -> None:
    write_netrc(tmp_path, "machine 127.0.0.1 login user secretword\n")
    entries, problem = read_netrc({"HOME": str(tmp_path)})
    assert entries is None
    assert problem is not None
    assert str(tmp_path / ".netrc") in problem
    assert "secretword" not in problem
    with pytest.raises(UpstreamError, match=r"\.netrc, line \d, is not in netrc's format"):
        Upstream([Source(index.url)], network(Source(index.url), home=tmp_path)).project("x")
    assert read_netrc({"NETRC": str(tmp_path / "missing"), "HOME": str(tmp_path)}) == (None, None)


@posix_only
def test_the_keyring_is_asked_when_a_server_asks(
    index: FakeIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = make_program(tmp_path / "bin", monkeypatch, {(index.url, "user"): "p w"})
    source = with_login(index, "user")
    asking = network(source, keyring=Keyring("subprocess"))
    for name in ("x", "x", "y"):
        asking.get(source.project_url(name), limit=LIMIT)
    assert log.read_text().splitlines() == [f"get {index.url} user"]
    assert index.logins == ["/simple/x/ user:", *["/simple/x/ user:p w"] * 2, "/simple/y/ user:p w"]


@posix_only
def test_the_keyring_is_asked_for_the_host_too_and_not_for_others(
    index: FakeIndex, other: FakeIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = index.root.partition("//")[2]
    log = make_program(tmp_path / "bin", monkeypatch, {(authority, ""): "p w"})
    source = Source(index.url)
    asking = network(source, keyring=Keyring("subprocess"))
    assert asking.get(source.project_url("x"), limit=LIMIT).body == b"page"
    other.login = "a:b"
    assert asking.get(f"{other.root}/x", limit=LIMIT).status == 401
    assert len(log.read_text().splitlines()) == 2


@posix_only
def test_a_wrong_login_ends_with_one_more_try(
    index: FakeIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = make_program(tmp_path / "bin", monkeypatch, {(index.url, ""): "wrong"})
    source = Source(index.url)
    asking = network(source, keyring=Keyring("subprocess"))
    assert asking.get(source.project_url("x"), limit=LIMIT).status == 401
    assert asking.get(source.project_url("x"), limit=LIMIT).status == 401
    assert len(index.requests) == 3
    assert len(log.read_text().splitlines()) == 1
    with pytest.raises(UpstreamError, match="answered 401 for project x: the login for it was not accepted"):
        Upstream([with_login(index, "user:wrong")], network(with_login(index, "user:wrong"))).project("x")


def test_a_complete_login_in_the_url_makes_nobody_ask_further(index: FakeIndex, tmp_path: Path) -> None:
    write_netrc(tmp_path, 'machine 127.0.0.1 login user password "p w"')
    source = with_login(index, "user:wrong")
    assert network(source, home=tmp_path).get(source.project_url("x"), limit=LIMIT).status == 401
    assert len(index.requests) == 1


def test_a_login_in_a_link_of_a_page_is_neither_sent_nor_shown(other: FakeIndex) -> None:
    link = other.root.replace("://", "://me:secretword@")
    asking = network()
    assert asking.get(f"{link}/x", limit=LIMIT).body == b"elsewhere"
    assert other.logins == []
    other.routes["/x"] = Route(status=503)
    with pytest.raises(UpstreamError) as caught:
        asking.get(f"{link}/x", limit=LIMIT)
    assert "secretword" not in str(caught.value)


def test_the_login_is_in_no_error(index: FakeIndex, other: FakeIndex) -> None:
    source = with_login(index, "user:secretword")
    asking = network(source)
    index.login = None
    index.routes["/simple/a/"] = Route(status=503)
    index.routes["/simple/b/"] = Route(status=302, headers={"Location": "http://h:secretword@h/"})
    index.routes["/simple/c/"] = Route(b"x" * 10, promised=100)
    index.routes["/simple/d/"] = Route(status=403)
    for name in "abcd":
        with pytest.raises(UpstreamError) as caught:
            Upstream([source], asking).project(name)
        assert "user:secretword" not in str(caught.value)
        assert index.url in str(caught.value)
