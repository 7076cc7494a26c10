from __future__ import annotations

import multiprocessing
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from tests.variant_index.shim.family import NAME, SIDECAR
from tests.variant_index.upstream.fake_index import FakeIndex, Route
from tests.variant_index.upstream.test_sidecar import listed
from variant_index.errors import UpstreamError
from variant_index.upstream.cache import DiskCache
from variant_index.upstream.network import Network
from variant_index.upstream.releases import Release
from variant_index.upstream.sidecar import SidecarReader

LIMIT = 1 << 20


@pytest.fixture
def index() -> Iterator[FakeIndex]:
    with FakeIndex() as index:
        yield index


def test_what_is_stored_is_found(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "deep" / "cache")
    assert cache.get("a") is None
    cache.put("a", b"1")
    cache.put("a", b"2")
    cache.put("b\nü", b"")
    assert (cache.get("a"), cache.get("b\nü"), cache.get("c")) == (b"2", b"", None)
    assert stat.S_IMODE((tmp_path / "deep" / "cache").stat().st_mode) == 0o700
    assert DiskCache(tmp_path / "deep" / "cache").get("a") == b"2"


@given(position=st.integers(0, 60), change=st.integers(1, 255), cut=st.integers(0, 60))
def test_damaged_entries_count_as_missing(
    tmp_path_factory: pytest.TempPathFactory, position: int, change: int, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("cache")
    cache = DiskCache(folder)
    cache.put("key", bytes(range(40)))
    (path,) = folder.iterdir()
    good = path.read_bytes()
    damaged = bytearray(good)
    damaged[position] ^= change
    path.write_bytes(damaged)
    assert cache.get("key") is None
    path.write_bytes(good[:cut])
    assert cache.get("key") is None
    path.write_bytes(good + b"x")
    assert cache.get("key") is None


def test_an_entry_put_in_the_place_of_another_counts_as_missing(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path)
    cache.put("evil", b"evil")
    (evil,) = tmp_path.iterdir()
    cache.put("good", b"good")
    (good,) = set(tmp_path.iterdir()) - {evil}
    good.write_bytes(evil.read_bytes())
    assert cache.get("good") is None


def test_an_unusable_folder_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cache = DiskCache(tmp_path / "file" / "cache")
    cache.put("a", b"1")
    assert cache.get("a") is None


def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, limit=1000)
    cache.put("too large", bytes(251))
    assert cache.get("too large") is None
    for number in range(6):
        cache.put(str(number), bytes(200))
        (path,) = [path for path in tmp_path.iterdir() if path.stat().st_mtime > 1000]
        os.utime(path, (number, number))
    assert cache.get("0") is not None  # used now, so the newest
    later = DiskCache(tmp_path, limit=1000)
    later.put("6", bytes(200))
    # Six entries of 232 bytes are trimmed to three quarters of 1000, then the new one is added.
    assert [key for key in "0123456" if later.get(key) is not None] == ["0", "4", "5", "6"]


def store(folder: Path, number: int) -> None:
    cache = DiskCache(folder)
    for _ in range(50):
        cache.put("shared", bytes([number]) * 10_000)


def test_several_processes_never_see_half_an_entry(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=store, args=(tmp_path, number)) for number in range(3)]
    for writer in writers:
        writer.start()
    cache = DiskCache(tmp_path)
    while any(writer.is_alive() for writer in writers):
        data = cache.get("shared")
        assert data is None or len(set(data)) == 1
    for writer in writers:
        writer.join()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("new-")] == []


@pytest.mark.parametrize(
    ("header", "question"), [("ETag", "If-None-Match"), ("Last-Modified", "If-Modified-Since")]
)
def test_a_confirmed_answer_is_not_sent_again(
    index: FakeIndex, tmp_path: Path, header: str, question: str
) -> None:
    index.routes["/p"] = Route(b"page", "text/html", headers={header: '"1"'}, unless=(question, '"1"'))
    replies = [Network(cache=DiskCache(tmp_path)).get(f"{index.root}/p", limit=LIMIT) for _ in range(3)]
    assert [(reply.status, reply.body, reply.headers["content-type"], reply.url) for reply in replies] == [
        (200, b"page", "text/html", f"{index.root}/p")
    ] * 3
    assert index.not_modified == 2


def test_a_changed_answer_replaces_the_stored_one(index: FakeIndex, tmp_path: Path) -> None:
    network = Network(cache=DiskCache(tmp_path))
    for version in ("1", "2", "2"):
        index.routes["/p"] = Route(
            version.encode(), headers={"ETag": version}, unless=("If-None-Match", version)
        )
        assert network.get(f"{index.root}/p", limit=LIMIT).body == version.encode()
    assert index.not_modified == 1


def test_forms_are_kept_apart(index: FakeIndex, tmp_path: Path) -> None:
    network = Network(cache=DiskCache(tmp_path))
    index.routes["/p"] = Route(b"json", headers={"ETag": "1"})
    network.get(f"{index.root}/p", limit=LIMIT, accept="application/json")
    index.routes["/p"] = Route(b"html", headers={"ETag": "1"}, unless=("If-None-Match", "1"))
    assert network.get(f"{index.root}/p", limit=LIMIT, accept="text/html").body == b"html"


def test_a_dead_index_is_an_error_whatever_is_stored(index: FakeIndex, tmp_path: Path) -> None:
    network = Network(cache=DiskCache(tmp_path))
    index.routes["/p"] = Route(b"page", headers={"ETag": "1"})
    network.get(f"{index.root}/p", limit=LIMIT)
    index.routes["/p"] = Route(status=500)
    with pytest.raises(UpstreamError):
        network.get(f"{index.root}/p", limit=LIMIT)
    del index.routes["/p"]
    assert network.get(f"{index.root}/p", limit=LIMIT).status == 404


@pytest.mark.parametrize("headers", [{}, {"ETag": "1", "Cache-Control": "private, no-store"}])
def test_what_cannot_or_must_not_be_kept_is_not(
    index: FakeIndex, tmp_path: Path, headers: dict[str, str]
) -> None:
    index.routes["/p"] = Route(b"page", headers=headers)
    Network(cache=DiskCache(tmp_path)).get(f"{index.root}/p", limit=LIMIT)
    assert list(tmp_path.iterdir()) == []


def test_a_stored_answer_obeys_the_limit_of_the_question(index: FakeIndex, tmp_path: Path) -> None:
    network = Network(cache=DiskCache(tmp_path))
    index.routes["/p"] = Route(b"x" * 100, headers={"ETag": "1"}, unless=("If-None-Match", "1"))
    network.get(f"{index.root}/p", limit=LIMIT)
    with pytest.raises(UpstreamError, match="sends more than 50 bytes"):
        network.get(f"{index.root}/p", limit=50)


def test_documents_are_fetched_once_and_always_checked(index: FakeIndex, tmp_path: Path) -> None:
    entry = listed(index)
    release = Release(NAME, Version("2.0"), sidecars=[entry])
    for _ in range(3):
        reader = SidecarReader(Network(cache=DiskCache(tmp_path)))
        assert reader.read([release]).by_version
    assert index.asked(SIDECAR) == 1
    index.routes[f"/{SIDECAR}"] = Route(b"{}")
    for path in tmp_path.iterdir():
        path.unlink()
    assert not SidecarReader(Network(cache=DiskCache(tmp_path))).read([release]).by_version
    assert list(tmp_path.iterdir()) == []
