"""Zip archives written field by field, so that any field can lie."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from variant_index.wheel.record import content_row, render_rows

__all__ = ["INFO", "NAME", "Part", "end_record", "wheel_parts", "write_zip", "zip64_records"]

NAME = "demo-1.0-py3-none-any.whl"
INFO = "demo-1.0.dist-info"

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")


@dataclass
class Part:
    """One entry: what is in it, and in which fields a header says something else.

    `local` and `central` replace fields of the two headers by name; `raw` replaces the data in the file.
    """

    name: bytes
    content: bytes = b""
    method: int = 0
    flags: int = 0
    raw: bytes | None = None
    local: Mapping[str, object] = field(default_factory=dict)
    central: Mapping[str, object] = field(default_factory=dict)
    local_extra: bytes = b""
    central_extra: bytes = b""
    comment: bytes = b""
    mode: int = 0o100644
    before: bytes = b""
    listed: bool = True
    stored: bool = True

    def data(self) -> bytes:
        if self.raw is not None:
            return self.raw
        if self.method == 8:
            deflater = zlib.compressobj(wbits=-15)
            return deflater.compress(self.content) + deflater.flush()
        return self.content

    def fields(self) -> dict[str, object]:
        return {
            "name": self.name,
            "version": 20,
            "flags": self.flags,
            "method": self.method,
            "crc": zlib.crc32(self.content),
            "compressed": len(self.data()),
            "size": len(self.content),
            "disk": 0,
            "attributes": self.mode << 16,
        }


def wheel_parts(extra: Sequence[Part] = ()) -> list[Part]:
    """Return the entries of a good wheel: everything, also what is extra, is in RECORD with its hash."""
    parts = [
        *(Part(b"demo.py", b"good = True\n"), *extra),
        Part(f"{INFO}/METADATA".encode(), b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"),
        Part(
            f"{INFO}/WHEEL".encode(),
            b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        ),
    ]
    rows = [content_row(part.name.decode(errors="replace"), part.content) for part in parts if part.listed]
    record = render_rows(rows, "\n") + f"{INFO}/RECORD,,\n".encode()
    return [*parts, Part(f"{INFO}/RECORD".encode(), record)]


def write_zip(
    parts: Sequence[Part], *, gap: bytes = b"", shift: int = 0, end: Mapping[str, int] | None = None
) -> bytes:
    """Return the archive.

    Args:
        parts: its entries.
        gap: bytes between the last entry and the central directory.
        shift: added to every offset, as for an archive that something is put before.
        end: replaces fields of the end record.
    """
    body = b""
    directory = b""
    count = 0
    for part in parts:
        body += part.before
        offset = len(body) + shift
        if part.stored:
            body += _local(part) + part.data()
        if part.listed:
            directory += _central(part, offset)
            count += 1
    body += gap
    return body + directory + end_record(count, len(directory), len(body) + shift, **(end or {}))


def _local(part: Part) -> bytes:
    f = {**part.fields(), "sign": b"PK\3\4", **part.local}
    assert isinstance(f["name"], bytes)
    header = (
        f["sign"],
        f["version"],
        f["flags"],
        f["method"],
        0,
        0x5821,
        f["crc"],
        f["compressed"],
        f["size"],
    )
    return _LOCAL.pack(*header, len(f["name"]), len(part.local_extra)) + f["name"] + part.local_extra


def _central(part: Part, offset: int) -> bytes:
    f = {**part.fields(), "offset": offset, **part.central}
    assert isinstance(f["name"], bytes)
    header = (b"PK\1\2", 0x314, f["version"], f["flags"], f["method"], 0, 0x5821, f["crc"])
    sizes = (f["compressed"], f["size"])
    lengths = (len(f["name"]), len(part.central_extra), len(part.comment))
    tail = (*lengths, f["disk"], 0, f["attributes"], f["offset"])
    return _CENTRAL.pack(*header, *sizes, *tail) + f["name"] + part.central_extra + part.comment


def end_record(count: int, size: int, offset: int, /, **other: int) -> bytes:
    """Return an end record; `other` replaces disk, first_disk, here, count, size, offset or comment."""
    f = {"disk": 0, "first_disk": 0, "here": count, "count": count, "size": size, "offset": offset}
    f |= {"comment": 0, **other}
    return _END.pack(b"PK\5\6", *f.values())


def zip64_records(
    count: int, size: int, offset: int, *, where: int | None = None, tail: bytes = b""
) -> bytes:
    """Return a ZIP64 end record and its locator, which stands behind the directory."""
    length = 44 + len(tail)
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", length, 45, 45, 0, 0, count, count, size, offset) + tail
    place = offset + size if where is None else where
    return record + struct.pack("<4sLQL", b"PK\6\7", 0, place, 1)
