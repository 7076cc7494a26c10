"""Another METADATA in a wheel: what changes in the archive, and which archives are refused."""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.making import make_wheel, zip_bytes
from variant_index.wheel.archive import Archive, WheelError
from variant_index.wheel.random_access import LocalFile
from variant_index.wheel.read import read_wheel
from variant_index.wheel.rewrite import Span
from variant_index.wheel.splice import Splice, plan_splice

NAME = "a-1.0-py3-none-any.whl"
INFO = "a-1.0.dist-info"


def spliced(path: Path, metadata: bytes) -> tuple[Splice, bytes]:
    with Archive(path) as archive:
        splice = plan_splice(archive, lambda _: metadata)
    data = path.read_bytes()
    assert splice.old_size == len(data)
    spans = [piece for piece in splice.pieces if isinstance(piece, Span)]
    starts, stops = [*(span.start for span in spans), len(data)], [0, *(span.stop for span in spans)]
    replaced = b"".join(data[stop:start] for stop, start in zip(stops, starts, strict=True))
    assert splice.replaced == hashlib.sha256(replaced).hexdigest()
    pieces = (data[piece.start : piece.stop] if isinstance(piece, Span) else piece for piece in splice.pieces)
    return splice, b"".join(pieces)


def contents(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def reordered(path: Path, last: str) -> Path:
    entries = contents(path.read_bytes())
    entries[last] = entries.pop(last)
    path.write_bytes(zip_bytes(entries))
    return path


@settings(deadline=None)
@given(
    st.dictionaries(st.from_regex(r"a/[a-z]{1,4}\.py", fullmatch=True), st.binary(max_size=300), max_size=4),
    st.integers(0, 3),
    st.binary(max_size=200),
)
def test_everything_but_metadata_and_record_stays(
    tmp_path_factory: pytest.TempPathFactory, files: Mapping[str, bytes], moved: int, rest: bytes
) -> None:
    folder = tmp_path_factory.mktemp("wheel")
    path = make_wheel(folder, NAME, files={"a.py": b"x = 1\n" * 9, **files})
    names = [f"{INFO}/METADATA", f"{INFO}/WHEEL", f"{INFO}/RECORD", "a.py"]
    reordered(path, names[moved])
    before = contents(path.read_bytes())
    metadata = b"Metadata-Version: 2.1\nName: a\nVersion: 1.0\n\n" + rest
    splice, new = spliced(path, metadata)
    after = contents(new)
    assert len(new) == splice.size
    assert list(after) == list(before)
    changed = {name for name in before if before[name] != after[name]}
    assert changed <= {f"{INFO}/METADATA", f"{INFO}/RECORD"}
    assert after[f"{INFO}/METADATA"] == splice.metadata == metadata
    path.write_bytes(new)
    assert read_wheel(path, verify=True).metadata == metadata
    assert spliced(path, metadata)[1] == new


def test_only_metadata_record_and_the_directory_are_new(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, NAME, files={"a.py": b"", "b.bin": bytes(range(256)) * 400})
    splice, _ = spliced(path, b"Name: a\n\n")
    with zipfile.ZipFile(path) as archive:
        metadata, wheel, record = (
            archive.getinfo(f"{INFO}/{name}").header_offset for name in ("METADATA", "WHEEL", "RECORD")
        )
    spans = [piece for piece in splice.pieces if isinstance(piece, Span)]
    assert spans == [Span(0, metadata), Span(wheel, record)]
    assert [isinstance(piece, bytes) for piece in splice.pieces] == [False, True, False, True, True]


class _Counted(LocalFile):
    """A file that counts what is read of it."""

    read = 0

    def read_at(self, offset: int, length: int) -> bytes:
        self.read += length
        return super().read_at(offset, length)


def test_metadata_may_be_anywhere(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, NAME, files={"b.bin": bytes(1 << 20)})
    entries = contents(path.read_bytes())
    first = {f"{INFO}/METADATA": entries.pop(f"{INFO}/METADATA")}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {**first, **entries}.items():
            archive.writestr(name, data)
    content = _Counted(path)
    with Archive(path, content) as archive_:
        plan_splice(archive_, lambda old: old)
        assert content.read < 100_000
    splice, new = spliced(path, b"Name: a\n\n")
    assert isinstance(splice.pieces[0], bytes)
    assert contents(new) | {f"{INFO}/RECORD": b""} == {
        f"{INFO}/METADATA": b"Name: a\n\n",
        **entries,
        f"{INFO}/RECORD": b"",
    }


def test_unknown_dates_line_ends_and_attributes_stay(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, NAME)
    entries = contents(path.read_bytes())
    entries[f"{INFO}/RECORD"] = entries[f"{INFO}/RECORD"].replace(b"\n", b"\r\n")
    path.write_bytes(zip_bytes(entries))
    _, new = spliced(path, b"Metadata-Version: 2.1\nName: a\nVersion: 1.0\n\n")
    assert contents(new)[f"{INFO}/RECORD"].count(b"\r\n") == len(entries)
    with zipfile.ZipFile(io.BytesIO(new)) as archive:
        assert {(one.date_time, one.external_attr >> 16) for one in archive.infolist()} == {
            ((2024, 1, 1, 0, 0, 0), 0o644)
        }


def _with(path: Path, **changes: bytes) -> None:
    entries = contents(path.read_bytes()) | {f"{INFO}/{name}": data for name, data in changes.items()}
    path.write_bytes(zip_bytes(entries))


@pytest.mark.parametrize(
    ("break_it", "rule"),
    [
        (lambda path: _with(path, **{"RECORD.jws": b"{}"}), "is signed"),
        (lambda path: _with(path, RECORD=b"a.py,sha256=x,1\n"), "RECORD"),
        (lambda path: _with(path, METADATA=b" " * (4 << 20 | 1)), "larger than 4194304 bytes"),
        (lambda path: _with(path, WHEEL=b"other"), "RECORD"),
        (lambda path: path.write_bytes(zip_bytes({"a.py": b""})), "no .dist-info"),
        (lambda path: path.write_bytes(zip_bytes({f"{INFO}/METADATA": b""})), "no METADATA or no RECORD"),
        (
            lambda path: path.write_bytes(
                zip_bytes({**contents(path.read_bytes()), "b-1.dist-info/METADATA": b""})
            ),
            "several .dist-info",
        ),
        (lambda path: path.write_bytes(path.read_bytes() + b"x"), "after the archive"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "complete"),
        (lambda path: path.write_bytes(b"MZxx" + path.read_bytes()), "before the archive"),
    ],
)
def test_odd_archives_are_refused(tmp_path: Path, break_it: object, rule: str) -> None:
    path = make_wheel(tmp_path, NAME)
    assert callable(break_it)
    break_it(path)
    with pytest.raises(WheelError, match=rule), Archive(path) as archive:
        plan_splice(archive, lambda old: old)


def test_bytes_before_the_first_entry_are_refused(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, NAME)
    data = bytearray(b"MZxx" + path.read_bytes())
    end = len(data) - 22
    start = struct.unpack_from("<L", data, end + 16)[0] + 4
    struct.pack_into("<L", data, end + 16, start)
    while start < end:
        lengths = struct.unpack_from("<HHH", data, start + 28)
        struct.pack_into("<L", data, start + 42, struct.unpack_from("<L", data, start + 42)[0] + 4)
        start += 46 + sum(lengths)
    path.write_bytes(data)
    with Archive(path) as archive, pytest.raises(WheelError, match="before the first entry"):
        plan_splice(archive, lambda old: old)


@pytest.mark.parametrize("member", ["METADATA", "RECORD"])
def test_entries_that_change_must_agree_with_the_directory(tmp_path: Path, member: str) -> None:
    path = make_wheel(tmp_path, NAME)
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        offset = archive.getinfo(f"{INFO}/{member}").header_offset
    data[offset + 14] ^= 1  # the CRC in the local header
    path.write_bytes(data)
    with Archive(path) as archive_, pytest.raises(WheelError, match="disagrees with the central directory"):
        plan_splice(archive_, lambda old: old)


@pytest.mark.parametrize("gap", [1, 1 << 20])
def test_bytes_outside_of_entries_are_refused(tmp_path: Path, gap: int) -> None:
    path = make_wheel(tmp_path, NAME)
    data = bytearray(path.read_bytes())
    end = len(data) - 22
    start = struct.unpack_from("<L", data, end + 16)[0]
    data[start:start] = bytes(gap)  # between RECORD and the directory
    struct.pack_into("<L", data, end + gap + 16, start + gap)
    path.write_bytes(data)
    content = _Counted(path)
    with Archive(path, content) as archive, pytest.raises(WheelError, match="bytes outside of any entry"):
        plan_splice(archive, lambda old: old)
    assert content.read < 140_000
