"""What pip is spared: pages that make it end with a traceback."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from variant_index.simple_api.page import ProjectFile, ProjectPage
from variant_index.simple_api.parse import parse_page
from variant_index.simple_api.render import HTML_TYPE, JSON_TYPE, render_html, render_json
from variant_index.simple_api.shape import has_page_shape

FILE: dict[str, Any] = {"filename": "a-1.tar.gz", "url": "https://h/a-1.tar.gz", "hashes": {}}
PAGE = ProjectPage("a", (ProjectFile("a-1.tar.gz", "https://h/a-1.tar.gz", {}, ">=3.8"),))


def test_pages_have_it() -> None:
    assert has_page_shape(render_json(PAGE), JSON_TYPE)
    assert has_page_shape(render_json(PAGE), f"{JSON_TYPE}; charset=utf-8")
    assert has_page_shape(render_html(PAGE), HTML_TYPE)
    assert has_page_shape("<p>Gr\xfc\xdfe</p>".encode("latin-1"), "text/html; charset=ISO-8859-1")
    assert has_page_shape(json.dumps({"files": [{**FILE, "requires-python": None}]}).encode(), JSON_TYPE)


@pytest.mark.parametrize(
    "content",
    [
        *(None, [], 1, {}, {"files": None}, {"files": {}}, {"files": [1]}, {"files": [{}]}),
        *({"files": [{**FILE, name: 1}]} for name in ("filename", "url", "hashes", "requires-python")),
        {"files": [FILE, {**FILE, "hashes": None}]},
        *({"files": [], "meta": meta} for meta in (None, {"api-version": "2.0"}, {"api-version": 1})),
        {"files": [], "meta": {"api-version": "1.x"}},
    ],
)
def test_json_of_another_shape(content: object) -> None:
    assert not has_page_shape(json.dumps(content).encode(), JSON_TYPE)


# pip 26.3 ends with a traceback on each of these.
TRAPS: list[tuple[str, Any]] = [
    *(
        ("url", f"https://{host}/a-1.tar.gz")
        for host in ("[::1", "a]b", "", "h:x", "h:999999", "a" * 64, "a\u2100")
    ),
    ("url", "https://h/\ud800a-1.tar.gz"),
    *(("hashes", {"sha256": digest}) for digest in (5, None, "", [1])),
    *((key, {"sha256": digest}) for key in ("core-metadata", "dist-info-metadata") for digest in (5, None)),
    *(
        ("upload-time", text)
        for text in (5, "", "today", "2025-02-30T00:00:00Z", "2025-01-01T00:00:00+99:00")
    ),
    ("requires-python", ">=" + "9" * 5000),
]


@pytest.mark.parametrize(("key", "value"), TRAPS)
def test_values_that_end_pip(key: str, value: object) -> None:
    body = json.dumps({"files": [{**FILE, key: value}]}).encode()
    assert not has_page_shape(body, JSON_TYPE)

    page = parse_page(body, JSON_TYPE, "https://h/simple/a/", "a")

    assert has_page_shape(render_json(page), JSON_TYPE)


@pytest.mark.parametrize("host", ["[::1", "a]b", "a\u2100", "a&#8448;"])
def test_links_that_end_pip(host: str) -> None:
    assert not has_page_shape(f'<a href="https://{host}/a-1.tar.gz">a-1.tar.gz</a>'.encode(), HTML_TYPE)


_VERSION = '<meta name="pypi:repository-version" content="{}">'


@pytest.mark.parametrize(
    "head",
    [
        *(_VERSION.format(version) for version in ("1.0", "1.1", "1.99")),
        '<meta name="api-version" value="2" /><meta charset="utf-8"/>',
        '<meta charset="UTF-8"><meta name="viewport" content="width=device-width"><h1>mine</h1>',
        '<a name="pypi:repository-version" content="2.0">no meta</a>',
    ],
)
def test_html_of_version_one(head: str) -> None:
    assert has_page_shape(head.encode() + render_html(PAGE), HTML_TYPE)


@pytest.mark.parametrize(
    "meta",
    [
        *(_VERSION.format(version) for version in ("2.0", "0.9", "1", "", "1.x", "21.0")),
        '<META NAME="pypi:repository-version" content="2.0">',
        "<meta content='2.0' name='pypi:repository-version'>",
        "<meta\nname = pypi:repository-version content=2.0>",
        '<meta name="pypi:repository&#45;version" content="2.0">',
        '<meta/name="pypi:repository-version"/content="2.0">',
        f"{_VERSION.format('1.0')}{_VERSION.format('2.0')}",
        '<meta name="api-version" value="2" name="pypi:repository-version" content="2.0">',
    ],
)
def test_html_that_may_be_of_another_version(meta: str) -> None:
    for page in (meta.encode() + render_html(PAGE), render_html(PAGE) + meta.encode()):
        assert not has_page_shape(page, HTML_TYPE)
    for charset in ("utf-16", "utf-7"):
        assert not has_page_shape(meta.encode(charset), f"{HTML_TYPE}; charset={charset}")


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"files": [', b"\xff\xfe\xfa", b"[" * 100_000])
def test_what_is_no_json(body: bytes) -> None:
    assert not has_page_shape(body, JSON_TYPE)


@pytest.mark.parametrize(
    "content_type", [HTML_TYPE, "text/html; charset=utf-8", "text/html; charset=nonsense"]
)
def test_text_in_another_encoding(content_type: str) -> None:
    assert not has_page_shape(b"<a href='https://h/a-1.tar.gz'>Gr\xfc\xdfe</a>", content_type)


@given(body=st.binary(max_size=50), content_type=st.text(max_size=30) | st.just(JSON_TYPE))
def test_anything_has_an_answer(body: bytes, content_type: str) -> None:
    assert has_page_shape(body, content_type) in (True, False)
