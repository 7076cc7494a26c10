"""Writing pages, and the choice between the forms."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from variant_index.simple_api.page import ProjectFile, ProjectPage
from variant_index.simple_api.parse import parse_page
from variant_index.simple_api.render import (
    HTML_TYPE,
    HTML_V1_TYPE,
    JSON_TYPE,
    negotiate,
    render_html,
    render_json,
    render_root_html,
    render_root_json,
)

# The first draw of a text prepares tables, which a busy machine takes seconds for.

URL = "https://index.example/simple/x/"
SHA = "ab" * 32

_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
_STEMS = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"], exclude_characters="/\\"),
    min_size=1,
    max_size=10,
)
_HASHES = st.sampled_from([{}, {"sha256": SHA}, {"blake2b": SHA}, {"blake2b": SHA, "sha256": SHA}])


@st.composite
def _files(draw: st.DrawFn) -> ProjectFile:
    filename = draw(_STEMS) + draw(st.sampled_from([".whl", ".tar.gz", "-variants.json"]))
    return ProjectFile(
        filename,
        draw(st.sampled_from(["https://files.example/a/", "http://x/"])) + quote(filename, safe="!$&'()*,;="),
        draw(_HASHES),
        draw(st.none() | _TEXT),
        draw(st.booleans() | _TEXT),
        draw(st.booleans() | _HASHES.filter(bool)),
        draw(st.none() | st.integers(0, 1 << 60)),
        draw(st.none() | st.just("2026-01-01T00:00:00Z")),
        draw(st.none() | st.just("https://files.example/a.whl.provenance?a=1&b='")),
    )


_PAGES = st.builds(ProjectPage, st.just("x"), st.lists(_files(), max_size=4).map(tuple))


@given(_PAGES)
def test_json_carries_everything(page: ProjectPage) -> None:
    assert parse_page(render_json(page), JSON_TYPE, URL, "x") == page


def _as_html_holds_it(file: ProjectFile) -> ProjectFile:
    metadata = file.core_metadata
    return replace(
        file,
        hashes={"sha256": SHA} if "sha256" in file.hashes else {},
        core_metadata=metadata if isinstance(metadata, bool) else {sorted(metadata)[-1]: SHA},
    )


@given(_PAGES)
def test_html_carries_all_but_further_hashes(page: ProjectPage) -> None:
    page = replace(page, files=tuple(_as_html_holds_it(file) for file in page.files))
    assert parse_page(render_html(page), HTML_TYPE, URL, "x") == page


@pytest.mark.parametrize("size", ["", "-1", "1.5", " 1", "1e3", "\u0661", "9" * 20, "9" * 100_000])
def test_what_is_no_size_in_html(size: str) -> None:
    html = f'<a href="x-1.tar.gz" data-size="{size}">x-1.tar.gz</a>'.encode()
    (file,) = parse_page(html, HTML_TYPE, URL, "x").files
    assert file.size is None


def test_nothing_on_a_page_becomes_markup() -> None:
    evil = '"><script>alert(1)</script>'
    page = ProjectPage(
        evil,
        (ProjectFile(evil, evil, {evil: evil}, evil, evil, {evil: evil}, None, evil, evil),),
    )
    assert b"<script" not in render_html(page)
    assert b"<script" not in render_root_html([evil])


def test_the_version_is_the_lowest_that_covers_the_fields() -> None:
    sized = ProjectFile("x-1.0-py3-none-any.whl", "u", size=3)
    more = [
        ProjectFile("x-1.0.tar.gz", "u", size=1),
        ProjectFile("x-2.0-1-py3-none-any-cu128.whl", "u", size=1),
    ]
    sidecar = ProjectFile("x-2.0-variants.json", "u", size=1)
    page = json.loads(render_json(ProjectPage("x", (sized, *more, sidecar))))
    assert page["meta"] == {"api-version": "1.1"}
    assert page["versions"] == ["1.0", "2.0"]
    attested = replace(sized, provenance="https://x/p")
    page = json.loads(render_json(ProjectPage("x", (sized, attested))))
    assert page["meta"] == {"api-version": "1.3"}
    assert [file.get("provenance") for file in page["files"]] == [None, "https://x/p"]
    page = json.loads(render_json(ProjectPage("x", (sized, replace(sized, size=None)))))
    assert page["meta"] == {"api-version": "1.0"}
    assert "versions" not in page
    assert b'name="pypi:repository-version" content="1.0"' in render_html(ProjectPage("x", (sized,)))


def test_metadata_is_announced_under_the_names_that_no_pip_stumbles_over() -> None:
    page = ProjectPage("x", (ProjectFile("x-1-py3-none-any.whl", "u", core_metadata={"sha256": SHA}),))
    entry = json.loads(render_json(page))["files"][0]
    assert entry["core-metadata"] == {"sha256": SHA}
    assert "dist-info-metadata" not in entry
    assert (
        f'data-core-metadata="sha256={SHA}" data-dist-info-metadata="sha256={SHA}"'
        in render_html(page).decode()
    )


@pytest.mark.parametrize(
    "address", ["http://x/p", "p", "//x/p", "https://x/ p", "https://", "javascript:1", 1]
)
def test_only_full_secure_addresses_of_provenance_count(address: object) -> None:
    entry = {"filename": "x-1.tar.gz", "url": "u", "hashes": {}, "provenance": address}
    body = json.dumps({"meta": {"api-version": "1.3"}, "name": "x", "files": [entry]}).encode()
    (file,) = parse_page(body, JSON_TYPE, URL, "x").files
    assert file.provenance is None
    html = f'<a href="x-1.tar.gz" data-provenance="{address}">x-1.tar.gz</a>'.encode()
    (file,) = parse_page(html, HTML_TYPE, URL, "x").files
    assert file.provenance is None


def test_root_pages() -> None:
    assert json.loads(render_root_json(["a", "b"])) == {
        "meta": {"api-version": "1.0"},
        "projects": [{"name": "a"}, {"name": "b"}],
    }
    assert b'<a href="a/">a</a>' in render_root_html(["a", "b"])


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, HTML_TYPE),
        ("", HTML_TYPE),
        ("*/*", HTML_TYPE),
        ("text/*", HTML_TYPE),
        ("application/*", HTML_V1_TYPE),
        (f"{JSON_TYPE}, {HTML_V1_TYPE}; q=0.1, text/html; q=0.01", JSON_TYPE),  # pip
        (f"{JSON_TYPE}, {HTML_V1_TYPE};q=0.2, text/html;q=0.01", JSON_TYPE),  # uv
        (f"{HTML_V1_TYPE}, {JSON_TYPE}, text/html", JSON_TYPE),
        ("text/html, application/xhtml+xml, */*;q=0.8", HTML_TYPE),
        ("application/vnd.pypi.simple.latest+json", JSON_TYPE),
        ("application/vnd.pypi.simple.latest+html", HTML_V1_TYPE),
        (JSON_TYPE.upper(), JSON_TYPE),
        (f"{JSON_TYPE};q=0, */*", HTML_TYPE),
        (f"{JSON_TYPE};q=nonsense, text/html;q=0.1", HTML_TYPE),
        (f"{JSON_TYPE};q=5, text/html;q=0.1", HTML_TYPE),
        (f"{JSON_TYPE};q=nan", None),
        (f"{JSON_TYPE};q=0", None),
        ("application/vnd.pypi.simple.v2+json", None),
        ("image/png", None),
    ],
)
def test_negotiation(accept: str | None, expected: str | None) -> None:
    assert negotiate(accept) == expected
