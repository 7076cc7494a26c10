"""Files of an index, written to disk as they arrive, with limits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.variant_index.upstream.fake_index import FakeIndex, Route
from variant_index.errors import UpstreamError
from variant_index.upstream.network import Network, UnreachableError

CONTENT = bytes(range(256)) * 1000


@pytest.fixture
def index() -> Iterator[FakeIndex]:
    with FakeIndex() as index:
        yield index


def download(index: FakeIndex, path: str, to: Path, limit: int = 1 << 20) -> int:
    with to.open("wb") as file:
        reply = Network().download(f"{index.root}{path}", file, limit=limit)
    assert reply.body == b"" or reply.status != 200
    return reply.status


def test_the_bytes_as_they_are(index: FakeIndex, tmp_path: Path) -> None:
    index.routes["/a.whl"] = Route(CONTENT, "application/octet-stream")
    assert download(index, "/a.whl", tmp_path / "a") == 200
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_through_a_redirect(index: FakeIndex, tmp_path: Path) -> None:
    index.routes["/a.whl"] = Route(b"moved", status=302, headers={"Location": "/b.whl"})
    index.routes["/b.whl"] = Route(CONTENT)
    assert download(index, "/a.whl", tmp_path / "a") == 200
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_what_is_missing_writes_nothing(index: FakeIndex, tmp_path: Path) -> None:
    assert download(index, "/none.whl", tmp_path / "a") == 404
    assert (tmp_path / "a").read_bytes() == b""


def test_no_more_than_allowed(index: FakeIndex, tmp_path: Path) -> None:
    index.routes["/a.whl"] = Route(CONTENT)
    with pytest.raises(UpstreamError, match="sends more than"):
        download(index, "/a.whl", tmp_path / "a", limit=len(CONTENT) - 1)
    assert len((tmp_path / "a").read_bytes()) < len(CONTENT)


def test_a_server_with_an_error(index: FakeIndex, tmp_path: Path) -> None:
    index.routes["/a.whl"] = Route(b"", status=500)
    with pytest.raises(UnreachableError, match="answered 500"):
        download(index, "/a.whl", tmp_path / "a")


def test_a_file_cut_short(index: FakeIndex, tmp_path: Path) -> None:
    index.routes["/a.whl"] = Route(CONTENT, promised=len(CONTENT) + 1)
    with pytest.raises(UnreachableError):
        download(index, "/a.whl", tmp_path / "a")


def test_a_file_that_never_ends(index: FakeIndex, tmp_path: Path) -> None:
    index.routes["/a.whl"] = Route(b"x" * 1000, seconds_per_byte=0.05)
    with (tmp_path / "a").open("wb") as file, pytest.raises(UnreachableError, match="took longer"):
        Network(timeout=1).download(f"{index.root}/a.whl", file, limit=1000)
