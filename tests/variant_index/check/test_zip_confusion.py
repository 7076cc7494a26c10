"""Archives that two readers understand differently: each is refused, with the code of its class."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.variant_index.check.archives import (
    NAME,
    Part,
    end_record,
    wheel_parts,
    write_zip,
    zip64_records,
)
from variant_index.check.releases import check_files

EVIL = Part(b"evil.py", b"evil = True\n")


def good() -> bytes:
    return write_zip(wheel_parts())


def one(part: Part) -> bytes:
    """Return a good wheel with one odd entry among its others."""
    return write_zip(wheel_parts([part]))


def hidden(**changes: object) -> bytes:
    """Return a wheel with `evil.py` in it and some field of it changed."""
    return one(Part(**{"name": EVIL.name, "content": EVIL.content, **changes}))  # type: ignore[arg-type]


def extra(kind: int, content: bytes) -> bytes:
    return struct.pack("<2H", kind, len(content)) + content


def split(data: bytes) -> tuple[bytes, bytes, bytes]:
    """Return an archive's entries, its directory and its end record."""
    size, offset = struct.unpack_from("<2L", data, len(data) - 10)
    return data[:offset], data[offset : offset + size], data[-22:]


def with_zip64(**changes: int) -> bytes:
    body, directory, end = split(good())
    count = int.from_bytes(end[10:12], "little")
    wide = {"count": count, "size": len(directory), "offset": len(body)} | changes
    short = end_record(count, len(directory), len(body))
    return body + directory + zip64_records(wide["count"], wide["size"], wide["offset"]) + short


