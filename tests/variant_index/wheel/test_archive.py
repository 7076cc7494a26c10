"""Archives that readers understand differently are refused, each with its rule."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.making import zip_bytes
from variant_index.wheel.archive import END, END64, END64_LOCATOR, Archive, WheelError
from variant_index.wheel.directory import CENTRAL_HEADER

PAYLOAD = {"a/one.py": b"one = 1\n" * 9, "a/two.bin": bytes(range(256)), "b.txt": b""}

CENTRAL_FLAGS, CENTRAL_METHOD, CENTRAL_CRC, CENTRAL_COMPRESSED, CENTRAL_SIZE = 8, 10, 16, 20, 24
CENTRAL_DISK, CENTRAL_ATTRIBUTES, CENTRAL_OFFSET, CENTRAL_NAME = 34, 38, 42, 46
LOCAL_FLAGS, LOCAL_METHOD, LOCAL_CRC, LOCAL_COMPRESSED, LOCAL_SIZE, LOCAL_NAME = 6, 8, 14, 18, 22, 30
END_DISK, END_COUNT, END_SIZE, END_OFFSET, END_COMMENT = 4, 10, 12, 16, 20


def archive_bytes() -> bytearray:
    return bytearray(zip_bytes(PAYLOAD))


def write(tmp_path: Path, data: bytes | bytearray) -> Path:
    path = tmp_path / "demo.zip"
    path.write_bytes(data)
    return path


def read_all(path: Path) -> dict[str, bytes]:
    with Archive(path) as archive:
        archive.check_framing()
        return {name: archive.read(entry, 1 << 20) for name, entry in archive.entries.items()}


def refused(path: Path) -> str:
    with pytest.raises(WheelError) as caught:
        read_all(path)
    assert str(caught.value).startswith("demo.zip: ")
    return str(caught.value)


def central(data: bytearray, number: int = 0) -> int:
    """Return where the record of an entry begins."""
    position = data.find(b"PK\x01\x02")
    for _ in range(number):
        position = data.find(b"PK\x01\x02", position + 4)
    return position


def put(data: bytearray, place: int, layout: str, *values: int) -> None:
    struct.pack_into(layout, data, place, *values)


def test_reads_what_zipfile_wrote(tmp_path: Path) -> None:
    assert read_all(write(tmp_path, archive_bytes())) == PAYLOAD


def test_reads_an_archive_larger_than_its_tail(tmp_path: Path) -> None:
    files = {"big": os.urandom(200_000), "small": b"x"}
    assert read_all(write(tmp_path, zip_bytes(files))) == files


@pytest.mark.parametrize("cut", [1, 21, 22, 23, 100, 400])
def test_refuses_a_truncated_archive(tmp_path: Path, cut: int) -> None:
    assert "truncated" in refused(write(tmp_path, archive_bytes()[:-cut]))


def test_refuses_bytes_around_the_archive(tmp_path: Path) -> None:
    data = archive_bytes()
    assert "bytes before the archive" in refused(write(tmp_path, b"#!/bin/sh\n" + data))
    assert "bytes after the archive" in refused(write(tmp_path, data + b"\0"))
    assert "bytes after the archive" in refused(write(tmp_path, data + data[:30]))


def test_refuses_two_archives_in_a_row(tmp_path: Path) -> None:
    assert "bytes before the archive" in refused(write(tmp_path, bytes(archive_bytes() * 2)))


def test_refuses_a_gap_that_could_hide_an_archive(tmp_path: Path) -> None:
    data = archive_bytes()
    start = central(data)
    data[start:start] = b"hidden"
    put(data, len(data) - END.size + END_OFFSET, "<L", start + 6)
    assert "bytes outside of any entry before the central directory" in refused(write(tmp_path, data))


def test_refuses_a_comment(tmp_path: Path) -> None:
    data = archive_bytes()
    put(data, len(data) - END.size + END_COMMENT, "<H", 3)
    assert "archive comment" in refused(write(tmp_path, bytes(data) + b"abc"))


@pytest.mark.parametrize(
    ("place", "layout", "value", "rule"),
    [
        (CENTRAL_FLAGS, "<H", 0x1, "encrypted"),
        (CENTRAL_FLAGS, "<H", 0x8, "data descriptors"),
        (CENTRAL_FLAGS, "<H", 0x20, "features that wheels must not have"),
        (CENTRAL_METHOD, "<H", 14, "compression method 14"),
        (CENTRAL_METHOD, "<H", 0, "is stored, but its two sizes differ"),
        (CENTRAL_DISK, "<H", 1, "several disks"),
        (CENTRAL_ATTRIBUTES, "<L", 0o120777 << 16, "not a regular file"),
        (CENTRAL_ATTRIBUTES, "<L", 0o020644 << 16, "not a regular file"),
        (CENTRAL_ATTRIBUTES, "<L", 0o040755 << 16, "not a regular file"),
        (CENTRAL_SIZE, "<L", 1 << 31, "a zip bomb?"),
        (CENTRAL_COMPRESSED, "<L", 0xFFFFFFFF, "overlap"),
        (CENTRAL_COMPRESSED, "<L", 5, "disagrees with the central directory"),
        (CENTRAL_OFFSET, "<L", 7, "bytes outside of any entry before a/one.py"),
        (CENTRAL_CRC, "<L", 7, "disagrees with the central directory"),
        (CENTRAL_SIZE, "<L", 7, "disagrees with the central directory"),
    ],
)
def test_refuses_what_the_directory_may_not_say(
    tmp_path: Path, place: int, layout: str, value: int, rule: str
) -> None:
    data = archive_bytes()
    put(data, central(data) + place, layout, value)
    assert rule in refused(write(tmp_path, data))


@pytest.mark.parametrize(
    ("place", "layout", "value"),
    [
        (0, "<L", 0),
        (LOCAL_FLAGS, "<H", 0x800),
        (LOCAL_METHOD, "<H", 0),
        (LOCAL_CRC, "<L", 7),
        (LOCAL_COMPRESSED, "<L", 7),
        (LOCAL_SIZE, "<L", 7),
        (LOCAL_SIZE, "<L", 0xFFFFFFFF),
        (LOCAL_NAME, "<B", ord("x")),
        (LOCAL_NAME - 4, "<H", 3),
    ],
)
def test_refuses_a_local_header_that_disagrees(tmp_path: Path, place: int, layout: str, value: int) -> None:
    data = archive_bytes()
    put(data, place, layout, value)
    assert "the local header of a/one.py disagrees" in refused(write(tmp_path, data))


@pytest.mark.parametrize(
    ("place", "layout", "value", "rule"),
    [
        (END_DISK, "<H", 1, "several disks"),
        (END_COUNT, "<H", 2, "several disks"),
        (END_SIZE, "<L", 3, "bytes before the archive"),
        (END_OFFSET, "<L", 1 << 20, "truncated"),
    ],
)
def test_refuses_a_wrong_end_record(tmp_path: Path, place: int, layout: str, value: int, rule: str) -> None:
    data = archive_bytes()
    put(data, len(data) - END.size + place, layout, value)
    assert rule in refused(write(tmp_path, data))


def test_refuses_a_wrong_number_of_entries(tmp_path: Path) -> None:
    data = archive_bytes()
    put(data, len(data) - END.size + 8, "<2H", 2, 2)
    assert "does not hold the 2 entries" in refused(write(tmp_path, data))


def test_refuses_lying_sizes(tmp_path: Path) -> None:
    """Both headers agree, the data does not: longer, shorter, or followed by something else."""
    for size in (71, 73):
        data = archive_bytes()
        put(data, LOCAL_SIZE, "<L", size)
        put(data, central(data) + CENTRAL_SIZE, "<L", size)
        assert "does not have the size" in refused(write(tmp_path, data))


def test_refuses_data_behind_the_compressed_data(tmp_path: Path) -> None:
    content = b"content" * 9
    deflater = zlib.compressobj(wbits=-15)
    raw = deflater.compress(content) + deflater.flush() + b"hidden"
    data = bytearray(zip_bytes({"a": b""}))
    stored = zlib.crc32(content), len(raw), len(content)
    start = central(data)
    put(data, LOCAL_CRC, "<3L", *stored)
    put(data, start + CENTRAL_CRC, "<3L", *stored)
    body = LOCAL_NAME + 1
    data[body:start] = raw
    put(data, len(data) - END.size + END_OFFSET, "<L", body + len(raw))
    assert "does not have the size" in refused(write(tmp_path, data))


def test_refuses_a_bit_flip(tmp_path: Path) -> None:
    data = bytearray(zip_bytes({"a": os.urandom(100)}))
    data[70] ^= 1
    assert "damaged" in refused(write(tmp_path, data))


def test_refuses_a_member_above_the_limit(tmp_path: Path) -> None:
    with Archive(write(tmp_path, archive_bytes())) as archive, pytest.raises(WheelError, match="larger than"):
        archive.read(archive.entries["a/two.bin"], 255)


def test_refuses_a_zip_bomb(tmp_path: Path) -> None:
    path = write(tmp_path, zip_bytes({"zeros": bytes((64 << 20) + 1)}))
    assert "zeros inflates to more than 50 times" in refused(path)


def test_refuses_a_name_twice(tmp_path: Path) -> None:
    data = zip_bytes({"a/one.py": b"1", "a/two.py": b"2"}).replace(b"a/two.py", b"a/one.py")
    assert "holds a/one.py twice" in refused(write(tmp_path, data))


def test_refuses_names_whose_encoding_is_a_guess(tmp_path: Path) -> None:
    data = bytes(archive_bytes()).replace(b"a/one.py", b"a/\xe4ne.py")
    assert "neither ASCII nor marked as UTF-8" in refused(write(tmp_path, data))


def test_refuses_a_stream(tmp_path: Path) -> None:
    class Pipe(io.BytesIO):
        def tell(self) -> int:
            raise OSError

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w") as archive:
        archive.writestr("a", b"1")
    assert "data descriptors" in refused(write(tmp_path, pipe.getvalue()))


def with_extra(kind: int, content: bytes, *, local: bool) -> bytes:
    """Return an archive with one stored entry that has an extra field."""
    entry = zipfile.ZipInfo("a")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        if local:
            entry.extra = struct.pack("<2H", kind, len(content)) + content
        archive.writestr(entry, b"12345")
        entry.extra = b"" if local else struct.pack("<2H", kind, len(content)) + content
    return buffer.getvalue()


@pytest.mark.parametrize("local", [True, False])
def test_extra_fields(tmp_path: Path, local: bool) -> None:
    assert read_all(write(tmp_path, with_extra(0x5455, b"\x01\0\0\0\0", local=local))) == {"a": b"12345"}
    assert "second name" in refused(write(tmp_path, with_extra(0x7075, b"\x01\0\0\0\0b", local=local)))
    assert "ZIP64" in refused(write(tmp_path, with_extra(0x0001, bytes(16), local=local)))
    assert "extra fields that are too long" in refused(
        write(tmp_path, with_extra(0xD935, bytes(200), local=local))
    )
    damaged = bytearray(with_extra(0x5455, b"\x01\0\0\0\0", local=local))
    damaged[damaged.find(b"UT") + 2] = 9
    assert "damaged extra fields" in refused(write(tmp_path, damaged))


def test_accepts_zip64_sizes_that_agree(tmp_path: Path) -> None:
    """Builders that reserve 64-bit fields (protobuf's wheels have them) are read."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w") as archive,
        archive.open("a", "w", force_zip64=True) as file,
    ):
        file.write(b"12345")
    assert read_all(write(tmp_path, buffer.getvalue())) == {"a": b"12345"}


