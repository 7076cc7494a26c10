from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.making import make_wheel
from tests.variant_index.upstream.fake_index import FakeIndex, Route
from variant_index.errors import UpstreamError
from variant_index.simple_api.page import ProjectFile
from variant_index.upstream.cache import DiskCache
from variant_index.upstream.network import Network
from variant_index.upstream.published_metadata import PublishedMetadata
from variant_index.upstream.remote_wheel import WheelReader

BESIDE = "/files/a-1.0-py3-none-any.whl.metadata"


@pytest.fixture
def index() -> Iterator[FakeIndex]:
    with FakeIndex() as index:
        yield index


@pytest.fixture
def file(index: FakeIndex, tmp_path: Path) -> ProjectFile:
    return index.add_file(make_wheel(tmp_path, "a-1.0-py3-none-any.whl", requires_dist=["b"]))


def published(folder: Path | None = None) -> PublishedMetadata:
    network = Network(cache=None if folder is None else DiskCache(folder))
    return PublishedMetadata(WheelReader(network), network)


def test_beside_the_wheel_first(index: FakeIndex, file: ProjectFile) -> None:
    assert b"Requires-Dist: b" in (published().of(file) or b"")
    assert index.requests == [f"GET {BESIDE}"]


def test_in_the_wheel_where_nothing_lies_beside_it(index: FakeIndex, file: ProjectFile) -> None:
    del index.routes[BESIDE]
    assert b"Requires-Dist: b" in (published().of(file) or b"")
    assert b"Requires-Dist: b" in (published().of(replace(file, core_metadata=False)) or b"")
    assert len(index.ranges) == 2


def test_what_is_kept_is_not_asked_for(index: FakeIndex, file: ProjectFile, tmp_path: Path) -> None:
    first = published(tmp_path / "cache").of(file)
    elsewhere = replace(file, url="https://elsewhere.example/a-1.0-py3-none-any.whl")
    assert published(tmp_path / "cache").of(elsewhere) == first
    assert len(index.requests) == 1


def test_another_hash_than_the_listed_one(index: FakeIndex, file: ProjectFile, tmp_path: Path) -> None:
    index.routes[BESIDE] = Route(b"Requires-Dist: evil")
    for _ in range(2):
        assert published(tmp_path / "cache").of(file) is None
    assert len(index.requests) == 2
    assert published().of(replace(file, core_metadata=True)) == b"Requires-Dist: evil"  # nothing was promised


def test_a_server_that_is_down(index: FakeIndex, file: ProjectFile) -> None:
    index.routes[BESIDE] = Route(status=500)
    with pytest.raises(UpstreamError):
        published().of(file)


def test_a_wheel_of_this_machine(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, "a-1.0-py3-none-any.whl", requires_dist=["b"])
    assert b"Requires-Dist: b" in (published().of(ProjectFile(path.name, path.as_uri())) or b"")
