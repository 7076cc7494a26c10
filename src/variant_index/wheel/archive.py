"""A strict reader of zip archives: what two readers could understand differently is refused.

It reads the end of the file, the directory and the members that are wanted, nothing else, so the cost
follows the number of entries and not the size of the wheel. Layout: APPNOTE.TXT 6.3.10, 4.3.14 to 16.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import NoReturn

from variant_index.errors import InputError, printable
from variant_index.wheel.directory import (
    LOCAL_HEADER,
    MAX_EXTRA_BYTES,
    DirectoryError,
    Entry,
    data_offset,
    parse_directory,
    plain_header,
)
from variant_index.wheel.random_access import LocalFile, RandomAccess

__all__ = [
    "END",
    "END64",
    "END64_LOCATOR",
    "MAX_ARCHIVE_BYTES",
    "TAIL_BYTES",
    "Archive",
    "WheelError",
]

END = struct.Struct("<4s4H2LH")
END64_LOCATOR = struct.Struct("<4sLQL")
END64 = struct.Struct("<4sQ2H2L4Q")

MAX_ARCHIVE_BYTES = (1 << 32) - 2
"""Larger archives are refused: they need 64-bit fields in every header, where readers disagree most."""

TAIL_BYTES = 1 << 16
"""The end of an archive that is read first; most wheels have their directory and metadata in it."""

_PIECE = 1 << 20
_COMMENT = b"zip-rs"  # maturin wrote it in its first two years; nobody can take it for anything else
_MAX_DIRECTORY_BYTES = 1 << 25


class WheelError(InputError):
    """A wheel breaks a rule; the message is `FILE: what is wrong`."""

    def __init__(self, message: str, rule: str | None = None) -> None:
        super().__init__(message)
        self.rule = rule


class Archive:
    """An open archive whose central directory has been read and checked.

    Use it as a context manager. All methods raise WheelError, with the file's name and the rule broken.

    Attributes:
        path: the file; of one that is elsewhere only its name counts.
        size: its size in bytes.
        entries: name -> entry, in the order of the central directory.
        directory: the bytes of the central directory.
        directory_offset: where it begins, which is where the entries end.
    """

    def __init__(self, path: Path, content: RandomAccess | None = None) -> None:
        """Open the archive and read its central directory.

        Args:
            path: the file.
            content: its bytes, which the archive then owns; None to open `path`.
        """
        self.path = path
        try:
            self._content = content if content is not None else LocalFile(path)
        except OSError as error:
            self.refuse(error.strerror or "cannot be read", "WHL001")
        try:
            self.size = self._content.size
            if self.size > MAX_ARCHIVE_BYTES:
                self.refuse("larger than 4 GiB, which is not supported", "WHL004")
            self._tail_start = max(0, self.size - TAIL_BYTES)
            self._tail = b""
            self._tail = self.read_at(self._tail_start, self.size - self._tail_start)
            self.directory_offset, directory_size, count = self._find_directory()
            self.directory = self.read_at(self.directory_offset, directory_size)
            try:
                self.entries = parse_directory(self.directory, count, self.directory_offset)
            except DirectoryError as error:
                self.refuse(str(error), error.rule)
        except BaseException:
            self._content.close()
            raise

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._content.close()

    def fileno(self) -> int:
        """Return the open file's descriptor; OSError when the archive is no file of this machine."""
        if not isinstance(self._content, LocalFile):
            raise OSError("the archive is not a file of this machine")
        return self._content.fileno()

    def refuse(self, problem: str, rule: str | None = None) -> NoReturn:
        """Raise the WheelError for this file; `rule` is the code of the rule that it breaks."""
        raise WheelError(f"{printable(self.path.name)}: {problem}", rule) from None

    def read_at(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes of the file, starting at `offset`."""
        if offset >= self._tail_start and self._tail:
            start = offset - self._tail_start
            data = self._tail[start : start + length]
        else:
            try:
                data = self._content.read_at(offset, length)
            except OSError as error:
                self.refuse(error.strerror or "cannot be read", "WHL001")
        if len(data) != length:
            self.refuse("truncated: a header points behind the end of the file", "WHL101")
        return data

    def read(self, entry: Entry, limit: int) -> bytes:
        """Return the content of an entry of at most `limit` bytes, its checksum checked."""
        self._check_size(entry, limit)
        return b"".join(self.stream(entry))

    def stream(self, entry: Entry) -> Iterator[bytes]:
        """Yield the content of an entry in pieces; the end is reached only if size and checksum are right.

        Nothing of it may be trusted before. Safe to call from several threads at once, where the system
        has pread.
        """
        crc = size = 0
        for piece in self._inflated(entry) if entry.method else self._raw(entry):
            size += len(piece)
            crc = zlib.crc32(piece, crc)
            yield piece
        if size != entry.size:
            self._refuse_size(entry)
        if crc != entry.crc:
            self.refuse(f"{printable(entry.name)} is damaged: its CRC differs", "WHL119")

    def _raw(self, entry: Entry) -> Iterator[bytes]:
        start = self._data_offset(entry)
        end = start + entry.compressed_size
        for offset in range(start, end, _PIECE):
            yield self.read_at(offset, min(_PIECE, end - offset))

    def _inflated(self, entry: Entry) -> Iterator[bytes]:
        inflater = zlib.decompressobj(-15)
        left = entry.size
        for raw in self._raw(entry):
            data = raw
            while not inflater.eof:
                # With all content out, the end mark may still wait to be read.
                limit = min(left, _PIECE) or 1
                try:
                    piece = inflater.decompress(data, limit)
                except zlib.error:
                    self.refuse(
                        f"{printable(entry.name)} is damaged: its compressed data does not inflate", "WHL119"
                    )
                left -= len(piece)
                if left < 0:
                    self._refuse_size(entry)
                yield piece
                data = inflater.unconsumed_tail
                if not data and len(piece) < limit:
                    break
            if data and inflater.eof:
                self._refuse_size(entry)
        if not inflater.eof or inflater.unused_data:
            self._refuse_size(entry)

    def _refuse_size(self, entry: Entry) -> NoReturn:
        self.refuse(f"{printable(entry.name)} does not have the size that the archive states", "WHL119")

    def check_framing(self) -> None:
        """Check that local headers agree with the directory and that entries fill the file without gaps.

        Reads one header for each entry: about 2 us each.
        """
        entries = sorted(self.entries.values(), key=lambda entry: entry.offset)
        self._check_ends(0, entries[0] if entries else None)
        for entry, following in zip(entries, [*entries[1:], None], strict=False):
            self._check_ends(self._end(entry), following)

    def extent(self, entry: Entry, limit: int) -> bytes:
        """Return the bytes of an entry of at most `limit`, header included, up to the next or the directory.

        Raises:
            WheelError: its local header does not agree with the directory, or something lies between.
        """
        self._check_size(entry, limit)
        following = min(
            (other for other in self.entries.values() if other.offset > entry.offset),
            key=lambda other: other.offset,
            default=None,
        )
        stop = self.directory_offset if following is None else following.offset
        # At once, for each piece of a file on a server is a request; what cannot be right is not read.
        most = entry.compressed_size + LOCAL_HEADER.size + 4 * len(entry.name) + MAX_EXTRA_BYTES
        data = self.read_at(entry.offset, stop - entry.offset) if stop - entry.offset <= most else b""
        self._check_ends(self._end(entry), following)
        return data

    def _check_size(self, entry: Entry, limit: int) -> None:
        if max(entry.size, entry.compressed_size) > limit:
            self.refuse(f"{printable(entry.name)} is larger than {limit} bytes", "WHL117")

    def _end(self, entry: Entry) -> int:
        """Return where an entry's data ends, by its local header."""
        header = plain_header(entry, self.directory)
        if self.read_at(entry.offset, len(header)) == header:
            return entry.offset + len(header) + entry.compressed_size
        return self._data_offset(entry) + entry.compressed_size

    def _check_ends(self, end: int, following: Entry | None) -> None:
        start = self.directory_offset if following is None else following.offset
        if end == start:
            return
        what, rule = (
            ("entries overlap", "WHL104") if end > start else ("bytes outside of any entry", "WHL103")
        )
        before = "the central directory" if following is None else printable(following.name)
        self.refuse(f"{what} before {before}", rule)

    def _find_directory(self) -> tuple[int, int, int]:
        """Return the central directory's offset, size and number of entries."""
        comment = _COMMENT if self._tail.endswith(_COMMENT) else b""
        end = self.size - END.size - len(comment)
        found = self._tail[-END.size - len(comment) :][: END.size]
        if end < 0 or found[:4] != b"PK\x05\x06":
            if 0 <= self._tail.rfind(b"PK\x05\x06") < len(self._tail) - END.size:
                self.refuse("bytes after the archive, or an archive comment", "WHL102")
            self.refuse("not a complete zip archive (truncated?)", "WHL101")
        _, disk, first_disk, here, count, size, offset, stated = END.unpack(found)
        if stated < len(comment):
            self.refuse("bytes after the archive", "WHL102")
        if stated > len(comment):
            self.refuse("truncated: its comment is missing", "WHL101")
        locator = end - END64_LOCATOR.size
        if locator >= self._tail_start and self.read_at(locator, 4) == b"PK\x06\x07":
            end = locator - END64.size
            _, disk64, where, disks = END64_LOCATOR.unpack(self.read_at(locator, END64_LOCATOR.size))
            if where != end or disk64 or disks != 1:
                self.refuse("ZIP64 end record is not just before its locator", "WHL106")
            short = (disk, first_disk, here, count, size, offset)
            record = END64.unpack(self.read_at(end, END64.size))
            sign, length, _, _, disk, first_disk, here, count, size, offset = record
            if sign != b"PK\x06\x06" or length != END64.size - 12:
                self.refuse("ZIP64 end record is damaged or has an extension", "WHL106")
            for value, wide, unset in zip(short, record[4:], [0xFFFF] * 4 + [0xFFFFFFFF] * 2, strict=True):
                if value not in (wide, unset):
                    self.refuse("ZIP64 end record and end record disagree", "WHL106")
        if disk or first_disk or here != count:
            self.refuse("spread over several disks", "WHL107")
        if offset + size != end:
            before = offset + size < end
            what = "bytes before the archive" if before else "truncated"
            self.refuse(
                f"{what}: the central directory is not where the end record says",
                "WHL102" if before else "WHL101",
            )
        if size > _MAX_DIRECTORY_BYTES:
            self.refuse(f"its central directory is larger than {_MAX_DIRECTORY_BYTES} bytes", "WHL117")
        return offset, size, count

    def _data_offset(self, entry: Entry) -> int:
        length = min(
            LOCAL_HEADER.size + 4 * len(entry.name) + MAX_EXTRA_BYTES, self.directory_offset - entry.offset
        )
        try:
            return data_offset(entry, self.read_at(entry.offset, length))
        except DirectoryError as error:
            self.refuse(str(error), error.rule)
