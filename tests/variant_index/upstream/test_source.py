from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from variant_index.upstream.login import Login
from variant_index.upstream.source import Source, SourceError


@pytest.mark.parametrize(
    "url", ["https://index.example/simple/", "http://127.0.0.1:80/s", "file:///srv/simple"]
)
def test_index_urls(url: str) -> None:
    assert Source(url).project_url("a-b") == f"{url.rstrip('/')}/a-b/"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "index.example/simple",
        "ftp://index.example/",
        "https:///simple",
        "http://[::1",
        "http://x:port/",
        "file://elsewhere/simple",
        "/srv/simple",
    ],
)
def test_what_is_no_index_url(url: str) -> None:
    with pytest.raises(SourceError):
        Source(url)


def test_a_login_is_taken_out_of_the_url() -> None:
    source = Source("https://some%40one:se%3Acret@index.example:8/simple/?a=b")
    assert source.url == "https://index.example:8/simple/?a=b"
    assert source.login == Login("some@one", "se:cret")
    for shown in (repr(source), str(source), repr(source.login)):
        assert "cret" not in shown
        assert "one" not in shown
    assert Source("https://token@h/").login == Login("token", None)
    assert Source("https://user:@h/").login == Login("user", "")
    assert Source("https://@h/").login is None
    assert Source("https://a@b:c@h/").login == Login("a@b", "c")


@pytest.mark.parametrize(
    "url",
    [
        "https://someone:secret@[::1/",
        "someone:secret@host",
        "ftp://someone:secret@host/",
        "https:someone:secret@host",
        "https://someone:secret@/",
        "https://someone:secret@host:port/",
    ],
)
def test_errors_show_no_password(url: str) -> None:
    with pytest.raises(SourceError) as caught:
        Source(url)
    assert "secret" not in str(caught.value)


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_login_survives_quoting(user: str, password: str) -> None:
    source = Source(f"https://{quote(user, safe='')}:{quote(password, safe='')}@h/s/")
    assert source.url == "https://h/s/"
    assert source.login == (Login(user, password) if user or password else None)


def test_find_links_folders_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Source.find_links("wheels") == Source(str(tmp_path / "wheels"), "find-links")
    assert Source.find_links("https://a.example/links.html").url == "https://a.example/links.html"
