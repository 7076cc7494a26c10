"""Members of listed wheels, read without the rest of the wheel: by ranges of a server, or in place on disk.

A zip archive's directory is at its end, and wheels have their metadata just before it. So the last 64 KB
are asked for, then what they do not hold: one request for most wheels, three for one of ten thousand files.
What a server without ranges has can only be downloaded: as far as the caller wants that, and with its hash
checked.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from variant_index.errors import UpstreamError, printable
from variant_index.simple_api.page import ProjectFile
from variant_index.upstream.byte_range import ByteRange, RangeError, WantedRange
from variant_index.upstream.local import local_path
from variant_index.upstream.network import Network
from variant_index.upstream.recent import Recent
from variant_index.upstream.sidecar import STRONG_HASHES

if TYPE_CHECKING:
    from variant_index.wheel.archive import Archive

__all__ = ["MAX_WHOLE_BYTES", "RemoteFile", "WheelMembers", "WheelReader", "download_wheel", "open_wheel"]

MAX_WHOLE_BYTES: Final = 64 << 20
"""Larger wheels are not downloaded to read a part of them."""

_PIECE: Final = 1 << 16
_MAX_BYTES: Final = 1 << 23
_MAX_METADATA_BYTES: Final = 1 << 22
_KEPT_BYTES: Final = 8 << 20
_ENTRY_BYTES: Final = 1 << 10


class RemoteFile:
    """A file on a server as `variant_index.wheel.random_access.RandomAccess`; for one thread at a time.

    What was fetched is kept, and at least 64 KB are fetched at a time, so neighbours cost one request. All
    parts are of one file as long as its server says so by entity tags.
    """

    def __init__(self, network: Network, url: str, known: ByteRange, named_by: str = "") -> None:
        """Begin with a part that was fetched already; `named_by` as `Network.get` takes it."""
        self._network = network
        self._url = url
        self._named_by = named_by
        self._parts = [known]
        self.size = known.total

    def read_at(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset` on, fewer only at the end of the file.

        Raises:
            UnreachableError: the server is down.
            UpstreamError: it sent something else than the part, or more than 8 MB would be read altogether.
        """
        length = min(length, self.size - offset)
        if length <= 0:
            return b""
        for part in self._parts:
            start = offset - part.start
            if start >= 0 and start + length <= len(part.data):
                return part.data[start : start + length]
        part = self._fetch(WantedRange(offset, max(length, _PIECE)))
        self._parts.append(part)
        return part.data[offset - part.start :][:length]

    def _fetch(self, wanted: WantedRange) -> ByteRange:
        shown = printable(self._url)
        if sum(len(part.data) for part in self._parts) + wanted.length > _MAX_BYTES:
            raise UpstreamError(f"{shown}: more than {_MAX_BYTES >> 20} MB would be read of it, given up")
        part = self._network.get_range(self._url, wanted, etag=self._parts[0].etag, named_by=self._named_by)
        if part is None or part.total != self.size:
            raise RangeError(f"{shown} changed while it was read")
        return part

    def close(self) -> None:
        """Forget what was fetched."""
        self._parts.clear()


def open_wheel(file: ProjectFile, network: Network) -> Archive | None:
    """Open a listed wheel, on a server or on this machine, without reading all of it.

    The archive's directory has been checked, and every member that is read from it has its CRC. The hash
    that the index lists has not been: only all bytes have it, and a server that sends other bytes for parts
    than for the whole is found out by the installer, if at all. So believe a member no more than a page.

    Args:
        file: its entry; `filename` is named in errors.
        network: fetches parts; nothing is cached.

    Returns:
        The archive, to be used as a context manager; None when the server does not do ranges.

    Raises:
        WheelError: it is no archive, or one that is refused.
        UnreachableError: the server is down.
        UpstreamError: there is no such file, or the server answers ranges wrongly.
    """
    from variant_index.wheel.archive import TAIL_BYTES, Archive

    if (path := local_path(file.url)) is not None:
        return Archive(path)
    # Some servers know no ranges that count from the end, so the size is used where the page says it.
    first = max(0, file.size - TAIL_BYTES) if file.size else None
    end = network.get_range(file.url, WantedRange(first, TAIL_BYTES), named_by=file.listed_by)
    if end is None:
        return None
    if file.size and file.size != end.total:
        shown = printable(file.url)
        raise RangeError(f"{shown} has {end.total} bytes, and its index says {file.size}")
    return Archive(Path(file.filename), RemoteFile(network, file.url, end, file.listed_by))


def download_wheel(file: ProjectFile, network: Network) -> Archive:
    """Download a listed wheel and open it; it is gone when the archive is closed.

    Args:
        file: its entry, on a server; `filename` is named in errors.
        network: fetches it; nothing is cached.

    Returns:
        The archive, to be used as a context manager. Its bytes have the strong hashes that the index lists.

    Raises:
        WheelError: it is no archive, or one that is refused.
        UnreachableError: the server is down.
        UpstreamError: there is no such file, it has more than 64 MB or another hash.
    """
    from variant_index.wheel.archive import Archive

    shown = printable(file.filename)
    if file.size and file.size > MAX_WHOLE_BYTES:
        raise UpstreamError(
            f"{shown} has more than {MAX_WHOLE_BYTES >> 20} MB, and its server does no ranges"
        )
    with ExitStack() as on_failure:
        kept = on_failure.enter_context(tempfile.TemporaryFile())
        reply = network.download(file.url, kept, limit=MAX_WHOLE_BYTES, named_by=file.listed_by)
        if reply.status != 200:
            raise UpstreamError(f"{printable(file.url)} answered {reply.status}")
        for algorithm in STRONG_HASHES:
            expected = file.hashes.get(algorithm)
            if expected is not None and _digest(kept, algorithm) != expected.lower():
                raise UpstreamError(f"{shown} does not have the {algorithm} that its index lists")
        on_failure.pop_all()
    return Archive(Path(file.filename), _Downloaded(kept))


