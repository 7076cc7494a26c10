"""Passing on a wheel whose METADATA changes on the way, against copying it and hashing the copy."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figure import Figure
from benchmarks.repack import against
from variant_index.shim.spliced import NewHashes, SplicedWheel, SpliceStreamer
from variant_index.simple_api.page import ProjectFile
from variant_index.upstream.network import Network
from variant_index.wheel.archive import Archive
from variant_index.wheel.splice import plan_splice

__all__ = ["measure"]

_NAME = "a 191 MB wheel passed on, against copy, sha256"
_TARGET = 2.0
_BYTES = 191_000_000
_FILES = 12_000
_CHUNK = 1 << 20


def measure() -> Iterator[Figure]:
    """Yield the figure: the new end planned, the old bytes hashed and passed on, against copy and hash."""
    yield against(_pass_on, _copy, name=_NAME, target=_TARGET, size=_BYTES, files=_FILES)


def _pass_on(source: Path, out: Path) -> None:
    network = Network()
    with Archive(source) as archive:
        splice = plan_splice(archive, lambda old: old + b"Requires-Dist: sympy\n")
    wheel = SplicedWheel(ProjectFile(source.name, source.as_uri()), splice)
    with out.open("wb") as file:
        for piece in SpliceStreamer(network, NewHashes(network)).stream(wheel):
            file.write(piece)
    network.close()


def _copy(source: Path, out: Path) -> None:
    digest = hashlib.sha256()
    with source.open("rb") as old, out.open("wb") as new:
        while piece := old.read(_CHUNK):
            digest.update(piece)
            new.write(piece)
