"""Write a changed archive: kept entries are copied as they are, compressed bytes and all.

A plan says what the new archive holds; writing it copies raw ranges of the old file, so it is as fast as
a copy of the file and needs no compressor. Equal input gives equal bytes on every machine.
"""

from __future__ import annotations

import os
import secrets
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

from variant_index.errors import printable
from variant_index.wheel.archive import (
    END,
    END64,
    END64_LOCATOR,
    MAX_ARCHIVE_BYTES,
    Archive,
    WheelError,
)
from variant_index.wheel.directory import CENTRAL_HEADER, LOCAL_HEADER, Entry

__all__ = ["Added", "Kept", "Part", "Span", "layout", "write_archive"]

_CHUNK = 1 << 26
_COMPARED = 1 << 18
_UTF8 = 0x800


class Kept(NamedTuple):  # there is one for each file of a wheel
    """An entry of the old archive, kept byte for byte except for its name."""

    entry: Entry
    name: str


@dataclass(frozen=True, slots=True)
class Added:
    """A new file, stored without compression so that its bytes do not depend on a compressor's version.

    Attributes:
        name: its path in the archive.
        content: its bytes.
        like: the entry that time stamp and permissions are taken from.
    """

    name: str
    content: bytes
    like: Entry


class Span(NamedTuple):
    """Bytes of the old archive, from `start` up to but not including `stop`."""

    start: int
    stop: int


Part = Kept | Added
"""One entry of the archive to write; a plan is a sequence of them, in the order of the file."""


