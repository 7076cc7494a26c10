"""Pages of plain anchors are read by a shorter way, with the same result."""

from __future__ import annotations

import time
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from variant_index.simple_api.page import ProjectPage
from variant_index.simple_api.parse import PageError, parse_page

URL = "https://index.example/whl/cu126/torch/"
# An anchor without an address adds nothing, and is not plain, so all that follows takes the longer way.
SLOWLY = "<a x></a>"

_WORDS = st.sampled_from(
    [
        *("torch-2.9.0+cu126-cp312-cp312-linux_x86_64.whl", "a-1.tar.gz", "..", "home", "x.whl", " y-1.whl "),
        *(
            "/whl/cu126/torch-2.9.0%2Bcu126-cp312-cp312-linux_x86_64.whl",
            "//other.example/x.whl",
            "/a/../b.whl",
        ),
        *("https://files.example/a b.whl", "http://[", "javascript:0", "?x.whl", "#", "", "/", "/./a.whl"),
        *(
            "&amp;",
            "&lt;",
            "&gt;=3.9",
            "&notit;",
            "&amp",
            "&#65;",
            "&",
            ">",
            "\x00",
            "\n",
            "\r",
            "é",
            "'",
            "\x7f",
        ),
        *(f"#sha256={'0' * 64}", "#sha256=", "#egg=x", f"#sha256={'A' * 64}&md5={'0' * 32}", "#\x01", "# "),
    ]
)
_TEXTS = st.lists(_WORDS, max_size=3).map("".join)
_NAMES = st.sampled_from(
    ["href", "data-yanked", "data-requires-python", "data-core-metadata", "data-upload-time", "HREF", "rel"]
)
_ATTRIBUTES = st.one_of(
    st.builds(' {}="{}"'.format, _NAMES, _TEXTS),
    st.builds(' {}="{}"'.format, st.just("href"), _TEXTS),
    st.builds(" {}='{}'".format, _NAMES, _TEXTS),
    st.builds("\n{}={}".format, _NAMES, _TEXTS),
    st.builds(" {}".format, _NAMES),
)
_PIECES = st.one_of(
    st.builds("<a{}>{}</a>".format, st.lists(_ATTRIBUTES, max_size=3).map("".join), _TEXTS),
    st.builds('<a href="/f/a-{}.whl{}">a-{}.whl</a>'.format, st.integers(0, 99), _WORDS, st.integers(0, 99)),
    st.sampled_from(
        [
            *(
                "<br>",
                "<br/>\n    ",
                "<br />",
                "</a>",
                "<!-- <a href='z-1.whl'>z</a> -->",
                "<script>",
                "</script>",
            ),
            *(
                '<base href="/b/">',
                "<!",
                "<!--",
                "<a",
                "<",
                "</",
                "text",
                "<title>",
                "</title>",
                "<pre>",
                "&#",
            ),
            '<meta name="pypi:repository-version" content="2.0">',
        ]
    ),
)


def read(text: str) -> ProjectPage | str:
    try:
        return parse_page(text.encode("utf-8", "replace"), "text/html", URL, "torch")
    except PageError as error:
        return str(error)


@settings(max_examples=1000)
@given(st.lists(_PIECES, max_size=12).map("".join))
def test_both_ways_find_the_same(text: str) -> None:
    assert read(text) == read(SLOWLY + text)


def test_the_shorter_way_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    line = (
        f'<a href="/f/{{0}}-1.whl#sha256={"0" * 64}" data-requires-python="&gt;=3.9">{{0}}-1.whl</a><br/>\n'
    )
    page = "".join(line.format(number) for number in range(3000))

    fed: list[str] = []
    monkeypatch.setattr(HTMLParser, "feed", lambda _, text: fed.append(text))
    read(page)
    assert "".join(fed) == ""
    read(SLOWLY + page)
    assert "".join(fed) == SLOWLY + page


def test_many_unfinished_anchors_take_no_longer_than_their_length() -> None:
    start = time.thread_time()
    read('<a href="' * 100_000)
    read("<a" + ' a="b"' * 100_000)
    read('<a href="x">' + "<br>" * 100_000 + "<a " * 100_000)
    assert time.thread_time() - start < 30
