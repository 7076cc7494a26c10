"""Parts of files over real HTTP, and wheels read by them: what servers get wrong, and what it costs."""

from __future__ import annotations

import hashlib
import random
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.making import document, make_wheel
from tests.variant_index.upstream.fake_index import FakeIndex, Route
from variant_index.errors import UpstreamError
from variant_index.simple_api.page import ProjectFile
from variant_index.upstream.byte_range import RangeError, WantedRange
from variant_index.upstream.cache import DiskCache
from variant_index.upstream.network import Network, UnreachableError
from variant_index.upstream.remote_wheel import RemoteFile, WheelReader, open_wheel
from variant_index.wheel.archive import WheelError

DATA = random.Random(1).randbytes(300_000)
CU128 = document({"cu128": {"nvidia": {"cuda_version_lower_bound": ["12.8"]}}})


@pytest.fixture
def index() -> Iterator[FakeIndex]:
    with FakeIndex() as index:
        index.routes["/f"] = Route(DATA)
        yield index


@pytest.fixture
def network() -> Iterator[Network]:
    network = Network()
    yield network
    network.close()


@pytest.mark.parametrize(
    ("first", "length"), [(0, 10), (None, 10), (299_990, 50), (5, 200_000), (None, 10**6)]
)
def test_a_part_arrives_as_it_is(index: FakeIndex, network: Network, first: int | None, length: int) -> None:
    part = network.get_range(f"{index.root}/f", WantedRange(first, length))
    start = max(0, len(DATA) - length) if first is None else first
    assert part is not None
    assert (part.start, part.total, part.data) == (start, len(DATA), DATA[start:][:length])


@pytest.mark.parametrize(
    "ranged",
    [
        Route(DATA),
        Route(DATA, promised=10**12),
        Route(status=416),
        Route(b"no such method", status=501),
        Route(
            DATA[:10], status=206, headers={"Content-Range": "bytes 0-9/300000", "Content-Encoding": "gzip"}
        ),
    ],
    ids=["whole", "endless", "not satisfiable", "not implemented", "packed"],
)
def test_a_server_without_ranges(index: FakeIndex, network: Network, ranged: Route) -> None:
    index.routes["/f"].ranged = ranged
    assert network.get_range(f"{index.root}/f", WantedRange(0, 10)) is None


def test_a_small_file_may_come_whole(index: FakeIndex, network: Network) -> None:
    index.routes["/f"].ranged = Route(b"short", headers={"ETag": '"1"'})
    part = network.get_range(f"{index.root}/f", WantedRange(None, 3))
    assert part is not None
    assert (part.start, part.total, part.data, part.etag) == (0, 5, b"short", '"1"')


