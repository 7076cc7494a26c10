"""The directory of a zip archive, from bytes to entries: pure, and strict about what readers disagree on.

Layout: APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.12 (central directory), 4.5 (extra fields).
"""

from __future__ import annotations

import re
import struct
from typing import NamedTuple

from variant_index.errors import printable

__all__ = [
    "CENTRAL_HEADER",
    "LOCAL_HEADER",
    "MAX_EXTRA_BYTES",
    "DirectoryError",
    "Entry",
    "data_offset",
    "parse_directory",
    "plain_header",
]

LOCAL_HEADER = struct.Struct("<4s2xHHLLLLHH")
"""Signature, flags, method, DOS time and date, CRC, compressed size, size, lengths of name and extra."""

CENTRAL_HEADER = struct.Struct("<4s4xHHLLLLHHHH2xLL")
"""As above with the length of the comment, disk, attributes and the local header's offset behind."""

MAX_EXTRA_BYTES = 128
"""Extra fields beyond this are padding, in which anything could hide."""

_NEWEST_VERSION = 63
"""Ten times the newest version of the format (4.4.3) that pip and uv unpack; they refuse whole wheels."""

_BOMB_BYTES = 1 << 26
_BOMB_RATIO = 50

_ENCRYPTED = 0x2041
_DATA_DESCRIPTOR = 0x8
_UTF8 = 0x800
# Bits 1 and 2 tell how hard deflate tried; every other bit changes what the bytes mean.
_HARMLESS_FLAGS = 0x6 | _UTF8
_STORED, _DEFLATE = 0, 8
_REGULAR, _FOLDER = 0o10, 0o04  # file types as in st_mode, without permissions
_ZIP64_EXTRA = 0x0001
_UNICODE_PATH_EXTRA = 0x7075

_BAD_NAME = re.compile(
    r"/|[A-Za-z]:|\Z"  # absolute, on a drive, empty
    r"|.*(?:[\\\x00-\x1f\x7f-\x9f]|//|(?<![^/])\.{1,2}(?![^/]))",
    re.DOTALL,
)
# A name that is bad has one of these when names are joined by newlines, or is not printable.
_SUSPICIOUS = ("\\", ":", "//", "/..", "/./", "/.\n", "\n.", "\n/", "\n\n")


class DirectoryError(ValueError):
    """The directory breaks a rule; the message says which.

    Attributes:
        rule: the rule's code, see `variant_index.model.rules`.
    """

    def __init__(self, problem: str, rule: str) -> None:
        super().__init__(problem)
        self.rule = rule


class Entry(NamedTuple):
    """One entry of the central directory.

    Attributes:
        name: the path inside the archive; a folder's ends in `/`.
        flags: general purpose bits.
        method: 0 stored, 8 deflate.
        dos_time: time in the low, date in the high 16 bits, as in the headers.
        crc: CRC-32 of the content.
        compressed_size: bytes in the archive.
        size: bytes of the content.
        attributes: external attributes; the high 16 bits are the Unix mode, 0 when not given.
        offset: where the local header begins.
        record: where the entry's record begins in the directory's bytes.
        record_end: where it ends.
    """

    name: str
    flags: int
    method: int
    dos_time: int
    crc: int
    compressed_size: int
    size: int
    attributes: int
    offset: int
    record: int
    record_end: int


