"""Reading pages: the forms real indexes send, and what hostile ones might."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from variant_index.simple_api import page_reader, parse
from variant_index.simple_api.page import ProjectFile, ProjectPage
from variant_index.simple_api.parse import PageError, parse_page
from variant_index.simple_api.render import HTML_TYPE, JSON_TYPE, render_html, render_json

URL = "https://index.example/simple/torch/"
SHA = "ab" * 32


def read_json(content: object, url: str = URL) -> ProjectPage:
    return parse_page(json.dumps(content).encode(), JSON_TYPE, url, "torch")


def one(**changes: object) -> ProjectPage:
    entry = {"filename": "torch-1.0.tar.gz", "url": "torch-1.0.tar.gz", "hashes": {"sha256": SHA}, **changes}
    return read_json({"meta": {"api-version": "1.0"}, "name": "torch", "files": [entry]})


def read_html(body: str, url: str = URL, content_type: str = HTML_TYPE) -> ProjectPage:
    return parse_page(body.encode(), content_type, url, "torch")


def test_a_page_in_the_form_of_pytorchs_index() -> None:
    page = read_html(
        """<!DOCTYPE html><html><body><h1>Links for torch</h1>
        <a href="/whl/cu126/torch-2.9.0%2Bcu126-cp312-cp312-linux_x86_64.whl#sha256={sha}"
           data-dist-info-metadata="sha256={sha}" data-core-metadata="sha256={sha}"
           data-requires-python="&gt;=3.10" data-upload-time="2026-01-01T00:00:00Z"
           >torch-2.9.0+cu126-cp312-cp312-linux_x86_64.whl</a><br/>
        <a href="https://other.example/torch-1.0.tar.gz" data-yanked="&lt;broken&gt;">torch-1.0.tar.gz</a>
        <a href="../">up</a><!--TIMESTAMP 1--></body></html>""".replace("{sha}", SHA)
    )
    assert page.files == (
        ProjectFile(
            "torch-2.9.0+cu126-cp312-cp312-linux_x86_64.whl",
            "https://index.example/whl/cu126/torch-2.9.0%2Bcu126-cp312-cp312-linux_x86_64.whl",
            {"sha256": SHA},
            ">=3.10",
            core_metadata={"sha256": SHA},
            upload_time="2026-01-01T00:00:00Z",
        ),
        ProjectFile("torch-1.0.tar.gz", "https://other.example/torch-1.0.tar.gz", yanked="<broken>"),
    )
    assert page.problems == ()


def test_a_page_in_the_form_of_pypis_json() -> None:
    page = one(
        **{
            "url": "https://files.example/a/torch-1.0.tar.gz",
            "requires-python": ">=3.10",
            "core-metadata": {"sha256": SHA},
            "data-dist-info-metadata": {"sha256": SHA},
            "yanked": "reason",
            "size": 12,
            "upload-time": "2026-01-01T00:00:00.000000Z",
            "provenance": None,
            "unknown": {},
        }
    )
    assert page == ProjectPage(
        "torch",
        (
            ProjectFile(
                "torch-1.0.tar.gz",
                "https://files.example/a/torch-1.0.tar.gz",
                {"sha256": SHA},
                ">=3.10",
                "reason",
                {"sha256": SHA},
                12,
                "2026-01-01T00:00:00.000000Z",
            ),
        ),
    )


def test_base_moves_relative_links_and_only_the_first_counts() -> None:
    page = read_html('<base href="/a/"><base href="/b/"><a href="x-1.tar.gz">x</a>')
    assert page.files[0].url == "https://index.example/a/x-1.tar.gz"
    with pytest.raises(PageError, match="base href"):
        read_html('<base href="ftp://x/">')


@pytest.mark.parametrize(
    ("href", "url"),
    [
        ("x-1%2B2.tar.gz", URL + "x-1%2B2.tar.gz"),
        ("x-1+2.tar.gz", URL + "x-1+2.tar.gz"),
        ("../../f/x-1.tar.gz?a=b", "https://index.example/f/x-1.tar.gz?a=b"),
        ("//cdn.example/x-1.tar.gz", "https://cdn.example/x-1.tar.gz"),
        ("http://cdn.example/x-1.tar.gz", "http://cdn.example/x-1.tar.gz"),
        (" x-1 2ä.tar.gz ", URL + "x-1%202%C3%A4.tar.gz"),
        ("https://cdn.example\\@x/x-1.tar.gz", "https://cdn.example%5C@x/x-1.tar.gz"),
    ],
)
def test_addresses_become_absolute_and_keep_their_encoding(href: str, url: str) -> None:
    assert read_html(f'<a href="{href}">x</a>').files[0].url == url
    assert one(url=href).files[0].url == url


@pytest.mark.parametrize(
    "href",
    [
        "ftp://x/x-1.tar.gz",
        "file:///etc/x-1.tar.gz",
        "javascript:x-1.tar.gz",
        "https://x/\r\nSet-Cookie: a/x-1.tar.gz",
        "http://[x/x-1.tar.gz",
        "x\x00-1.tar.gz",
    ],
)
def test_an_address_that_cannot_be_followed_leaves_the_file_out(href: str) -> None:
    page = one(url=href)
    assert page.files == ()
    assert len(page.problems) == 1
    assert page.problems[0].startswith("torch-1.0.tar.gz is left out: ")
    assert page.problems[0].isprintable()


def test_only_pages_from_disk_may_link_to_local_files() -> None:
    page = parse_page(b'<a href="x-1.tar.gz">x</a>', HTML_TYPE, "file:///srv/simple/x/index.html", "x")
    assert page.files[0].url == "file:///srv/simple/x/x-1.tar.gz"


def test_the_name_is_that_of_the_address_as_installers_read_it() -> None:
    page = read_html('<a href="a-1%2Bb-py3-none-any.whl">other-1-py3-none-any.whl</a>')
    assert page.files[0].filename == "a-1+b-py3-none-any.whl"
    assert read_html('<a href="download?id=7">a-1.tar.gz</a>').files[0].filename == "a-1.tar.gz"
    assert read_html('<a href="https://home.example/">home page</a>').files == ()


@pytest.mark.parametrize("name", ["a/b.whl", "..", "", "a\\b.whl", "a\n.whl", None, 3])
def test_a_name_that_is_no_file_name_leaves_the_file_out(name: object) -> None:
    assert one(filename=name).files == ()
    assert read_html('<a href="x%2Fy-1.tar.gz">x</a>').files == ()


@pytest.mark.parametrize(
    "hashes", [{"sha256": "ab"}, {"sha256": 3}, {"sha256": "g" * 64}, ["sha256"], {"SHA 256": SHA}]
)
def test_a_bad_hash_leaves_the_file_out_rather_than_unprotected(hashes: object) -> None:
    assert one(hashes=hashes).files == ()


def test_hashes_pass_unchanged() -> None:
    hashes = {"sha256": SHA.upper(), "blake2b": "cd" * 32, "md5": "ef" * 16}
    assert one(hashes=hashes).files[0].hashes == hashes
    assert read_html('<a href="x-1.tar.gz#egg=x">x</a>').files[0].hashes == {}
    assert read_html('<a href="x-1.tar.gz#sha256=ab">x</a>').files == ()


@pytest.mark.parametrize("changes", [{"requires-python": 3}, {"yanked": [1]}, {"url": None}])
def test_other_fields_that_decide_leave_the_file_out(changes: dict[str, object]) -> None:
    page = one(**changes)
    assert page.files == ()
    assert len(page.problems) == 1


@pytest.mark.parametrize(
    ("given_value", "kept"),
    [("x", False), ({"sha256": "no"}, False), ({}, True), (True, True), ({"sha256": SHA}, {"sha256": SHA})],
)
def test_core_metadata(given_value: object, kept: object) -> None:
    assert one(**{"core-metadata": given_value}).files[0].core_metadata == kept
    assert one(**{"dist-info-metadata": given_value}).files[0].core_metadata == kept


@pytest.mark.parametrize(
    ("attribute", "kept"),
    [
        ("data-core-metadata", False),
        ('data-core-metadata="true"', True),
        (f'data-dist-info-metadata="sha256={SHA}"', {"sha256": SHA}),
        (f'data-core-metadata="false" data-dist-info-metadata="sha256={SHA}"', False),
        ('data-core-metadata="sha256=x"', False),
    ],
)
def test_core_metadata_in_html(attribute: str, kept: object) -> None:
    assert read_html(f'<a href="x-1-py3-none-any.whl" {attribute}>x</a>').files[0].core_metadata == kept


def test_yanked_without_a_reason() -> None:
    assert read_html('<a href="x-1.tar.gz" data-yanked>x</a>').files[0].yanked is True
    assert read_html('<a href="x-1.tar.gz" data-yanked="">x</a>').files[0].yanked is True
    assert one(yanked="").files[0].yanked is False
    assert one(yanked=None).files[0].yanked is False


@pytest.mark.parametrize("size", [-1, True, "1", 1.5])
def test_a_bad_size_only_loses_the_size(size: object) -> None:
    assert one(size=size).files[0].size is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"files": {}}',
        b'{"files": [3]}',
        b'{"meta": 3, "files": []}',
        b'{"meta": {"api-version": "2.0"}, "files": []}',
        b'{"meta": {"api-version": 1.0}, "files": []}',
        b'{"meta": {"api-version": "1"}, "files": []}',
        b"[" * 100_000,
        b"\xff\xfe\xff",
        b'{"files": [], "x": ' + b"9" * 10_000 + b"}",  # more digits than Python reads
    ],
)
def test_what_is_not_a_json_page_is_one_line_with_the_address(body: bytes) -> None:
    with pytest.raises(PageError) as caught:
        parse_page(body, JSON_TYPE, URL, "torch")
    assert str(caught.value).startswith(URL + ": ")
    assert str(caught.value).isprintable()
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("version", ["2.0", "one", "1.0.0", ""])
def test_another_major_version_in_html_is_refused(version: str) -> None:
    with pytest.raises(PageError, match="repository version"):
        read_html(f'<meta name="pypi:repository-version" content="{version}">')


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.99"])
def test_newer_minor_versions_are_read(version: str) -> None:
    page = read_html(f'<meta name="pypi:repository-version" content="{version}"><a href="x-1.tar.gz">x</a>')
    assert len(page.files) == 1
    assert read_json({"meta": {"api-version": version}, "files": []}).files == ()


@pytest.mark.parametrize(
    "content_type", ["", "application/json", "text/plain", "application/octet-stream", "x\x1b[0m"]
)
def test_other_content_types_are_not_pages(content_type: str) -> None:
    with pytest.raises(PageError, match="content type") as caught:
        parse_page(b'{"files": []}', content_type, URL, "torch")
    assert str(caught.value).isprintable()


def test_content_type_parameters() -> None:
    body = '<a href="x-1.tar.gz" data-yanked="ä">x</a>'.encode("latin-1")
    page = parse_page(body, "Text/HTML; charset=ISO-8859-1", URL, "torch")
    assert page.files[0].yanked == "ä"
    assert parse_page(b'{"files": []}', "application/vnd.pypi.simple.v1+json; x=y", URL, "torch").files == ()
    for charset in ("nonsense", "zlib", "a\x00"):
        with pytest.raises(PageError, match="charset"):
            parse_page(body, f"text/html; charset={charset}", URL, "torch")


def test_the_caps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_reader, "MAX_FILES", 1)
    with pytest.raises(PageError, match="more than 1 files"):
        read_html('<a href="x-1.tar.gz">x</a><a href="x-2.tar.gz">x</a>')
    with pytest.raises(PageError, match="more than 1 files"):
        read_json({"files": [{}, {}]})
    monkeypatch.setattr(parse, "MAX_PAGE_BYTES", 10)
    with pytest.raises(PageError, match="larger than"):
        read_html("x" * 11)


def test_many_problems_are_counted_not_listed() -> None:
    page = read_json({"files": [{"filename": "x"}] * 100})
    assert len(page.problems) == 21
    assert page.problems[-1] == "80 more entries are left out"


@pytest.mark.parametrize(
    "piece", ["<a ", "<", "<!", "<![", "</", "</a", "&", "<a href='", "<!--", "<?", "<script>", "<a\"'"]
)
def test_hostile_html_takes_linear_time(piece: str) -> None:
    start = time.thread_time()
    with contextlib.suppress(PageError):
        assert read_html(piece * (400_000 // len(piece))).files == ()
    assert time.thread_time() - start < 20


@given(st.binary(max_size=200), st.sampled_from([JSON_TYPE, HTML_TYPE]))
def test_any_bytes_are_a_page_or_a_page_error(body: bytes, content_type: str) -> None:
    with contextlib.suppress(PageError):
        assert parse_page(body, content_type, URL, "torch").name == "torch"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just(SHA),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.dictionaries(
        st.sampled_from(
            ["filename", "url", "hashes", "requires-python", "yanked", "core-metadata", "size", "upload-time"]
        ),
        _JSON,
    )
)
def test_any_json_entry_is_read_or_left_out_with_a_reason(entry: dict[str, object]) -> None:
    page = read_json({"files": [entry]})
    assert len(page.files) + len(page.problems) == 1
    for file in page.files:
        assert file.url.startswith(("http://", "https://"))
        assert replace(file).filename not in ("", ".", "..")


@pytest.mark.parametrize(
    ("field", "kept"),
    [
        ({"filename": "a\ud800-1-py3-none-any.whl"}, False),
        ({"requires-python": ">=3\ud800"}, False),
        ({"yanked": "\udfff"}, False),
        ({"url": "https://h/\ud800"}, False),
        ({"hashes": {"\ud800": "0" * 64}}, False),
        ({"upload-time": "\ud800"}, True),
        ({"core-metadata": {"\ud800": "0" * 64}}, True),
    ],
    ids=ascii,
)
def test_half_characters_never_get_through(field: dict[str, object], kept: bool) -> None:
    entry = {
        "filename": "a-1-py3-none-any.whl",
        "url": "https://h/a-1-py3-none-any.whl",
        "hashes": {},
    } | field
    body = json.dumps({"meta": {"api-version": "1.0"}, "name": "a", "files": [entry]}).encode()
    page = parse_page(body, JSON_TYPE, "https://h/a/", "a")
    assert len(page.files) == int(kept)
    assert len(page.problems) == int(not kept)
    assert all(problem.isprintable() for problem in page.problems)
    assert render_html(page)
    assert render_json(page)


def test_half_characters_in_html_never_get_through() -> None:
    anchors = [
        r'<a href="https://h/a-1-py3-none-any.whl" data-yanked="\ud800">x</a>',
        r'<a href="https://h/a-2-py3-none-any.whl" data-upload-time="\ud800">x</a>',
    ]
    page = parse_page("".join(anchors).encode(), "text/html; charset=unicode_escape", "https://h/a/", "a")
    assert [file.filename for file in page.files] == ["a-2-py3-none-any.whl"]
    assert render_html(page)