def zip64_elsewhere() -> bytes:
    """A second ZIP64 end record hides in a gap, and the locator points there."""
    body, directory, end = split(good())
    count = int.from_bytes(end[10:12], "little")
    record = zip64_records(count, len(directory), len(body) + 56)[:56]
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, len(body), 1)
    wide = end_record(0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
    return body + record + directory + record + locator + wide


def zip64_extended() -> bytes:
    body, directory, end = split(good())
    count = int.from_bytes(end[10:12], "little")
    return body + directory + zip64_records(count, len(directory), len(body), tail=b"hidden") + end


def same_place() -> bytes:
    """Two names for the bytes of one entry, as in bombs without recursion."""
    parts = wheel_parts()
    copy = Part(b"copy.py", parts[0].content, stored=False, central={"offset": 0})
    return write_zip([*parts, copy])


def quoted() -> bytes:
    """One entry's data holds the next entry, header and all."""
    inner = write_zip([EVIL])
    header = inner[: inner.index(b"PK\1\2")]
    parts = wheel_parts([Part(b"data.bin", header)])
    return write_zip(
        [*parts, Part(EVIL.name, EVIL.content, stored=False, central={"offset": 12 + 30 + 7 + 38})]
    )


def lying_sizes() -> bytes:
    content = b"x = 1\n" * 40
    deflater = zlib.compressobj(wbits=-15)
    raw = deflater.compress(content + b"evil") + deflater.flush()
    return hidden(content=content, method=8, raw=raw)


def behind_the_data() -> bytes:
    deflater = zlib.compressobj(wbits=-15)
    raw = deflater.compress(EVIL.content) + deflater.flush() + b"PK\3\4 hidden"
    return hidden(method=8, raw=raw)


def bombs() -> bytes:
    """Many entries, none of them large enough to be one bomb."""
    content = bytes(1 << 22)
    return write_zip(wheel_parts([Part(b"%d.bin" % number, content, method=8) for number in range(20)]))


def comment_with_end() -> bytes:
    """The archive's comment is the end of another archive."""
    other = write_zip([EVIL])
    data = bytearray(good())
    struct.pack_into("<H", data, len(data) - 2, len(other))
    return bytes(data) + other


def signature_record() -> bytes:
    """A digital signature record (4.3.13) in the directory, behind the entries."""
    body, directory, end = split(good())
    directory += b"PK\5\5" + struct.pack("<H", 6) + b"hidden"
    count = int.from_bytes(end[10:12], "little")
    return body + directory + end_record(count, len(directory), len(body))


UTF8 = 0x800

CORPUS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "bytes before, offsets as without": ("WHL102", lambda: b"#!/bin/sh\n" + good()),
    "bytes before, offsets moved": ("WHL103", lambda: b"hidden" + write_zip(wheel_parts(), shift=6)),
    "bytes after": ("WHL102", lambda: good() + b"hidden"),
    "an end record after": ("WHL102", lambda: good() + good()[-22:]),
    "two archives": ("WHL102", lambda: write_zip([EVIL]) + good()),
    "an archive comment": ("WHL102", lambda: write_zip(wheel_parts(), end={"comment": 6}) + b"hidden"),
    "the comment of old builders, not stated": ("WHL102", lambda: good() + b"zip-rs"),
    "the comment of old builders, more stated": (
        "WHL101",
        lambda: write_zip(wheel_parts(), end={"comment": 7}) + b"zip-rs",
    ),
    "the comment of old builders, an end before it": (
        "WHL102",
        lambda: good() + write_zip([EVIL], end={"comment": 6})[-22:] + b"zip-rs",
    ),
    "a comment that is an archive": ("WHL102", comment_with_end),
    "a gap between entries": ("WHL103", lambda: hidden(before=b"hidden")),
    "a gap before the directory": ("WHL103", lambda: write_zip(wheel_parts(), gap=b"hidden")),
    "an entry that is not listed": ("WHL103", lambda: hidden(listed=False)),
    "two entries at one place": ("WHL104", same_place),
    "an entry inside another": ("WHL104", quoted),
    "more entries than counted": ("WHL105", lambda: write_zip(wheel_parts(), end={"here": 3, "count": 3})),
    "fewer entries than counted": ("WHL105", lambda: write_zip(wheel_parts(), end={"here": 9, "count": 9})),
    "a signature record": ("WHL105", signature_record),
    "a directory size too small": ("WHL102", lambda: write_zip(wheel_parts(), end={"size": 99})),
    "a ZIP64 count": ("WHL106", lambda: with_zip64(count=3)),
    "a ZIP64 offset": ("WHL106", lambda: with_zip64(offset=0)),
    "a ZIP64 record elsewhere": ("WHL106", zip64_elsewhere),
    "a ZIP64 record with an extension": ("WHL106", zip64_extended),
    "a ZIP64 size in the directory": (
        "WHL106",
        lambda: hidden(central_extra=extra(1, struct.pack("<2Q", 5, 5))),
    ),
    "a ZIP64 size in the local header": (
        "WHL106",
        lambda: hidden(local_extra=extra(1, struct.pack("<2Q", 5, 5))),
    ),
    "several disks": ("WHL107", lambda: write_zip(wheel_parts(), end={"disk": 1, "first_disk": 1})),
    "an entry on another disk": ("WHL107", lambda: hidden(central={"disk": 1})),
    "another name in the local header": ("WHL108", lambda: hidden(local={"name": b"good.py"})),
    "another method in the local header": ("WHL108", lambda: hidden(local={"method": 8})),
    "another size in the local header": ("WHL108", lambda: hidden(local={"size": 3})),
    "another length in the local header": ("WHL108", lambda: hidden(local={"compressed": 3})),
    "another CRC in the local header": ("WHL108", lambda: hidden(local={"crc": 3})),
    "other flags in the local header": ("WHL108", lambda: hidden(local={"flags": UTF8})),
    "no local header": ("WHL108", lambda: hidden(local={"sign": b"PK\7\x08"})),
    "one name twice": ("WHL109", lambda: write_zip([*wheel_parts(), Part(b"demo.py", b"evil = True\n")])),
    "a file and a folder": ("WHL109", lambda: one(Part(b"demo.py/", mode=0o040755))),
    "a NUL in a name": ("WHL110", lambda: one(Part(b"evil.py\0.txt", EVIL.content))),
    "a line end in a name": ("WHL110", lambda: one(Part(b"evil\n.py", EVIL.content))),
    "a backslash": ("WHL110", lambda: one(Part(b"..\\evil.py", EVIL.content))),
    "a parent folder": ("WHL110", lambda: one(Part(b"../evil.py", EVIL.content))),
    "an absolute name": ("WHL110", lambda: one(Part(b"/evil.py", EVIL.content))),
    "a drive": ("WHL110", lambda: one(Part(b"C:/evil.py", EVIL.content))),
    "no name": ("WHL110", lambda: one(Part(b"", EVIL.content))),
    "a name of no known encoding": ("WHL111", lambda: one(Part(b"\x89vil.py", EVIL.content))),
    "a name that is not UTF-8": ("WHL111", lambda: one(Part(b"\xffvil.py", EVIL.content, flags=UTF8))),
    "a second name": (
        "WHL111",
        lambda: hidden(
            central_extra=extra(0x7075, b"\1" + struct.pack("<L", zlib.crc32(b"evil.py")) + b"good")
        ),
    ),
    "a symbolic link": ("WHL112", lambda: one(Part(b"link", b"/etc/passwd", mode=0o120777))),
    "encrypted": ("WHL113", lambda: hidden(flags=0x1)),
    "strongly encrypted": ("WHL113", lambda: hidden(flags=0x2040)),
    "a data descriptor": ("WHL114", lambda: hidden(flags=0x8)),
    "LZMA": ("WHL115", lambda: hidden(method=14)),
    "bzip2": ("WHL115", lambda: hidden(method=12)),
    "deflate64": ("WHL115", lambda: hidden(method=9)),
    "patched data": ("WHL116", lambda: hidden(flags=0x20)),
    "an entry comment": ("WHL116", lambda: hidden(comment=b"hidden")),
    "an archive in extra fields": ("WHL116", lambda: hidden(local_extra=extra(0xCAFE, write_zip([EVIL])))),
    "extra fields that do not end": ("WHL116", lambda: hidden(central_extra=b"\xfe\xca\x09\0")),
    "one bomb": ("WHL117", lambda: one(Part(b"zeros", bytes(1 << 27), method=8))),
    "many bombs": ("WHL117", bombs),
    "a folder with content": ("WHL118", lambda: one(Part(b"folder/", b"hidden", mode=0o040755))),
    "stored, with two sizes": ("WHL119", lambda: hidden(local={"size": 3}, central={"size": 3})),
    "more than stated": ("WHL119", lying_sizes),
    "bytes behind the compressed data": ("WHL119", behind_the_data),
    "not what it was": ("WHL119", lambda: hidden(raw=b"evil = Trua\n")),
    "a version of zip that nobody has": ("WHL120", lambda: hidden(central={"version": 99})),
    "one newer than any reader": ("WHL120", lambda: hidden(central={"version": 64})),
    "such a version, and a system": ("WHL120", lambda: hidden(central={"version": 0x0340})),
    "such a version in the local header": ("WHL120", lambda: hidden(local={"version": 64})),
    "such a version in both": (
        "WHL120",
        lambda: hidden(central={"version": 99}, local={"version": 99}),
    ),
    "truncated": ("WHL101", lambda: good()[:-1]),
    "without its end": ("WHL101", lambda: good()[:200]),
}


