"""Wheels that get another METADATA on their way to the client: old bytes are checked, then the end is sent.

The bytes that stay are passed on while they arrive. The new directory, an archive's end, is sent only when
all old bytes had the hash that the index lists; otherwise the client never holds a complete archive.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final, NoReturn

from variant_index.errors import UpstreamError, printable
from variant_index.simple_api.page import ProjectFile
from variant_index.upstream.local import local_path
from variant_index.upstream.network import Network
from variant_index.upstream.sidecar import STRONG_HASHES

if TYPE_CHECKING:
    from variant_index.markers.metadata import MarkerDecision
    from variant_index.wheel.rewrite import Span
    from variant_index.wheel.splice import Splice

__all__ = ["NewHashes", "SpliceStreamer", "SplicedWheel"]

_CHUNK: Final = 1 << 20


@dataclass(frozen=True)
class SplicedWheel:
    """A wheel and its other METADATA.

    Attributes:
        file: its entry upstream, under its name there.
        splice: what it becomes.
        decisions: what became of each requirement with a variant marker, in order.
    """

    file: ProjectFile
    splice: Splice
    decisions: tuple[MarkerDecision, ...] = ()

    def entry(self, file: ProjectFile, hashes: Mapping[str, str]) -> ProjectFile:
        """Return how to list the new wheel.

        Args:
            file: its line of the page, as of the old wheel.
            hashes: those of the new wheel, as far as they are known.
        """
        metadata = {"sha256": hashlib.sha256(self.splice.metadata).hexdigest()}
        return replace(file, hashes=hashes, core_metadata=metadata, size=self.splice.size)

    @property
    def note(self) -> str:
        """What to tell someone whose installer refused the new wheel."""
        return (
            f"{printable(self.file.filename)} has variant markers, which were decided on the way: it no"
            f" longer has the hash of its index, so --require-hashes cannot work with that one"
        )

    @cached_property
    def identity(self) -> str:
        """What the new wheel consists of; equal for equal bytes, as far as the index lists a hash."""
        listed = sorted(
            (name, self.file.hashes[name].lower()) for name in STRONG_HASHES & self.file.hashes.keys()
        )
        digest = hashlib.sha256()
        for piece in self.splice.pieces:
            head = f"new {len(piece)}\n" if isinstance(piece, bytes) else f"old {piece.start} {piece.stop}\n"
            digest.update(head.encode() + (piece if isinstance(piece, bytes) else b""))
        return f"spliced wheel {listed} {digest.hexdigest()}"


class NewHashes:
    """The hashes of wheels that were passed on once, known from then on; safe to share between threads."""

    def __init__(self, network: Network) -> None:
        """Prepare; the network's disk cache keeps them between runs."""
        self._cache = network.cache
        self._lock = threading.Lock()
        self._known: dict[str, str] = {}

    def of(self, wheel: SplicedWheel) -> Mapping[str, str]:
        """Return the hashes to list: none before the wheel was passed on for the first time.

        Installers take a file without a hash; one with the old hash they would refuse. A file of this
        machine has none to begin with.
        """
        if not wheel.file.hashes:
            return {}
        identity = wheel.identity
        with self._lock:
            known = self._known.get(identity)
        if known is None and self._cache is not None and (data := self._cache.get(identity)) is not None:
            known = data.decode("ascii", "replace")
        return {} if known is None else {"sha256": known}

    def keep(self, wheel: SplicedWheel, sha256: str) -> None:
        """Remember a hash."""
        if not wheel.file.hashes:
            return
        with self._lock:
            self._known[wheel.identity] = sha256
        if self._cache is not None:
            self._cache.put(wheel.identity, sha256.encode())