LIES = {
    "nothing said": Route(DATA[:10], status=206),
    "other bytes": Route(DATA[:10], status=206, headers={"Content-Range": "bytes 1-10/300000"}),
    "fewer bytes": Route(DATA[:9], status=206, headers={"Content-Range": "bytes 0-8/300000"}),
    "beyond the end": Route(DATA[:10], status=206, headers={"Content-Range": "bytes 0-9/5"}),
    "size unknown": Route(DATA[:10], status=206, headers={"Content-Range": "bytes 0-9/*"}),
    "odd digits": Route(DATA[:10], status=206, headers={"Content-Range": "bytes 0-9/3_0"}),
    "too long": Route(DATA[:11], status=206, headers={"Content-Range": "bytes 0-9/300000"}),
    "too short": Route(DATA[:8], status=206, headers={"Content-Range": "bytes 0-9/300000"}),
    "several parts": Route(b"--x", "multipart/byteranges; boundary=x", 206),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_part_that_is_another_one(index: FakeIndex, network: Network, lie: str) -> None:
    index.routes["/f"].ranged = LIES[lie]
    with pytest.raises(RangeError, match=index.root):
        network.get_range(f"{index.root}/f", WantedRange(0, 10))


def test_an_endless_part_is_not_read_on(index: FakeIndex, network: Network) -> None:
    endless = {"Content-Range": "bytes 0-9/300000"}
    index.routes["/f"].ranged = Route(DATA, status=206, headers=endless, promised=10**12)
    with pytest.raises(UpstreamError, match="sends more than"):
        network.get_range(f"{index.root}/f", WantedRange(0, 10))


def test_a_part_that_breaks_off_and_servers_that_are_down(index: FakeIndex, network: Network) -> None:
    said = {"Content-Range": "bytes 0-9/300000"}
    for ranged in (
        Route(DATA[:5], status=206, headers=said, promised=10),
        Route(status=500),
    ):
        index.routes["/f"].ranged = ranged
        with pytest.raises(UnreachableError, match=index.root):
            network.get_range(f"{index.root}/f", WantedRange(0, 10))
    index.routes["/slow"] = Route(DATA, seconds_before=120)
    with pytest.raises(UnreachableError, match="timed out"):
        Network(timeout=0.2).get_range(f"{index.root}/slow", WantedRange(0, 10))
    with pytest.raises(UpstreamError, match="answered 404"):
        network.get_range(f"{index.root}/nothing", WantedRange(0, 10))


def test_a_redirect_leads_to_the_part(index: FakeIndex, network: Network) -> None:
    index.routes["/r"] = Route(b"moved " * 100, status=302, headers={"Location": "/f"})
    part = network.get_range(f"{index.root}/r", WantedRange(7, 3))
    assert part is not None
    assert part.data == DATA[7:10]


@settings(max_examples=25)
@given(reads=st.lists(st.tuples(st.integers(0, 310_000), st.integers(0, 100_000)), max_size=6))
def test_any_place_of_a_remote_file(reads: list[tuple[int, int]]) -> None:
    with FakeIndex() as index:
        index.routes["/f"] = Route(DATA)
        network = Network()
        known = network.get_range(f"{index.root}/f", WantedRange(None, 1000))
        assert known is not None
        file = RemoteFile(network, f"{index.root}/f", known)
        for offset, length in reads:
            assert file.read_at(offset, length) == DATA[offset:][:length]
        network.close()


def wheel_of(folder: Path, entries: int = 3, name: str = "w-1.0-py3-none-any-cu128.whl") -> Path:
    noise = random.Random(2)
    files = {f"w/{number:05}.bin": noise.randbytes(40) for number in range(entries)}
    return make_wheel(
        folder, name, files={**files, "w/big.bin": noise.randbytes(100_000)}, variant_json=CU128
    )


@pytest.mark.parametrize(
    ("entries", "requests", "sized"), [(3, 1, True), (300, 1, True), (300, 1, False), (3000, 3, True)]
)
def test_one_request_for_most_wheels(
    index: FakeIndex, tmp_path: Path, entries: int, requests: int, sized: bool
) -> None:
    network = Network()
    path = wheel_of(tmp_path, entries)
    file = index.add_file(path)
    members = WheelReader(network).read(file if sized else replace(file, size=None))
    assert members is not None
    with zipfile.ZipFile(path) as archive:
        assert members.variant_json == archive.read("w-1.0.dist-info/variant.json")
        assert members.metadata == archive.read("w-1.0.dist-info/METADATA")
    assert len(index.ranges) == requests
    assert ("bytes=-65536" in index.ranges[0]) is not sized
    sent = sum(
        int(last) - int(first) + 1 if first else int(last)
        for first, last in (one.partition("bytes=")[2].split("-") for one in index.ranges)
    )
    assert sent < 65_536 * requests + 400_000


def test_members_are_cached_by_hash_and_address(index: FakeIndex, tmp_path: Path) -> None:
    file = index.add_file(wheel_of(tmp_path))
    cache = DiskCache(tmp_path / "cache")
    for _ in range(2):
        network = Network(cache=cache)
        reader = WheelReader(network)
        first = reader.read(file)
        assert first is not None
        assert reader.read(file) == reader.known(file) == first
        network.close()
    assert len(index.ranges) == 1
    reader = WheelReader(Network(cache=cache))
    # Neither another server's word for this hash nor other bytes at this address.
    assert reader.known(replace(file, url=file.url + "?other")) is None
    assert reader.known(replace(file, hashes={"sha256": "0" * 64})) is None
    assert reader.known(replace(file, hashes={})) is None


def test_what_is_missing_stays_missing_in_the_cache(index: FakeIndex, tmp_path: Path) -> None:
    file = index.add_file(make_wheel(tmp_path, "w-1.0-py3-none-any.whl"))
    for _ in range(2):
        members = WheelReader(Network(cache=DiskCache(tmp_path / "cache"))).read(file)
        assert members is not None
        assert members.variant_json is None
        assert members.metadata is not None


def test_wheels_of_this_machine(network: Network, tmp_path: Path) -> None:
    path = wheel_of(tmp_path)
    file = ProjectFile(path.name, path.as_uri())
    reader = WheelReader(network)
    assert reader.known(file) is None
    members = reader.read(file)
    assert members is not None
    assert members.variant_json is not None
    assert reader.known(file) == members
    make_wheel(tmp_path, path.name, variant_json=b"{}")
    changed = reader.read(file)
    assert changed is not None
    assert changed.variant_json == b"{}"
    path.unlink()
    with pytest.raises(WheelError, match="No such file"):
        reader.read(file)


def test_what_is_no_wheel(index: FakeIndex, network: Network, tmp_path: Path) -> None:
    reader = WheelReader(network)
    for data in (b"", b"no archive", DATA):
        path = tmp_path / "w-1.0-py3-none-any-cu128.whl"
        path.write_bytes(data)
        index.routes["/files/w"] = Route(data)
        digest = hashlib.sha256(data).hexdigest()
        file = ProjectFile(path.name, f"{index.root}/files/w", {"sha256": digest})
        if data:
            with pytest.raises(WheelError, match=path.name):
                reader.read(file)
        else:
            assert reader.read(file) is None  # an empty file has no last bytes


def test_servers_that_change_their_mind(index: FakeIndex, network: Network, tmp_path: Path) -> None:
    file = index.add_file(wheel_of(tmp_path))
    route = index.routes[f"/files/{file.filename}"]
    with pytest.raises(RangeError, match="its index says"):
        open_wheel(replace(file, size=(file.size or 0) - 1), network)
    archive = open_wheel(file, network)
    assert archive is not None
    with archive:
        index.routes[f"/files/{file.filename}"] = Route(route.body + b"x")
        with pytest.raises(RangeError, match="changed while it was read"):
            archive.read_at(0, 10)


def test_not_more_than_8_mb_are_read_of_a_wheel(index: FakeIndex, network: Network) -> None:
    index.routes["/f"] = Route(bytes(20 << 20))
    known = network.get_range(f"{index.root}/f", WantedRange(None, 1000))
    assert known is not None
    file = RemoteFile(network, f"{index.root}/f", known)
    for offset in range(0, 7 << 20, 1 << 20):
        assert file.read_at(offset, 1 << 20) == bytes(1 << 20)
    with pytest.raises(UpstreamError, match="more than 8 MB"):
        file.read_at(7 << 20, 1 << 20)
    assert len(index.ranges) == 8


def test_a_server_without_ranges_sends_no_wheel(index: FakeIndex, network: Network, tmp_path: Path) -> None:
    file = index.add_file(wheel_of(tmp_path))
    index.routes[f"/files/{file.filename}"].ranged = Route(index.routes[f"/files/{file.filename}"].body)
    reader = WheelReader(network)
    assert reader.read(file) is reader.read(file) is reader.known(file) is None
    assert len(index.ranges) == 1