def parse_directory(directory: bytes, count: int, end: int) -> dict[str, Entry]:
    """Return name -> entry, in the directory's order.

    Args:
        directory: the bytes of the central directory.
        count: how many entries the end record states.
        end: where the entries' data ends in the file, which is where the directory begins.

    Raises:
        DirectoryError: the first rule broken.
    """
    unpack, make, size = CENTRAL_HEADER.unpack_from, Entry._make, len(directory)
    entries: list[Entry] = []
    extras = False
    position = 0
    last = size - CENTRAL_HEADER.size
    while position <= last:
        (
            sign,
            flags,
            method,
            dos_time,
            crc,
            compressed,
            length,
            name_length,
            extra_length,
            comment_length,
            disk,
            attributes,
            offset,
        ) = unpack(directory, position)
        if sign != b"PK\x01\x02":
            raise DirectoryError("its central directory is damaged", "WHL105")
        # Only the low byte counts; the high one was for the system.
        if directory[position + 6] > _NEWEST_VERSION:
            raise _too_new(directory[position + 6])
        name_end = position + 46 + name_length
        raw = directory[position + 46 : name_end]
        try:
            name = raw.decode("utf-8" if flags & _UTF8 else "ascii")
        except UnicodeDecodeError:
            raise DirectoryError(
                f"name {printable(repr(raw))} is neither ASCII nor marked as UTF-8", "WHL111"
            ) from None
        if extra_length or comment_length or disk:
            extras = True
        start, position = position, name_end + extra_length + comment_length
        entries.append(
            make(
                (
                    name,
                    flags,
                    method,
                    dos_time,
                    crc,
                    compressed,
                    length,
                    attributes,
                    offset,
                    start,
                    position,
                )
            )
        )
    if position != size or len(entries) != count:
        raise DirectoryError(
            f"its central directory does not hold the {count} entries that the end record states", "WHL105"
        )
    _check_names(entries)
    if extras:
        _check_extras(entries, directory)
    # Few combinations occur, so each is looked at once.
    for flags, method in {(entry.flags, entry.method) for entry in entries}:
        _check_kind(flags, method)
    for entry in entries:
        if (
            entry.method == _STORED
            or entry.attributes >> 28 not in (0, _REGULAR)
            or entry.size > _BOMB_BYTES
            or entry.name[-1] == "/"
        ):
            _check_entry(entry)
    _check_layout(entries, end)
    return {entry.name: entry for entry in entries}


def plain_header(entry: Entry, directory: bytes) -> bytes:
    """Return the local header and name as most writers write it: with the directory's words.

    Byte for byte equality is the quick way to agree; a header that differs may be right all the same,
    see `data_offset`.
    """
    # Both headers have the fields from the version to the length of extra fields in the same layout.
    start = entry.record
    return b"PK\x03\x04" + directory[start + 6 : start + 32] + directory[start + 46 : entry.record_end]


def data_offset(entry: Entry, header: bytes) -> int:
    """Return where the data of an entry begins, after comparing its local header with the directory.

    Args:
        entry: the entry.
        header: the file's bytes from `entry.offset` on: the header, the name and MAX_EXTRA_BYTES, or what
            there is before the directory, which is a header at least.

    Raises:
        DirectoryError: the header disagrees with the directory.
    """
    shown, raw_name, size = printable(entry.name), entry.name.encode(), LOCAL_HEADER.size
    sign, flags, method, _, crc, compressed, length, name_length, extra_length = LOCAL_HEADER.unpack_from(
        header
    )
    name_end = size + len(raw_name)
    if sign == b"PK\x03\x04" and header[4] > _NEWEST_VERSION:
        raise _too_new(header[4])
    extra = header[name_end : name_end + extra_length]
    wide = 0xFFFFFFFF if extra[:4] == b"\x01\x00\x10\x00" else -1
    if (
        sign != b"PK\x03\x04"
        or flags != entry.flags
        or method != entry.method
        or crc != entry.crc
        or compressed not in (entry.compressed_size, wide)
        or length not in (entry.size, wide)
        or name_length != len(raw_name)
        or header[size:name_end] != raw_name
    ):
        raise DirectoryError(f"the local header of {shown} disagrees with the central directory", "WHL108")
    if extra_length:
        if len(extra) != extra_length:
            raise DirectoryError(f"{shown} has extra fields that are too long", "WHL116")
        _check_extra(entry, extra, zip64=struct.pack("<2Q", entry.size, entry.compressed_size))
    return entry.offset + name_end + len(extra)


def _too_new(version: int) -> DirectoryError:
    version, minor = divmod(version, 10)
    return DirectoryError(
        f"needs version {version}.{minor} of the zip format, which no installer reads", "WHL120"
    )


def _check_names(entries: list[Entry]) -> None:
    names = [entry.name for entry in entries]
    # All names are searched at once, which takes a tenth of the time of one search for each.
    joined = "\n".join(["", *names, ""])
    if (
        joined.count("\n") != len(names) + 1
        or any(mark in joined for mark in _SUSPICIOUS)
        or not joined.replace("\n", "").isprintable()
    ):
        for name in names:
            if _BAD_NAME.match(name):
                raise DirectoryError(f"entry name {printable(name)!r} is not a plain relative path", "WHL110")
    seen: set[str] = set()
    if len({name.rstrip("/") for name in names}) != len(names):
        for name in names:
            if name.rstrip("/") in seen:
                raise DirectoryError(f"holds {printable(name)} twice", "WHL109")
            seen.add(name.rstrip("/"))