def write_archive(
    archive: Archive,
    plan: Sequence[Part],
    target: Path,
    *,
    force: bool = False,
    progress: Callable[[int], object] | None = None,
) -> None:
    """Write the planned archive to `target`, all or nothing.

    Args:
        archive: the old archive; its framing has been checked.
        plan: what the new archive holds.
        target: the file to write, its folder is made. When it exists with the same bytes it is left alone;
            what a power cut left of it (zeros, or too few bytes) is replaced.
        force: write it whatever is there.
        progress: called now and then with the number of bytes done since the last call.

    Raises:
        WheelError: `target` exists with other bytes, the archive would be too large, or writing failed.
    """
    names: set[str] = set()
    for part in plan:
        if part.name in names:
            archive.refuse(f"would hold {printable(part.name)} twice")
        names.add(part.name)
    told = progress or (lambda _: None)
    temporary = target.with_name(f".part-{secrets.token_hex(8)}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError:
        # A file where a folder must be is told as "File exists", which helps nobody.
        raise WheelError(f"{printable(str(target.parent))}: is no folder and cannot be made one") from None
    try:
        if not force and target.exists():
            found = _compare(archive, plan, target, told)
            if found == "other":
                archive.refuse(f"{printable(target.name)} exists with other content; --force replaces it")
            if found == "same":
                return
            told = _uncounted(told)
        with temporary.open("xb", buffering=0) as file:
            _write(archive, plan, file, told)
        temporary.replace(target)
    except OSError as error:
        raise WheelError(f"{printable(str(target))}: {error.strerror or 'cannot be written'}") from None
    finally:
        with suppress(OSError):
            temporary.unlink()


def _uncounted(progress: Callable[[int], object]) -> Callable[[int], object]:
    return lambda _: progress(0)


def _compare(
    archive: Archive, plan: Sequence[Part], target: Path, progress: Callable[[int], object]
) -> Literal["same", "torn", "other"]:
    """Compare an existing file with the planned archive; torn: where they differ it has zeros, or nothing."""
    torn = False
    with target.open("rb") as file:
        for wanted in _pieces(archive, plan):
            found = file.read(len(wanted))
            if found != wanted:
                if any(byte and byte != right for byte, right in zip(found, wanted, strict=False)):
                    return "other"
                torn = True
            progress(len(wanted))
        if file.read(1):
            return "other"
    return "torn" if torn else "same"


def _pieces(archive: Archive, plan: Sequence[Part]) -> Iterator[bytes]:
    for piece in layout(archive, plan):
        if isinstance(piece, bytes):
            yield piece
            continue
        for start in range(piece.start, piece.stop, _COMPARED):
            yield archive.read_at(start, min(_COMPARED, piece.stop - start))


def layout(archive: Archive, plan: Sequence[Part]) -> Iterator[bytes | Span]:
    """Yield what the planned archive consists of, in order: new bytes, and spans of the old archive.

    Raises:
        WheelError: it would be too large; before the end records.
    """
    ends = _entry_ends(archive)
    directory: list[bytes] = []
    position = 0
    # Neighbours that stay neighbours are one span: usually that is nearly the whole file.
    span = Span(0, 0)
    for part in plan:
        if isinstance(part, Added):
            if span.stop:
                yield span
            span = Span(0, 0)
            local, central = _new_headers(part, position)
            yield local + part.content
            directory.append(central)
            position += len(local) + len(part.content)
            continue
        entry, end = part.entry, ends[part.entry.offset]
        directory.append(_moved_record(archive, part, position))
        if part.name == entry.name and span.stop == entry.offset and span.stop:
            span = Span(span.start, end)
            position += end - entry.offset
            continue
        if span.stop:
            yield span
        if part.name == entry.name:
            span = Span(entry.offset, end)
            position += end - entry.offset
            continue
        header = _renamed_header(archive, part)
        yield header
        span = Span(entry.offset + LOCAL_HEADER.size + len(entry.name.encode()), end)
        position += len(header) + span.stop - span.start
    if span.stop:
        yield span
    tail = b"".join(directory)
    tail += _end_records(len(plan), len(tail), position)
    if position + len(tail) > MAX_ARCHIVE_BYTES:
        archive.refuse("would become larger than 4 GiB, which is not supported")
    yield tail


def _write(archive: Archive, plan: Sequence[Part], file: BinaryIO, progress: Callable[[int], object]) -> None:
    for piece in layout(archive, plan):
        if isinstance(piece, Span):
            _copy(archive, piece.start, piece.stop, file, progress)
        else:
            _write_all(file, piece)
            progress(len(piece))


def _entry_ends(archive: Archive) -> dict[int, int]:
    """Return the offset behind each entry, keyed by its own offset; framing leaves no gaps."""
    offsets = sorted(entry.offset for entry in archive.entries.values())
    return dict(zip(offsets, [*offsets[1:], archive.directory_offset], strict=False))


def _new_headers(part: Added, offset: int) -> tuple[bytes, bytes]:
    """Return the local header and the central record of a new entry."""
    name = part.name.encode()
    flags = 0 if part.name.isascii() else _UTF8
    crc, size = zlib.crc32(part.content), len(part.content)
    both = (flags, 0, part.like.dos_time, crc, size, size, len(name), 0)
    # Version 2.0, made on Unix (3), as every wheel builder writes.
    local = bytearray(LOCAL_HEADER.pack(b"PK\x03\x04", *both))
    local[4] = 20
    central = bytearray(CENTRAL_HEADER.pack(b"PK\x01\x02", *both, 0, 0, part.like.attributes, offset))
    central[4:8] = bytes((20, 3, 20, 0))
    return bytes(local) + name, bytes(central) + name


def _renamed_header(archive: Archive, part: Kept) -> bytes:
    header = bytearray(archive.read_at(part.entry.offset, LOCAL_HEADER.size))
    name = part.name.encode()
    header[26:28] = len(name).to_bytes(2, "little")
    return bytes(header) + name


def _moved_record(archive: Archive, part: Kept, offset: int) -> bytes:
    record = bytearray(archive.directory[part.entry.record : part.entry.record_end])
    record[42:46] = offset.to_bytes(4, "little")
    if part.name != part.entry.name:
        name = part.name.encode()
        record[28:30] = len(name).to_bytes(2, "little")
        record[CENTRAL_HEADER.size : CENTRAL_HEADER.size + len(part.entry.name.encode())] = name
    return bytes(record)


def _end_records(count: int, size: int, offset: int) -> bytes:
    wide = b""
    if count >= 0xFFFF:
        wide = END64.pack(b"PK\x06\x06", END64.size - 12, 45, 45, 0, 0, count, count, size, offset)
        wide += END64_LOCATOR.pack(b"PK\x06\x07", 0, offset + size, 1)
        count = 0xFFFF
    return wide + END.pack(b"PK\x05\x06", 0, 0, count, count, size, offset, 0)


def _copy(archive: Archive, start: int, stop: int, file: BinaryIO, progress: Callable[[int], object]) -> None:
    for offset, length in _chunks(start, stop):
        copied = _copy_in_kernel(archive, offset, length, file)
        if copied < length:
            _write_all(file, archive.read_at(offset + copied, length - copied))
        progress(length)


def _chunks(start: int, stop: int) -> Iterable[tuple[int, int]]:
    return ((offset, min(_CHUNK, stop - offset)) for offset in range(start, stop, _CHUNK))


def _copy_in_kernel(archive: Archive, offset: int, length: int, file: BinaryIO) -> int:
    """Copy without passing the bytes through Python where the system can; return how many were copied."""
    if not hasattr(os, "copy_file_range"):
        return 0
    copied = 0
    # Not every pair of file systems can do it; whatever is left over goes the plain way.
    with suppress(OSError):
        while copied < length:
            done = os.copy_file_range(archive.fileno(), file.fileno(), length - copied, offset + copied)
            if not done:
                break
            copied += done
    return copied


def _write_all(file: BinaryIO, data: bytes) -> None:
    # An unbuffered file may take only a part at a time.
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]
