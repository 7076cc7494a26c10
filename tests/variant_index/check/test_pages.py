from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from variant_index.check.pages import compare_forms, listed_twice
from variant_index.simple_api.page import ProjectFile, ProjectPage
from variant_index.simple_api.parse import parse_page
from variant_index.simple_api.render import HTML_TYPE, JSON_TYPE, render_html, render_json

HASHES: st.SearchStrategy[dict[str, str]] = st.sampled_from(
    [{}, {"sha256": "0" * 64}, {"sha256": "f" * 64}, {"sha256": "1" * 64, "md5": "1" * 32}]
)
FILES = st.builds(
    ProjectFile,
    filename=st.sampled_from([f"{letter}-1-py3-none-any.whl" for letter in "abcdef"]),
    url=st.just(""),
    hashes=HASHES,
    requires_python=st.none() | st.sampled_from([">=3.8", "<4,>=3.10"]),
    yanked=st.booleans() | st.just('a "reason" <b>'),
    core_metadata=st.booleans() | HASHES.filter(bool),
    size=st.none() | st.integers(0, 1 << 40),
    upload_time=st.none() | st.just("2026-01-31T12:00:00Z"),
    provenance=st.none() | st.just("https://x/p"),
)


@given(st.lists(FILES, unique_by=lambda file: file.filename))
def test_both_forms_that_we_write_agree(files: list[ProjectFile]) -> None:
    page = ProjectPage("x", tuple(replace(file, url=file.filename) for file in files))
    json = parse_page(render_json(page), JSON_TYPE, "https://x/simple/x/", "x")
    html = parse_page(render_html(page), HTML_TYPE, "https://x/simple/x/", "x")
    assert list(compare_forms(json, html)) == []
    assert listed_twice(json) == []


def test_differences_are_named() -> None:
    file = ProjectFile("a.whl", "https://x/a.whl", {"sha256": "0" * 64})
    ours = ProjectPage("x", (file, replace(file, filename="b.whl")))
    theirs = ProjectPage(
        "x",
        (
            replace(file, hashes={"sha256": "1" * 64}, yanked=True, provenance="https://x/p"),
            replace(file, filename="c.whl"),
        ),
    )
    assert list(compare_forms(ours, theirs)) == [
        "a.whl has another hash in HTML",
        "a.whl has another yanked in HTML",
        "a.whl has another provenance in HTML",
        "b.whl is listed in JSON only",
        "c.whl is listed in HTML only",
    ]
