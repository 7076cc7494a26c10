from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.making import make_wheel
from tests.variant_index.upstream.fake_index import HTML_TYPE, FakeIndex, Route
from variant_index.errors import UpstreamError
from variant_index.simple_api.page import ProjectFile, ProjectPage
from variant_index.simple_api.parse import MAX_PAGE_BYTES, PageError
from variant_index.simple_api.render import render_html, render_json
from variant_index.upstream.network import Network
from variant_index.upstream.project import PREFER_HTML, FetchedProject, Upstream
from variant_index.upstream.source import Source

HASHES = {"sha256": "ab" * 32}
FILE = ProjectFile("a-1.0-py3-none-any.whl", "https://files.example/a-1.0-py3-none-any.whl", HASHES)


@pytest.fixture
def index() -> Iterator[FakeIndex]:
    with FakeIndex() as index:
        yield index


@pytest.fixture
def second() -> Iterator[FakeIndex]:
    with FakeIndex() as index:
        yield index


def fetch(*sources: str | Source, name: str = "a") -> FetchedProject | None:
    known = [source if isinstance(source, Source) else Source(source) for source in sources]
    return Upstream(known, Network()).project(name)


def filenames(fetched: FetchedProject | None) -> list[str]:
    return [file.filename for file in fetched.page.files] if fetched else []


def test_the_page_is_kept_as_sent(index: FakeIndex) -> None:
    index.add_project("a", [FILE])
    fetched = fetch(index.url)
    assert fetched is not None
    assert fetched.raw is not None
    assert fetched.raw.body == index.routes["/simple/a/"].body
    assert fetched.page.files == (FILE,)


def test_the_first_index_that_has_the_project_wins_alone(index: FakeIndex, second: FakeIndex) -> None:
    newer = ProjectFile("a-99.0-py3-none-any.whl", "https://files.example/a-99.0-py3-none-any.whl")
    index.add_project("a", [FILE])
    second.add_project("a", [newer])
    second.add_project("b", [newer])
    assert filenames(fetch(index.url, second.url)) == [FILE.filename]
    assert not second.requests
    assert fetch(index.url, second.url, name="b") is not None
    assert fetch(index.url, second.url, name="c") is None


@pytest.mark.parametrize("status", [401, 403, 418, 500, 503])
def test_a_failing_index_is_never_passed_over(index: FakeIndex, second: FakeIndex, status: int) -> None:
    index.routes["/simple/a/"] = Route(status=status)
    second.add_project("a", [FILE])
    with pytest.raises(UpstreamError, match=rf"{re.escape(index.root)}.* {status}"):
        fetch(index.url, second.url)
    assert not second.requests


def test_403_of_pytorchs_storage_means_missing(index: FakeIndex) -> None:
    index.routes["http://download.pytorch.org/whl/a/"] = Route(status=403)
    index.routes["http://download-r2.pytorch.org/whl/a/"] = Route(status=403)
    index.routes["http://download.pytorch.org.example/whl/a/"] = Route(status=403)
    hosts = ("download.pytorch.org", "download-r2.pytorch.org", "download.pytorch.org.example")
    network = Network(proxy=index.root, trusted_hosts=hosts)
    for host in hosts[:2]:
        assert Upstream([Source(f"http://{host}/whl")], network).project("a") is None
    with pytest.raises(UpstreamError):
        Upstream([Source("http://download.pytorch.org.example/whl")], network).project("a")


def test_html_in_answer_to_json_is_read(index: FakeIndex) -> None:
    index.add_project("a", [FILE], HTML_TYPE)
    assert filenames(fetch(index.url)) == [FILE.filename]


def test_what_is_not_a_page_is_an_error(index: FakeIndex) -> None:
    index.routes["/simple/a/"] = Route(b"<html>Log in</html>", "text/plain")
    fetched = fetch(index.url)
    assert fetched is not None
    with pytest.raises(PageError, match="text/plain"):
        fetched.page.files  # noqa: B018 -- reading it parses the page


def test_the_accept_header_is_the_callers(index: FakeIndex) -> None:
    index.add_project("a", [FILE])
    assert Upstream([Source(index.url)], Network()).project("a", PREFER_HTML) is not None