def zip64(data: bytes | bytearray) -> bytearray:
    """Return the archive with a ZIP64 end record."""
    body = data[: -END.size]
    _, _, _, _, count, size, offset, _ = END.unpack(data[-END.size :])
    record = END64.pack(b"PK\x06\x06", END64.size - 12, 45, 45, 0, 0, count, count, size, offset)
    locator = END64_LOCATOR.pack(b"PK\x06\x07", 0, len(body), 1)
    end = END.pack(b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return bytearray(body + record + locator + end)


def test_reads_a_zip64_directory(tmp_path: Path) -> None:
    assert read_all(write(tmp_path, zip64(archive_bytes()))) == PAYLOAD


def test_reads_more_entries_than_16_bits_count(tmp_path: Path) -> None:
    files = {str(number): b"" for number in range(70_000)}
    with Archive(write(tmp_path, zip_bytes(files))) as archive:
        assert len(archive.entries) == 70_000


@pytest.mark.parametrize(
    ("back", "layout", "value", "rule"),
    [
        (END.size - 10, "<H", 2, "disagree"),
        (END.size - 16, "<L", 1, "disagree"),
        (END.size + 12, "<Q", 5, "not just before its locator"),
        (END.size + 4, "<L", 2, "not just before its locator"),
        (END.size + END64_LOCATOR.size + 56 - 4, "<Q", 99, "has an extension"),
        (END.size + END64_LOCATOR.size + 56 - 16, "<L", 1, "disagree"),
        (END.size + END64_LOCATOR.size + 8, "<Q", 1 << 62, "truncated"),
    ],
)
def test_refuses_a_wrong_zip64_directory(
    tmp_path: Path, back: int, layout: str, value: int, rule: str
) -> None:
    data = zip64(archive_bytes())
    put(data, len(data) - back, layout, value)
    assert rule in refused(write(tmp_path, data))


def test_refuses_more_than_four_gigabytes(tmp_path: Path) -> None:
    path = tmp_path / "demo.zip"
    with path.open("wb") as file:
        file.truncate(1 << 32)
    assert "larger than 4 GiB" in refused(path)


def test_refuses_an_end_record_that_promises_a_comment(tmp_path: Path) -> None:
    data = archive_bytes()
    put(data, len(data) - END.size + END_COMMENT, "<H", 3)
    assert "its comment is missing" in refused(write(tmp_path, data))


def test_refuses_a_damaged_directory(tmp_path: Path) -> None:
    data = archive_bytes()
    put(data, central(data, 1), "<B", ord("X"))
    assert "its central directory is damaged" in refused(write(tmp_path, data))


def test_refuses_a_comment_of_an_entry(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo("a")
        entry.comment = b"hidden"
        archive.writestr(entry, b"")
    assert "a has a comment" in refused(write(tmp_path, buffer.getvalue()))


def test_refuses_a_folder_with_content(tmp_path: Path) -> None:
    assert "folder a/ has content" in refused(write(tmp_path, zip_bytes({"a/": b"hidden"})))


def test_refuses_an_entry_that_reaches_into_the_directory(tmp_path: Path) -> None:
    data = archive_bytes()
    put(data, central(data, 2) + CENTRAL_COMPRESSED, "<L", 100)
    assert "overlap the central directory" in refused(write(tmp_path, data))


def test_refuses_extra_fields_that_reach_into_the_directory(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", b"")
    data = bytearray(buffer.getvalue())
    put(data, LOCAL_NAME - 2, "<H", 4)
    assert "a has extra fields that are too long" in refused(write(tmp_path, data))


def test_refuses_data_that_does_not_inflate(tmp_path: Path) -> None:
    data = archive_bytes()
    put(data, LOCAL_NAME + len("a/one.py"), "<B", 0xFF)
    assert "does not inflate" in refused(write(tmp_path, data))


def test_a_file_that_shrinks_or_fails_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, zip_bytes({"big": os.urandom(200_000)}))
    with Archive(path) as archive:
        with path.open("r+b") as file:
            file.truncate(1000)
        with pytest.raises(WheelError, match="truncated"):
            archive.read(archive.entries["big"], 1 << 20)

        def fail(*arguments: int) -> bytes:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(os, "pread", fail)
        with pytest.raises(WheelError, match="Input/output error"):
            archive.read(archive.entries["big"], 1 << 20)


def test_refuses_a_huge_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("variant_index.wheel.archive._MAX_DIRECTORY_BYTES", 100)
    assert "its central directory is larger than 100 bytes" in refused(write(tmp_path, archive_bytes()))


NAMES = st.lists(
    st.text("abcäß/._-", min_size=1, max_size=8).filter(
        lambda name: all(part not in ("", ".", "..") for part in name.split("/"))
    ),
    unique=True,
    max_size=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(names=NAMES, content=st.binary(max_size=300), stored=st.booleans())
def test_agrees_with_zipfile(tmp_path: Path, names: list[str], content: bytes, stored: bool) -> None:
    buffer = io.BytesIO()
    method = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name in names:
            archive.writestr(name, content + name.encode())
    path = write(tmp_path, buffer.getvalue())
    assert read_all(path) == {name: content + name.encode() for name in names}
    with zipfile.ZipFile(path) as known, Archive(path) as ours:
        for info, entry in zip(known.infolist(), ours.entries.values(), strict=True):
            assert (info.filename, info.CRC, info.file_size, info.compress_size, info.header_offset) == (
                *(entry.name, entry.crc, entry.size, entry.compressed_size, entry.offset),
            )
    assert CENTRAL_HEADER.size == CENTRAL_NAME
