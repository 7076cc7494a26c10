from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from variant_index.simple_api.page import ProjectFile, ProjectPage
from variant_index.simple_api.parse import parse_page
from variant_index.simple_api.render import HTML_TYPE, JSON_TYPE, render_html, render_json
from variant_index.upstream.page import RawPage
from variant_index.upstream.unhashed import left_out_line, lists_hashes, split_unhashed

ADDRESS = "https://index.example/simple/a/"
HASHES = st.sampled_from(
    [
        {},
        {"sha256": "ab" * 32},
        {"md5": "ab" * 16},
        {"sha256": "ab" * 32, "md5": "cd" * 16},
        {"blake2b": "ab" * 32},
    ]
)


def files(hashes: list[dict[str, str]]) -> tuple[ProjectFile, ...]:
    names = [f"a-{number}.0-py3-none-any.whl" for number in range(len(hashes))]
    return tuple(
        ProjectFile(name, f"https://f.example/{name}", own) for name, own in zip(names, hashes, strict=True)
    )


@given(st.lists(HASHES, max_size=6), st.sampled_from([JSON_TYPE, HTML_TYPE]))
def test_a_page_that_is_passed_on_has_hashes_for_all(hashes: list[dict[str, str]], form: str) -> None:
    page = ProjectPage("a", files(hashes))
    raw = RawPage(ADDRESS, form, render_json(page) if form == JSON_TYPE else render_html(page))
    read = parse_page(raw.body, form, ADDRESS, "a")
    _, left = split_unhashed(read.files)
    if lists_hashes(raw):
        assert not left
    if all({"sha256", "md5"} & set(own) for own in hashes):
        assert lists_hashes(raw)


def test_what_looks_like_a_hash_and_is_none() -> None:
    for body in (
        b'<a href="https://f.example/a-1.0.tar.gz#sha256=">a</a>',
        b'<a href="https://f.example/a-1.0.tar.gz#egg=a">a</a><p>#sha256=0123456</p>',
        b'<a href="https://f.example/a-1.0.tar.gz"',
        b'<a href="https://f.example/a-1.0.tar.gz#md5=0123456789abcdef">a</a>',
        b'{"files": [{"filename": "a-1.0.tar.gz", "url": "https://f.example/a", "hashes": {}}]}',
        b'{"files": [{"filename": "a-1.0.tar.gz", "hashes": {"sha256": null}}]}',
        b'{"files": [{"filename": "a-1.0.tar.gz", "hashes": {"crc": "00"}}]}',
    ):
        assert not lists_hashes(RawPage(ADDRESS, "", body)), body


def test_what_needs_no_hash() -> None:
    here = ProjectFile("a-1.0.tar.gz", "file:///srv/a-1.0.tar.gz")
    sidecar = ProjectFile("a-1.0-variants.json", "https://f.example/a-1.0-variants.json")
    elsewhere = ProjectFile("a-1.0.tar.gz", "https://f.example/a-1.0.tar.gz")
    assert split_unhashed([here, sidecar, elsewhere]) == ([here, sidecar], [elsewhere])


def test_the_line_names_the_last_and_counts_the_others() -> None:
    left = list(files([{}, {}, {}]))
    assert "a-2.0-py3-none-any.whl and 2 more;" in left_out_line("a", left)
    assert "left out: a-0.0-py3-none-any.whl;" in left_out_line("a", left[:1])
    hostile = ProjectFile("a-1\x1b[2J.tar.gz", "https://f.example/x")
    assert "\x1b" not in left_out_line("a", [hostile])