def _check_kind(flags: int, method: int) -> None:
    if flags & _ENCRYPTED:
        raise DirectoryError("encrypted", "WHL113")
    if flags & _DATA_DESCRIPTOR:
        raise DirectoryError("written as a stream (data descriptors): build it again to a file", "WHL114")
    if flags & ~_HARMLESS_FLAGS:
        raise DirectoryError(f"uses zip features that wheels must not have (flags {flags:#06x})", "WHL116")
    if method not in (_STORED, _DEFLATE):
        raise DirectoryError(f"uses compression method {method}; wheels may use stored and deflate", "WHL115")


def _check_entry(entry: Entry) -> None:
    shown, is_folder, kind = printable(entry.name), entry.name[-1] == "/", entry.attributes >> 28
    if kind not in (0, _FOLDER if is_folder else _REGULAR):
        raise DirectoryError(f"{shown} is not a regular file (a symbolic link or a device)", "WHL112")
    if entry.method == _STORED and entry.compressed_size != entry.size:
        raise DirectoryError(f"{shown} is stored, but its two sizes differ", "WHL119")
    if is_folder and entry.size:
        raise DirectoryError(f"folder {shown} has content", "WHL118")
    if entry.size > _BOMB_BYTES and entry.size > _BOMB_RATIO * entry.compressed_size:
        raise DirectoryError(
            f"{shown} inflates to more than {_BOMB_RATIO} times its size (a zip bomb?)", "WHL117"
        )


def _check_extras(entries: list[Entry], directory: bytes) -> None:
    for entry in entries:
        fields = CENTRAL_HEADER.unpack_from(directory, entry.record)
        name_length, extra_length, comment_length, disk = fields[7:11]
        if disk:
            raise DirectoryError("spread over several disks", "WHL107")
        if comment_length:
            raise DirectoryError(f"{printable(entry.name)} has a comment", "WHL116")
        start = entry.record + CENTRAL_HEADER.size + name_length
        _check_extra(entry, directory[start : start + extra_length], zip64=None)


def _check_extra(entry: Entry, extra: bytes, *, zip64: bytes | None) -> None:
    """Check the extra fields; a ZIP64 field must hold `zip64`, and with None there may be no such field."""
    shown = printable(entry.name)
    if len(extra) > MAX_EXTRA_BYTES:
        raise DirectoryError(f"{shown} has extra fields that are too long", "WHL116")
    if b"PK\x03\x04" in extra or b"PK\x05\x06" in extra:
        raise DirectoryError(f"{shown} has an archive in its extra fields", "WHL116")
    position = 0
    while position < len(extra):
        kind = int.from_bytes(extra[position : position + 2], "little")
        length = int.from_bytes(extra[position + 2 : position + 4], "little")
        content = extra[position + 4 : position + 4 + length]
        position += 4 + length
        if position > len(extra):
            raise DirectoryError(f"{shown} has damaged extra fields", "WHL116")
        if kind == _UNICODE_PATH_EXTRA:
            raise DirectoryError(f"{shown} has a second name (Unicode path field)", "WHL111")
        if kind == _ZIP64_EXTRA and content != zip64:
            raise DirectoryError(f"{shown} has ZIP64 sizes that disagree", "WHL106")


def _check_layout(entries: list[Entry], end: int) -> None:
    """Check without the local headers that no two entries share bytes, and what all of them inflate to."""
    last = total = 0
    for entry in sorted(entries, key=lambda entry: entry.offset):
        total += entry.size
        if entry.offset < last:
            raise DirectoryError(f"entries overlap at {printable(entry.name)}", "WHL104")
        last = entry.offset + 30 + entry.compressed_size
    if last > end:
        raise DirectoryError("entries overlap the central directory, or it is truncated", "WHL104")
    if total > _BOMB_BYTES and total > _BOMB_RATIO * end:
        raise DirectoryError(f"inflates to more than {_BOMB_RATIO} times its size (a zip bomb?)", "WHL117")
