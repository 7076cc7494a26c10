from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.making import make_wheel
from tests.variant_index.upstream.fake_index import FakeIndex, Route
from variant_index.errors import UpstreamError
from variant_index.upstream.network import Network
from variant_index.upstream.project import Upstream
from variant_index.upstream.routing import NamePattern, Routing, parse_merge, parse_route, read_routing
from variant_index.upstream.source import Source, SourceError


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("torch", ["torch"], ["torchvision", "a-torch"]),
        ("Torch_*", ["torch-x", "torch-"], ["torch"]),
        ("*", ["a", "torch"], []),
        ("ab*ba", ["abba", "abxba"], ["aba", "ab"]),
        ("*-cu12", ["nvidia-x-cu12"], ["nvidia"]),
    ],
)
def test_patterns(pattern: str, matching: list[str], others: list[str]) -> None:
    assert all(NamePattern(pattern).matches(name) for name in matching)
    assert not any(NamePattern(pattern).matches(name) for name in others)


@pytest.mark.parametrize("text", ["", "a*b*c", "a b", "ä", "[ab]", "a/b", "**"])
def test_what_is_no_pattern(text: str) -> None:
    with pytest.raises(SourceError, match="at most one"):
        NamePattern(text)


@given(st.text(max_size=20))
def test_any_text_is_a_route_or_an_error(text: str) -> None:
    for parse in (parse_route, parse_merge):
        with suppress(SourceError):
            parse(text)


def test_routes_are_read_and_ordered(tmp_path: Path) -> None:
    routes = [f"torch={tmp_path}", "torch*=https://b.example/s", "x=https://user:pw@c.example/?a=b"]
    routing = read_routing(routes, ["w", "x,Y  z-*"])
    assert routing.source("torch") == Source(tmp_path.as_uri())
    assert routing.source("torchvision") == Source("https://b.example/s")
    x = routing.source("x")
    assert x is not None
    assert (x.url, x.login) == ("https://c.example/?a=b", Source("https://user:pw@c.example").login)
    assert routing.source("y") is None
    assert [name for name in ("w", "x", "y", "z", "z-1") if routing.merges(name)] == ["w", "x", "y", "z-1"]
    with pytest.raises(SourceError) as caught:
        parse_route("https://user:secret@host/")
    assert "secret" not in str(caught.value)


@pytest.fixture
def indexes(tmp_path: Path) -> Iterator[tuple[FakeIndex, FakeIndex]]:
    """Two indexes with `a`: 1.0 in both with different bytes, 2.0 in the second only."""
    with FakeIndex() as first, FakeIndex() as second:
        for index, versions in ((first, ["1.0"]), (second, ["1.0", "2.0"])):
            folder = tmp_path / index.root.rpartition(":")[2]
            wheels = [make_wheel(folder, f"a-{version}-py3-none-any.whl") for version in versions]
            index.add_project("a", [index.add_file(wheel) for wheel in wheels])
        yield first, second


def upstream(indexes: tuple[FakeIndex, FakeIndex], routing: Routing | None, *links: str) -> Upstream:
    sources = [*(Source(index.url) for index in indexes), *map(Source.find_links, links)]
    return Upstream(sources, Network(), routing)


def urls(found: Upstream, name: str = "a") -> dict[str, str]:
    project = found.project(name)
    return {} if project is None else {file.filename: file.url for file in project.page.files}


def test_nothing_is_merged_unless_asked_for(indexes: tuple[FakeIndex, FakeIndex]) -> None:
    first, second = indexes
    assert list(urls(upstream(indexes, Routing(merged=parse_merge("b"))))) == ["a-1.0-py3-none-any.whl"]
    assert second.requests == []
    merged = urls(upstream(indexes, Routing(merged=parse_merge("a"))))
    assert merged["a-1.0-py3-none-any.whl"].startswith(first.root)  # the first one's file is meant
    assert merged["a-2.0-py3-none-any.whl"].startswith(second.root)


def test_a_failing_index_is_an_error_in_a_merge_too(indexes: tuple[FakeIndex, FakeIndex]) -> None:
    indexes[1].routes["/simple/a/"] = Route(status=500)
    found = upstream(indexes, Routing(merged=parse_merge("*")))
    with pytest.raises(UpstreamError, match=indexes[1].url):
        found.project("a")


def test_a_failing_first_index_is_an_error(indexes: tuple[FakeIndex, FakeIndex]) -> None:
    indexes[0].routes["/simple/a/"] = Route(status=500)
    with pytest.raises(UpstreamError, match=f"index {indexes[0].url} cannot be read"):
        upstream(indexes, None).project("a")
    assert indexes[1].requests == []


def test_a_route_is_the_only_source(indexes: tuple[FakeIndex, FakeIndex], tmp_path: Path) -> None:
    first, second = indexes
    folder = tmp_path / "links"
    make_wheel(folder, "a-9.0-py3-none-any.whl")
    routed = upstream(indexes, Routing((parse_route(f"a={second.url}"),)), str(folder))
    assert sorted(urls(routed)) == ["a-1.0-py3-none-any.whl", "a-2.0-py3-none-any.whl"]
    assert first.requests == []
    assert routed.is_routed("a")
    assert not routed.is_routed("b")
    del second.routes["/simple/a/"]
    assert routed.project("a") is None
    second.routes["/simple/a/"] = Route(status=503)
    with pytest.raises(UpstreamError, match=second.url):
        routed.project("a")
    assert first.requests == []
