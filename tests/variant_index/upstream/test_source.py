from __future__ import annotations

from pathlib import Path

import pytest

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


def test_credentials_are_refused_and_not_shown() -> None:
    with pytest.raises(SourceError, match=r"https://index.example/simple.*not supported") as caught:
        Source("https://someone:secret@index.example/simple/?token=hidden")
    assert "secret" not in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_find_links_folders_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Source.find_links("wheels") == Source(str(tmp_path / "wheels"), "find-links")
    assert Source.find_links("https://a.example/links.html").url == "https://a.example/links.html"
