from __future__ import annotations

import pytest

from variant_index.check.root_page import parse_root
from variant_index.simple_api.parse import PageError
from variant_index.simple_api.render import HTML_TYPE, JSON_TYPE, render_root_html, render_root_json
from variant_index.upstream.page import RawPage


def read(body: bytes, content_type: str = JSON_TYPE) -> list[str]:
    return parse_root(RawPage("https://x/simple/", content_type, body))


def test_reads_what_we_write() -> None:
    names = ["a", "b-c", "torch"]
    assert (
        read(render_root_json(names)) == read(render_root_html(names), f"{HTML_TYPE}; charset=utf-8") == names
    )


def test_names_become_normal() -> None:
    assert read(b'{"projects": [{"name": "Foo.Bar"}]}') == ["foo-bar"]
    assert read(b'<a href="/x/"> Foo_Bar/ </a><a></a><b>no</b>', HTML_TYPE) == ["foo-bar"]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"{}",
        b'{"projects": 1}',
        b'{"projects": [1]}',
        b'{"projects": [{"name": 1}]}',
        b"[" * 100_000,
    ],
)
def test_other_json(body: bytes) -> None:
    with pytest.raises(PageError, match="https://x/simple/: the page is not"):
        read(body)


def test_other_html() -> None:
    with pytest.raises(PageError, match="not HTML"):
        read(b"<![x]>", HTML_TYPE)


def test_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("variant_index.check.root_page.MAX_PAGE_BYTES", 5)
    with pytest.raises(PageError, match="larger than"):
        read(b"123456")
