"""A wheel that changes while it is passed on: the right bytes in any pieces, and no end of a wrong wheel."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from variant_index.errors import UpstreamError
from variant_index.shim.spliced import NewHashes, SplicedWheel, SpliceStreamer
from variant_index.simple_api.page import ProjectFile
from variant_index.upstream.network import Network
from variant_index.wheel.rewrite import Span
from variant_index.wheel.splice import Splice

OLD = bytes(range(97, 123))


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    network = Network()
    yield network
    network.close()


@st.composite
def splices(draw: st.DrawFn) -> tuple[Splice, bytes]:
    """Draw what becomes of OLD, and the result."""
    cuts = sorted(draw(st.sets(st.integers(0, len(OLD)), max_size=6)))
    spans = [Span(start, stop) for start, stop in zip(cuts[::2], cuts[1::2], strict=False)]
    pieces: list[Span | bytes] = []
    for span in spans:
        pieces += [*draw(st.lists(st.binary(max_size=3), max_size=2)), span]
    pieces += [*draw(st.lists(st.binary(max_size=3), max_size=2)), draw(st.binary(min_size=1, max_size=5))]
    kept = {position for span in spans for position in range(*span)}
    replaced = bytes(byte for position, byte in enumerate(OLD) if position not in kept)
    new = b"".join(OLD[piece.start : piece.stop] if isinstance(piece, Span) else piece for piece in pieces)
    return Splice(tuple(pieces), len(OLD), hashlib.sha256(replaced).hexdigest(), b""), new


def hashes(data: bytes) -> dict[str, str]:
    return {name: hashlib.new(name, data).hexdigest() for name in ("sha256", "sha512")}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(splices(), st.tuples(st.integers(1, 30), st.integers(0, len(OLD) - 1)), st.booleans())
def test_any_pieces_in_any_chunks(
    network: Network, tmp_path: Path, spliced: tuple[Splice, bytes], places: tuple[int, int], is_listed: bool
) -> None:
    (splice, new), (chunk, wrong) = spliced, places
    path = tmp_path / "a-1-py3-none-any.whl"
    path.write_bytes(OLD)
    known = NewHashes(network)
    streamer = SpliceStreamer(network, known)
    wheel = SplicedWheel(ProjectFile(path.name, path.as_uri(), hashes(OLD) if is_listed else {}), splice)
    with mock.patch("variant_index.shim.spliced._CHUNK", chunk):
        assert b"".join(streamer.stream(wheel)) == new
        assert len(new) == splice.size
        if is_listed:
            assert known.of(wheel) == {"sha256": hashlib.sha256(new).hexdigest()}
        evil = bytearray(OLD)
        evil[wrong] ^= 1
        path.write_bytes(evil)
        sent: list[bytes] = []
        is_replaced = not any(
            piece.start <= wrong < piece.stop for piece in splice.pieces if isinstance(piece, Span)
        )
        if is_listed or is_replaced:
            with pytest.raises(UpstreamError, match="not handed out"):
                sent.extend(streamer.stream(wheel))
            end = splice.pieces[-1]
            assert isinstance(end, bytes)
            assert len(b"".join(sent)) <= len(new) - len(end)


@settings(deadline=None)
@given(splices(), splices())
def test_the_identity_is_that_of_the_bytes(one: tuple[Splice, bytes], other: tuple[Splice, bytes]) -> None:
    file = ProjectFile("a-1-py3-none-any.whl", "https://example.org/a", hashes(OLD))
    first, second = SplicedWheel(file, one[0]), SplicedWheel(file, other[0])
    if first.identity == second.identity:
        assert one[1] == other[1]
    assert SplicedWheel(file, one[0]).identity == first.identity
