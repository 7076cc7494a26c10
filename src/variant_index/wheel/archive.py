"""A strict reader of zip archives: what two readers could understand differently is refused.

It reads the central directory and the few members that are wanted, nothing else, so the cost follows
the number of entries and not the size of the wheel. Layout: APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import zlib
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, NoReturn

from variant_index.errors import InputError, printable

__all__ = [
    "CENTRAL_HEADER",
    "END",
    "END64",
    "END64_LOCATOR",
    "LOCAL_HEADER",
    "MAX_ARCHIVE_BYTES",
    "Archive",
    "Entry",
    "WheelError",
]

LOCAL_HEADER = struct.Struct("<4s5H3L2H")
CENTRAL_HEADER = struct.Struct("<4s6H3L5H2L")
END = struct.Struct("<4s4H2LH")
END64_LOCATOR = struct.Struct("<4sLQL")
END64 = struct.Struct("<4sQ2H2L4Q")

MAX_ARCHIVE_BYTES = (1 << 32) - 2
"""Larger archives are refused: they need 64-bit fields in every header, where readers disagree most."""

_TAIL = 1 << 16
_MAX_DIRECTORY_BYTES = 1 << 27
_MAX_EXTRA_BYTES = 128
_BOMB_BYTES = 1 << 26
_BOMB_RATIO = 50

_ENCRYPTED = 0x2041
_DATA_DESCRIPTOR = 0x8
_UTF8 = 0x800
# Bits 1 and 2 tell how hard deflate tried; every other bit changes what the bytes mean.
_HARMLESS_FLAGS = 0x6 | _UTF8
_METHODS = {0: "stored", 8: "deflate"}
_ZIP64_EXTRA = 0x0001
_UNICODE_PATH_EXTRA = 0x7075

# Applied to all names at once, joined by newlines: one linear search instead of thousands.
_BAD_NAME = re.compile(
    r"^(?:/|[A-Za-z]:|$)"  # absolute, on a drive, empty
    r"|\\|[\x00-\x09\x0b-\x1f\x7f-\x9f]"
    r"|//|(?:^|/)\.{1,2}(?:/|$)",
    re.MULTILINE,
)


class WheelError(InputError):
    """A wheel breaks a rule; the message is `FILE: rule`."""


class Entry(NamedTuple):
    """One entry of the central directory.

    Attributes:
        name: the path inside the archive; a folder's ends in `/`.
        flags: general purpose bits.
        method: 0 stored, 8 deflate.
        crc: CRC-32 of the content.
        compressed_size: bytes in the archive.
        size: bytes of the content.
        offset: where the local header begins.
        dos_time: the DOS time and date fields, as in the headers (time in the low 16 bits).
        mode: Unix file type and permissions, 0 when not given.
        record: where the entry's record begins in the central directory's bytes.
        record_end: where it ends.
    """

    name: str
    flags: int
    method: int
    crc: int
    compressed_size: int
    size: int
    offset: int
    dos_time: int
    mode: int
    record: int
    record_end: int

    @property
    def is_folder(self) -> bool:
        """Whether the entry is a folder."""
        return self.name.endswith("/")


class Archive:
    """An open archive whose central directory has been read and checked.

    Use it as a context manager. All methods raise WheelError, with the file's name and the rule broken.

    Attributes:
        path: the file.
        size: its size in bytes.
        entries: name -> entry, in the order of the central directory.
        directory: the bytes of the central directory.
        directory_offset: where it begins, which is where the entries end.
    """

    def __init__(self, path: Path) -> None:
        """Open the archive and read its central directory."""
        self.path = path
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                self.refuse("not a file")
            self._file = path.open("rb", buffering=0)
        except OSError as error:
            self.refuse(error.strerror or "cannot be read")
        try:
            self.size = os.fstat(self._file.fileno()).st_size
            if self.size > MAX_ARCHIVE_BYTES:
                self.refuse("larger than 4 GiB, which is not supported")
            self._tail_start = max(0, self.size - _TAIL)
            self._tail = b""
            self._tail = self.read_at(self._tail_start, self.size - self._tail_start)
            self.directory_offset, directory_size, count = self._find_directory()
            self.directory = self.read_at(self.directory_offset, directory_size)
            self.entries = self._read_directory(count)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def fileno(self) -> int:
        """Return the open file's descriptor."""
        return self._file.fileno()

    def refuse(self, rule: str) -> NoReturn:
        """Raise the WheelError for this file."""
        raise WheelError(f"{printable(self.path.name)}: {rule}") from None

    def read_at(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes of the file, starting at `offset`."""
        if offset >= self._tail_start and self._tail:
            start = offset - self._tail_start
            data = self._tail[start : start + length]
        else:
            try:
                data = self._read(offset, length)
            except OSError as error:
                self.refuse(error.strerror or "cannot be read")
        if len(data) != length:
            self.refuse("truncated: a header points behind the end of the file")
        return data

    def _read(self, offset: int, length: int) -> bytes:
        if hasattr(os, "pread"):
            data = os.pread(self._file.fileno(), length, offset)
            if len(data) == length:
                return data
        # No pread on Windows, and one call returns at most 2 GiB anywhere.
        self._file.seek(offset)
        parts = []
        while length and (part := self._file.read(length)):
            parts.append(part)
            length -= len(part)
        return b"".join(parts)

    def read(self, entry: Entry, limit: int) -> bytes:
        """Return the content of an entry of at most `limit` bytes, its checksum checked."""
        shown = printable(entry.name)
        if max(entry.size, entry.compressed_size) > limit:
            self.refuse(f"{shown} is larger than {limit} bytes")
        raw = self.read_at(self._data_offset(entry), entry.compressed_size)
        content = raw
        if entry.method:
            inflater = zlib.decompressobj(-15)
            try:
                content = inflater.decompress(raw, entry.size + 1)
            except zlib.error:
                self.refuse(f"{shown} is damaged: its compressed data does not inflate")
            if not inflater.eof and len(content) == entry.size:
                # With all content out, the end mark may still wait to be read.
                content += inflater.decompress(inflater.unconsumed_tail, 1)
            if not inflater.eof or inflater.unused_data:
                self.refuse(f"{shown} does not have the size that the archive states")
        if len(content) != entry.size:
            self.refuse(f"{shown} does not have the size that the archive states")
        if zlib.crc32(content) != entry.crc:
            self.refuse(f"{shown} is damaged: its CRC differs")
        return content

    def check_framing(self) -> None:
        """Check that local headers agree with the directory and that entries fill the file without gaps.

        Reads one header for each entry: about 2 us each.
        """
        end = 0
        for entry in sorted(self.entries.values(), key=lambda entry: entry.offset):
            if entry.offset != end:
                what = "entries overlap" if entry.offset < end else "bytes outside of any entry"
                self.refuse(f"{what} before {printable(entry.name)}")
            end = self._data_offset(entry) + entry.compressed_size
        if end != self.directory_offset:
            what = "entries overlap" if end > self.directory_offset else "bytes outside of any entry"
            self.refuse(f"{what} before the central directory")

    def _find_directory(self) -> tuple[int, int, int]:
        """Return the central directory's offset, size and number of entries."""
        end = self.size - END.size
        if end < 0 or self._tail[-END.size :][:4] != b"PK\x05\x06":
            if b"PK\x05\x06" in self._tail:
                self.refuse("bytes after the archive, or an archive comment")
            self.refuse("not a complete zip archive (truncated?)")
        _, disk, first_disk, here, count, size, offset, comment = END.unpack(self._tail[-END.size :])
        if comment:
            self.refuse("truncated: its comment is missing")
        locator = end - END64_LOCATOR.size
        if locator >= self._tail_start and self.read_at(locator, 4) == b"PK\x06\x07":
            end = locator - END64.size
            if end < 0:
                self.refuse("ZIP64 end record outside of the file")
            _, disk64, where, disks = END64_LOCATOR.unpack(self.read_at(locator, END64_LOCATOR.size))
            if where != end or disk64 or disks != 1:
                self.refuse("ZIP64 end record is not just before its locator")
            short = (disk, first_disk, here, count, size, offset)
            record = END64.unpack(self.read_at(end, END64.size))
            sign, length, _, _, disk, first_disk, here, count, size, offset = record
            if sign != b"PK\x06\x06" or length != END64.size - 12:
                self.refuse("ZIP64 end record is damaged or has an extension")
            for value, wide, unset in zip(short, record[4:], [0xFFFF] * 4 + [0xFFFFFFFF] * 2, strict=True):
                if value not in (wide, unset):
                    self.refuse("ZIP64 end record and end record disagree")
        if disk or first_disk or here != count:
            self.refuse("spread over several disks")
        if offset + size != end:
            what = "bytes before the archive" if offset + size < end else "truncated"
            self.refuse(f"{what}: the central directory is not where the end record says")
        if size > _MAX_DIRECTORY_BYTES:
            self.refuse(f"its central directory is larger than {_MAX_DIRECTORY_BYTES} bytes")
        return offset, size, count

    def _read_directory(self, count: int) -> dict[str, Entry]:
        directory, unpack, size = self.directory, CENTRAL_HEADER.unpack_from, len(self.directory)
        listed: list[Entry] = []
        odd: set[tuple[int, int, int]] = set()  # (flags, method, disk): few distinct ones
        extras = False
        position = 0
        last = size - CENTRAL_HEADER.size
        while position <= last:
            (
                sign,
                _,
                _,
                flags,
                method,
                time,
                date,
                crc,
                compressed,
                length,
                name_length,
                extra_length,
                comment_length,
                disk,
                _,
                attributes,
                offset,
            ) = unpack(directory, position)
            if sign != b"PK\x01\x02":
                self.refuse("its central directory is damaged")
            start = position + 46
            stop = start + name_length
            end = stop + extra_length + comment_length
            try:
                name = directory[start:stop].decode("utf-8" if flags & _UTF8 else "ascii")
            except UnicodeDecodeError:
                self.refuse(f"name {directory[start:stop]!r:.200} is neither ASCII nor marked as UTF-8")
            listed.append(
                Entry(
                    name,
                    flags,
                    method,
                    crc,
                    compressed,
                    length,
                    offset,
                    date << 16 | time,
                    attributes >> 16,
                    position,
                    end,
                )
            )
            odd.add((flags, method, disk))
            extras = extras or extra_length > 0 or comment_length > 0
            position = end
        if position != size or len(listed) != count:
            self.refuse(f"its central directory does not hold the {count} entries that the end record states")
        for flags, method, disk in odd:
            self._check_kind(flags, method, disk)
        self._check_names(listed)
        for entry in listed:
            compressed, length, name = entry.compressed_size, entry.size, entry.name
            if entry.mode & 0o170000 not in (0, 0o100000) and not (
                entry.mode & 0o170000 == 0o040000 and name[-1] == "/"
            ):
                self.refuse(f"{printable(name)} is not a regular file (a symbolic link or a device)")
            if not entry.method and compressed != length:
                self.refuse(f"{printable(name)} is stored, but its two sizes differ")
            if length and name[-1] == "/":
                self.refuse(f"folder {printable(name)} has content")
            if length > _BOMB_BYTES and length > _BOMB_RATIO * compressed:
                self.refuse(
                    f"{printable(name)} inflates to more than {_BOMB_RATIO} times its size (a zip bomb?)"
                )
        if extras:
            self._check_extras(listed)
        self._check_layout(listed)
        return {entry.name: entry for entry in listed}

    def _check_kind(self, flags: int, method: int, disk: int) -> None:
        if disk:
            self.refuse("spread over several disks")
        if flags & _ENCRYPTED:
            self.refuse("encrypted")
        if flags & _DATA_DESCRIPTOR:
            self.refuse("written as a stream (data descriptors): build it again to a file")
        if flags & ~_HARMLESS_FLAGS:
            self.refuse(f"uses zip features that wheels must not have (flags {flags:#06x})")
        if method not in _METHODS:
            self.refuse(f"uses compression method {method}; wheels may use stored and deflate")

    def _check_names(self, listed: list[Entry]) -> None:
        names = [entry.name for entry in listed]
        joined = "\n".join(names)
        if _BAD_NAME.search(joined) or joined.count("\n") != max(0, len(names) - 1) or "" in names:
            bad = next(name for name in names if "\n" in name or _BAD_NAME.search(name))
            self.refuse(f"entry name {printable(bad)!r} is not a plain relative path")
        plain = {name.rstrip("/") for name in names}
        if len(plain) != len(names):
            twice = next(name for name in names if sum(name == other.rstrip("/") for other in names) > 1)
            self.refuse(f"holds {printable(twice)} twice")

    def _check_extras(self, listed: list[Entry]) -> None:
        for entry in listed:
            start = entry.record + CENTRAL_HEADER.size
            fields = CENTRAL_HEADER.unpack_from(self.directory, entry.record)
            if fields[12]:
                self.refuse(f"{printable(entry.name)} has a comment")
            extra_start = start + fields[10]
            self._check_extra(entry, self.directory[extra_start : extra_start + fields[11]], local=False)

    def _check_extra(self, entry: Entry, extra: bytes, *, local: bool) -> None:
        shown = printable(entry.name)
        if len(extra) > _MAX_EXTRA_BYTES:
            self.refuse(f"{shown} has more than {_MAX_EXTRA_BYTES} bytes of extra fields")
        position = 0
        while position < len(extra):
            kind = int.from_bytes(extra[position : position + 2], "little")
            length = int.from_bytes(extra[position + 2 : position + 4], "little")
            content = extra[position + 4 : position + 4 + length]
            position += 4 + length
            if position > len(extra):
                self.refuse(f"{shown} has damaged extra fields")
            if kind == _UNICODE_PATH_EXTRA:
                self.refuse(f"{shown} has a second name (Unicode path field)")
            if kind == _ZIP64_EXTRA and (
                not local or content != struct.pack("<2Q", entry.size, entry.compressed_size)
            ):
                self.refuse(f"{shown} has ZIP64 sizes that disagree")

    def _check_layout(self, listed: list[Entry]) -> None:
        """Check without reading local headers that no two entries can share bytes."""
        end = 0
        for entry in sorted(listed, key=lambda entry: entry.offset):
            if entry.offset < end:
                self.refuse(f"entries overlap at {printable(entry.name)}")
            end = entry.offset + LOCAL_HEADER.size + entry.compressed_size
        if end > self.directory_offset:
            self.refuse("entries overlap the central directory, or it is truncated")

    def _data_offset(self, entry: Entry) -> int:
        """Return where the entry's data begins, after checking its local header."""
        raw_name = entry.name.encode()
        size = LOCAL_HEADER.size
        available = min(size + len(raw_name) + _MAX_EXTRA_BYTES, self.directory_offset - entry.offset)
        header = self.read_at(entry.offset, available)
        if available < size:
            self.refuse("truncated: a header points behind the end of the file")
        sign, _, flags, method, _, _, crc, compressed, length, name_length, extra_length = (
            LOCAL_HEADER.unpack_from(header)
        )
        wide = 0xFFFFFFFF if extra_length else -1
        if (
            sign != b"PK\x03\x04"
            or (flags, method, crc) != (entry.flags, entry.method, entry.crc)
            or compressed not in (entry.compressed_size, wide)
            or length not in (entry.size, wide)
            or header[size : size + name_length] != raw_name
        ):
            self.refuse(f"the local header of {printable(entry.name)} disagrees with the central directory")
        extra = header[size + len(raw_name) : size + len(raw_name) + extra_length]
        if extra_length:
            if len(extra) != extra_length:
                self.refuse(f"{printable(entry.name)} has more than {_MAX_EXTRA_BYTES} bytes of extra fields")
            if wide in (compressed, length) and extra[:4] != b"\x01\x00\x10\x00":
                self.refuse(f"{printable(entry.name)} has ZIP64 sizes that disagree")
            self._check_extra(entry, extra, local=True)
        return entry.offset + size + len(raw_name) + len(extra)