def codes(path: Path) -> list[str]:
    return [finding.code for finding in check_files([path]).findings]


def opens(data: bytes) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError, ValueError):
        return False
    return True


def test_the_wheel_behind_it_is_good(tmp_path: Path) -> None:
    path = tmp_path / NAME
    of_old_maturin = write_zip(wheel_parts(), end={"comment": 6}) + b"zip-rs"
    newest = [hidden(local={"version": version}, central={"version": version}) for version in (63, 0x0314)]
    for data in (good(), one(EVIL), hidden(method=8), with_zip64(), of_old_maturin, *newest):
        path.write_bytes(data)
        assert codes(path) == []


@pytest.mark.parametrize("case", CORPUS)
def test_each_is_refused_for_its_own_reason(tmp_path: Path, case: str) -> None:
    code, make = CORPUS[case]
    path = tmp_path / NAME
    path.write_bytes(make())
    (finding,) = check_files([path]).findings
    assert finding.code == code, finding
    assert finding.rule.severity == "error"
    assert finding.message.startswith(f"{NAME}: ")
    assert finding.path == str(path)


def test_zipfile_alone_would_let_most_of_them_pass() -> None:
    opened = [case for case, (_, make) in CORPUS.items() if opens(make())]
    assert len(opened) > len(CORPUS) // 2, opened