class _Downloaded:
    """A file without a name as `variant_index.wheel.random_access.RandomAccess`; for one thread at a time."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.size = file.seek(0, 2)

    def read_at(self, offset: int, length: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(length)

    def close(self) -> None:
        self._file.close()


def _digest(file: IO[bytes], algorithm: str) -> str:
    file.seek(0)
    digest = hashlib.new(algorithm)
    while piece := file.read(_PIECE):
        digest.update(piece)
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class WheelMembers:
    """What a wheel says about itself; bytes as they are in the archive, nothing of them checked.

    Attributes:
        variant_json: its variant document, None without one.
        metadata: its METADATA, None without one or when it has more than 4 MB. Where the page lists
            `core_metadata` hashes, compare them before use.
    """

    variant_json: bytes | None
    metadata: bytes | None


class WheelReader:
    """Reads the members of wheels once; safe to share between threads.

    Cached are `variant.json` and METADATA together. Of a wheel on a server that is by its URL and its strong
    hashes, in memory and in the network's disk cache, and never asked for again: other bytes would have
    another hash. The URL is part of the key because parts of a file cannot be checked against its hash:
    what one server sends is never used for another's wheel. Of a wheel on this machine it is by path, time
    and size, in memory. That a server does not do ranges is remembered in memory; failures are not.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        # In a tuple, for None is known as well: that the server does not do ranges.
        self._kept: Recent[tuple[WheelMembers | None]] = Recent(_KEPT_BYTES)

    def known(self, file: ProjectFile) -> WheelMembers | None:
        """Return the members of a wheel if no request is needed for them."""
        key = _key(file)
        if key is None:
            return None
        if (kept := self._kept.get(key)) is not None:
            return kept[0]
        cache = self._network.cache
        data = cache.get(key) if cache is not None and _is_remote(key) else None
        if data is None:
            return None
        members = _decoded(data)
        self._keep(key, members)
        return members

    def read(self, file: ProjectFile, *, whole: bool = False) -> WheelMembers | None:
        """Return the members of a wheel, None when its server does not do ranges.

        Args:
            file: its entry.
            whole: whether the wheel is downloaded from such a server; None is never returned then.

        Raises:
            WheelError, UnreachableError, UpstreamError: as `open_wheel`; also for a member that is damaged.
                With `whole` as `download_wheel`.
        """
        members, key = self.known(file), _key(file)
        is_known = key is not None and self._kept.get(key) is not None
        if members is not None or (is_known and not whole):
            return members
        archive = open_wheel(file, self._network) if not is_known else None
        if archive is None and whole:
            archive = download_wheel(file, self._network)
        if archive is not None:
            with archive:
                members = _members(archive)
        if key is not None:
            self._keep(key, members)
            if members is not None and self._network.cache is not None and _is_remote(key):
                self._network.cache.put(key, _encoded(members))
        return members

    def _keep(self, key: str, members: WheelMembers | None) -> None:
        parts = (members.variant_json, members.metadata) if members is not None else ()
        self._kept.put(key, (members,), _ENTRY_BYTES + sum(len(part) for part in parts if part))


def _members(archive: Archive) -> WheelMembers:
    from variant_index.model.document import MAX_DOCUMENT_BYTES
    from variant_index.wheel.read import VARIANT_JSON, dist_info_folder

    folder = dist_info_folder(archive)
    entries = [archive.entries.get(f"{folder}/{name}") for name in (VARIANT_JSON, "METADATA")]
    if entries[1] is not None and entries[1].size > _MAX_METADATA_BYTES:
        entries[1] = None
    # In the order of the file, because what follows comes with it.
    found = {
        entry.name: archive.read(entry, max(MAX_DOCUMENT_BYTES, _MAX_METADATA_BYTES))
        for entry in sorted(filter(None, entries), key=lambda entry: entry.offset)
    }
    return WheelMembers(found.get(f"{folder}/{VARIANT_JSON}"), found.get(f"{folder}/METADATA"))


def _key(file: ProjectFile) -> str | None:
    """Return what names a wheel's content, None when nothing does."""
    if (path := local_path(file.url)) is not None:
        try:
            status = path.stat()
        except OSError:
            return None
        return f"file {path} {status.st_mtime_ns} {status.st_size}"
    hashes = sorted((name, file.hashes[name].lower()) for name in STRONG_HASHES if name in file.hashes)
    return f"wheel members {hashes} {file.url}" if hashes else None


def _is_remote(key: str) -> bool:
    return key.startswith("wheel ")


def _encoded(members: WheelMembers) -> bytes:
    parts = (members.variant_json, members.metadata)
    lengths = [None if part is None else len(part) for part in parts]
    return json.dumps(lengths).encode() + b"\n" + b"".join(part or b"" for part in parts)


def _decoded(data: bytes) -> WheelMembers:
    head, _, rest = data.partition(b"\n")
    first, second = json.loads(head)
    return WheelMembers(
        None if first is None else rest[:first],
        None if second is None else rest[first or 0 :],
    )