@pytest.mark.parametrize("name", ["", "..", "../a", "a/b", "A", "a_b", "a--b", "-a", "a\n", "ä"])
def test_only_normal_names_are_asked_for(index: FakeIndex, name: str) -> None:
    assert fetch(index.url, name=name) is None
    assert not index.requests


def test_a_local_index_in_html_and_json(tmp_path: Path) -> None:
    page = ProjectPage("a", (ProjectFile("a-1.0-py3-none-any.whl", "../../files/a-1.0-py3-none-any.whl"),))
    for filename, body in (("index.html", render_html(page)), ("index.json", render_json(page))):
        folder = tmp_path / filename / "simple" / "a"
        folder.mkdir(parents=True)
        (folder / filename).write_bytes(body)
        fetched = fetch((tmp_path / filename / "simple").as_uri())
        assert fetched is not None
        assert fetched.page.files[0].url == (tmp_path / filename / "files" / FILE.filename).as_uri()
    assert fetch((tmp_path / "index.html" / "simple").as_uri(), name="b") is None


def test_a_local_page_has_the_size_limit_of_any_page(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with (tmp_path / "a" / "index.html").open("wb") as file:
        file.truncate(MAX_PAGE_BYTES + 1)
    fetched = fetch(tmp_path.as_uri())
    assert fetched is not None
    with pytest.raises(PageError, match="larger than"):
        fetched.page.files  # noqa: B018 -- reading it parses the page


def test_find_links_are_added_first(index: FakeIndex, tmp_path: Path) -> None:
    index.add_project("a", [FILE])
    make_wheel(tmp_path, "a-1.0-py3-none-any.whl")
    make_wheel(tmp_path, "a-2.0-py3-none-any.whl")
    make_wheel(tmp_path, "b-2.0-py3-none-any.whl")
    (tmp_path / "a-0.9.tar.gz").touch()
    (tmp_path / "a-2.0-variants.json").touch()
    fetched = fetch(index.url, Source.find_links(str(tmp_path)))
    assert fetched is not None
    assert filenames(fetched) == [
        "a-0.9.tar.gz",
        "a-1.0-py3-none-any.whl",
        "a-2.0-py3-none-any.whl",
        "a-2.0-variants.json",
    ]
    assert fetched.page.files[1].url == (tmp_path / "a-1.0-py3-none-any.whl").as_uri()
    alone = fetch(index.url, Source.find_links(str(tmp_path)), name="b")
    assert alone is not None
    assert alone.index is None


def test_find_links_pages_and_single_files(index: FakeIndex, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "one", "a-3.0-py3-none-any.whl")
    page = tmp_path / "links.html"
    page.write_text('<a href="one/a-3.0-py3-none-any.whl">x</a> <a href="https://h.example/">home</a>')
    index.routes["/links"] = Route(
        b'<a href="/w/a-4.0-py3-none-any.whl#sha256=' + b"0" * 64 + b'">x</a>', HTML_TYPE
    )
    for location, expected in (
        (str(page), wheel.as_uri()),
        (page.as_uri(), wheel.as_uri()),
        (str(wheel), wheel.as_uri()),
        (f"{index.root}/links", f"{index.root}/w/a-4.0-py3-none-any.whl"),
    ):
        fetched = fetch(Source.find_links(location))
        assert fetched is not None
        assert [file.url for file in fetched.page.files] == [expected]


def test_find_links_over_http_never_lead_to_local_files(index: FakeIndex) -> None:
    index.routes["/links"] = Route(b'<a href="file:///etc/a-4.0-py3-none-any.whl">x</a>', HTML_TYPE)
    assert fetch(Source.find_links(f"{index.root}/links")) is None


def test_a_missing_local_location_is_said_and_a_missing_page_is_an_error(
    index: FakeIndex, tmp_path: Path
) -> None:
    index.add_project("a", [FILE])
    fetched = fetch(index.url, Source.find_links(str(tmp_path / "none")))
    assert fetched is not None
    assert "none is ignored: no such file or folder" in fetched.problems[0]
    with pytest.raises(UpstreamError, match=r"find-links .* answered 404"):
        fetch(index.url, Source.find_links(f"{index.root}/none.html"))


def test_old_sdist_names_with_dashes_are_found(tmp_path: Path) -> None:
    (tmp_path / "my-project-1.0.tar.gz").touch()
    assert filenames(fetch(Source.find_links(str(tmp_path)), name="my-project")) == ["my-project-1.0.tar.gz"]