class SpliceStreamer:
    """Passes wheels on; safe to share between threads."""

    def __init__(self, network: Network, hashes: NewHashes) -> None:
        self._network = network
        self._hashes = hashes
        self._refused: dict[str, str] = {}

    def stream(self, wheel: SplicedWheel) -> Iterator[bytes]:
        """Yield the new wheel's bytes; the last piece comes only when the old bytes were the right ones.

        Raises:
            UpstreamError: the old wheel cannot be read, or is not the one that its index lists; once found
                wrong, it is not read again.
        """
        if (problem := self._refused.get(wheel.file.url)) is not None:
            raise UpstreamError(problem)
        *pieces, directory = wheel.splice.pieces
        assert isinstance(directory, bytes)
        others = [name for name in STRONG_HASHES if name in wheel.file.hashes and name != "sha256"]
        digests = {name: hashlib.new(name) for name in others}
        new, replaced = hashlib.sha256(), hashlib.sha256()
        whole, size = new, 0
        with closing(self._old_bytes(wheel)) as chunks:
            cutter = _Cutter(pieces)
            for chunk in chunks:
                size += len(chunk)
                for digest in digests.values():
                    digest.update(chunk)
                if whole is new and cutter.changes_within(size):
                    whole = new.copy()  # old and new are equal up to here, so that was hashed once
                if whole is not new:
                    whole.update(chunk)
                for data, is_sent in cutter.cut(chunk):
                    (new if is_sent else replaced).update(data)
                    if is_sent:
                        yield data
        if size != wheel.splice.old_size or replaced.hexdigest() != wheel.splice.replaced:
            self._refuse(wheel, "changed while it was read")
        for name, digest in {**digests, "sha256": whole}.items():
            if digest.hexdigest() != wheel.file.hashes.get(name, digest.hexdigest()).lower():
                self._refuse(wheel, f"does not have the {name} that its index lists")
        new.update(directory)
        self._hashes.keep(wheel, new.hexdigest())
        yield directory

    def _refuse(self, wheel: SplicedWheel, why: str) -> NoReturn:
        problem = f"{printable(wheel.file.filename)} {why}, so it is not handed out"
        if local_path(wheel.file.url) is None:
            self._refused[wheel.file.url] = problem
        raise UpstreamError(problem)

    def _old_bytes(self, wheel: SplicedWheel) -> Generator[bytes, None, None]:
        url = wheel.file.url
        if (path := local_path(url)) is not None:
            try:
                with path.open("rb") as file:
                    yield from iter(lambda: file.read(_CHUNK), b"")
            except OSError as error:
                raise UpstreamError(f"{printable(str(path))}: {error.strerror}") from None
            return
        with self._network.open(url, named_by=wheel.file.listed_by) as stream:
            if stream.status != 200:
                raise UpstreamError(f"{printable(url)} answered {stream.status}")
            size = 0
            for chunk in stream.chunks():
                size += len(chunk)
                if size > wheel.splice.old_size:
                    raise UpstreamError(f"{printable(wheel.file.filename)} is larger than it was, refused")
                yield chunk


class _Cutter:
    """Cuts the old wheel, as it arrives, into what stays and what is replaced, and adds what is new."""

    def __init__(self, pieces: Sequence[Span | bytes]) -> None:
        self._pieces = pieces
        self._next = 0
        self._position = 0

    def changes_within(self, position: int) -> bool:
        """Tell whether the new wheel differs from the old one in its first `position` bytes."""
        first = self._pieces[0] if self._pieces else b""
        return isinstance(first, bytes) or first.start > 0 or first.stop < position

    def cut(self, chunk: bytes) -> Iterator[tuple[bytes, bool]]:
        """Yield the next bytes of the old wheel and the new ones among them, and whether they are sent."""
        start, begin = self._position, 0
        self._position += len(chunk)
        while True:
            piece = self._pieces[self._next] if self._next < len(self._pieces) else None
            if isinstance(piece, bytes):
                yield piece, True
                self._next += 1
                continue
            if begin == len(chunk):
                return
            if piece is None:
                yield chunk[begin:], False
                return
            inside = start + begin >= piece.start
            end = min(len(chunk), (piece.stop if inside else piece.start) - start)
            yield chunk[begin:end], inside
            begin = end
            if start + begin == piece.stop:
                self._next += 1
