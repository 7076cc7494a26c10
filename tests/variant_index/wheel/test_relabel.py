"""Labelling changes the name, variant.json and RECORD; everything else keeps its bytes."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.making import make_wheel, zip_bytes
from variant_index.model.properties import Property
from variant_index.model.settings import SettingsError, VariantSettings
from variant_index.wheel.archive import Archive, WheelError
from variant_index.wheel.read import read_wheel
from variant_index.wheel.record import content_row, parse_record, render_rows
from variant_index.wheel.relabel import label_wheel, unlabel_wheel, variant_label

CUDA = [Property("nvidia", "cuda_version_lower_bound", "12.8")]
SETTINGS = VariantSettings.default()
INFO = "demo-1.0.dist-info"
WHEEL = b"Wheel-Version: 1.0\nTag: py3-none-any\n"


def label(source: Path, out: Path, *, rename: str | None = None, force: bool = False) -> Path:
    return label_wheel(source, CUDA, label="cu128", settings=SETTINGS, out=out, rename=rename, force=force)


def raw_entries(path: Path) -> dict[str, tuple[bytes, bytes]]:
    """Return name -> the local header without its name, and the compressed bytes."""
    found = {}
    with Archive(path) as archive:
        archive.check_framing()
        offsets = sorted(entry.offset for entry in archive.entries.values())
        ends = dict(zip(offsets, [*offsets[1:], archive.directory_offset], strict=True))
        for entry in archive.entries.values():
            raw = archive.read_at(entry.offset, ends[entry.offset] - entry.offset)
            data = 30 + len(entry.name.encode())
            found[entry.name] = (raw[:26], raw[28:30] + raw[data:])
    return found


def verify_hashes(path: Path) -> None:
    """Check every row of RECORD against the content, as installers do, and the archive with zipfile."""
    contents = read_wheel(path)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        record = f"{contents.dist_info}/RECORD"
        for row in parse_record(archive.read(record)):
            if row.path != record:
                assert row == content_row(row.path, archive.read(row.path))


def test_labels(tmp_path: Path) -> None:
    source = make_wheel(tmp_path, "demo-1.0-1-py3-none-any.whl")
    made = label(source, tmp_path / "out")
    assert made == tmp_path / "out/demo-1.0-1-py3-none-any-cu128.whl"
    verify_hashes(made)
    document = read_wheel(made).document
    assert document is not None
    assert document.variants == {"cu128": {"nvidia": {"cuda_version_lower_bound": ("12.8",)}}}
    assert set(document.providers or ()) == {"nvidia", "amd"}, "complete, so that documents merge"
    with zipfile.ZipFile(made) as archive, zipfile.ZipFile(source) as before:
        *others, added, record = archive.infolist()
        assert (added.filename, record.filename) == (f"{INFO}/variant.json", f"{INFO}/RECORD")
        old = before.getinfo(f"{INFO}/RECORD")
        for entry in (added, record):
            assert (entry.date_time, entry.external_attr) == (old.date_time, old.external_attr)
        rows = archive.read(record).decode().splitlines()
        assert rows[:-2] == before.read(old).decode().splitlines()[:-1]
        assert len(others) == len(before.infolist()) - 1


def test_all_before_record_stays_where_it_is(tmp_path: Path) -> None:
    source = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl")
    with Archive(source) as archive:
        prefix = archive.entries[f"{INFO}/RECORD"].offset
    made = label(source, tmp_path / "out")
    assert made.read_bytes()[:prefix] == source.read_bytes()[:prefix]


def test_equal_input_gives_equal_bytes(tmp_path: Path) -> None:
    source = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl")
    first, second = label(source, tmp_path / "a"), label(source, tmp_path / "b")
    assert first.read_bytes() == second.read_bytes()


def test_there_and_back(tmp_path: Path) -> None:
    source = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl")
    made = unlabel_wheel(label(source, tmp_path / "out"), tmp_path / "back")
    assert made.name == source.name
    verify_hashes(made)
    with zipfile.ZipFile(made) as now, zipfile.ZipFile(source) as before:
        assert {name: now.read(name) for name in now.namelist()} == {
            name: before.read(name) for name in before.namelist()
        }
    assert label(made, tmp_path / "again").read_bytes() == (tmp_path / "out" / label_name()).read_bytes()


def label_name() -> str:
    return "demo-1.0-py3-none-any-cu128.whl"


def test_null_and_derived_labels(tmp_path: Path) -> None:
    source = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl")
    null = label_wheel(source, [], label=None, settings=SETTINGS, out=tmp_path)
    derived = label_wheel(source, CUDA, label=None, settings=SETTINGS, out=tmp_path)
    assert (read_wheel(null).label, read_wheel(derived).label) == ("null", "f839a2dd")


@pytest.mark.parametrize(
    ("properties", "wanted", "rule"),
    [
        (CUDA, "null", "the label null is for the variant without properties"),
        ([], "cu128", "the label cu128 has no properties"),
        (CUDA, "CU128", "not made of 0-9 a-z _ ."),
        (CUDA, "", "not made of 0-9 a-z _ ."),
        (CUDA, "../x", "not made of 0-9 a-z _ ."),
    ],
)
def test_refuses_labels_that_do_not_fit(properties: list[Property], wanted: str, rule: str) -> None:
    with pytest.raises(WheelError, match=rule):
        variant_label(properties, wanted)


def test_refuses_a_namespace_without_provider(tmp_path: Path) -> None:
    source = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl")
    with pytest.raises(SettingsError, match=r"add a table \[variant.providers.x86_64\]"):
        label_wheel(source, [Property("x86_64", "level", "v3")], label=None, settings=SETTINGS, out=tmp_path)


def test_refuses_labelled_unlabelled_and_signed(tmp_path: Path) -> None:
    source = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl")
    with pytest.raises(WheelError, match="has the label cu128 already"):
        label(label(source, tmp_path), tmp_path)
    with pytest.raises(WheelError, match="has no label to take away"):
        unlabel_wheel(source, tmp_path)
    signed = make_wheel(tmp_path, source.name, files={f"{INFO}/RECORD.jws": b"{}"})
    with pytest.raises(WheelError, match=r"is signed \(RECORD.jws\)"):
        label(signed, tmp_path)


def test_an_existing_file_is_not_replaced_silently(tmp_path: Path) -> None:
    source = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl")
    made = label(source, tmp_path)
    before = made.stat()
    assert label(source, tmp_path) == made
    assert made.stat().st_ino == before.st_ino, "equal bytes: left alone"
    made.write_bytes(b"something else")
    with pytest.raises(WheelError, match="exists with other content; --force replaces it"):
        label(source, tmp_path)
    assert made.read_bytes() == b"something else"
    assert label(source, tmp_path, force=True).stat().st_size == before.st_size
    assert sorted(path.name for path in tmp_path.iterdir()) == [label_name(), source.name]


def test_nothing_is_left_when_writing_fails(tmp_path: Path) -> None:
    source = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl")

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        label_wheel(
            source,
            CUDA,
            label="cu128",
            settings=SETTINGS,
            out=tmp_path / "out",
            verify=False,
            progress=interrupt,
        )
    assert list((tmp_path / "out").iterdir()) == []
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WheelError, match="file: is no folder"):
        label(source, tmp_path / "file")


def test_progress_adds_up_to_the_payload(tmp_path: Path) -> None:
    source = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl")
    steps: list[int] = []
    label_wheel(source, CUDA, label="cu128", settings=SETTINGS, out=tmp_path, progress=steps.append)
    assert sum(steps) > source.stat().st_size / 2


def test_a_record_in_the_middle_moves_to_the_end(tmp_path: Path) -> None:
    """auditwheel leaves RECORD anywhere and ends its lines with CRLF."""
    source = reordered(tmp_path, lambda name: not name.endswith("RECORD"), crlf=True)
    made = label(source, tmp_path / "out")
    verify_hashes(made)
    with zipfile.ZipFile(made) as archive:
        assert archive.namelist()[-1] == f"{INFO}/RECORD"
        record = archive.read(f"{INFO}/RECORD")
        assert record.count(b"\r\n") == record.count(b"\n")
    before, after = raw_entries(source), raw_entries(made)
    for name in before.keys() - {f"{INFO}/RECORD"}:
        assert after[name] == before[name]


def reordered(tmp_path: Path, key: object, *, crlf: bool = False) -> Path:
    path = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl")
    assert callable(key)
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in sorted(archive.namelist(), key=key)}
    if crlf:
        files[f"{INFO}/RECORD"] = files[f"{INFO}/RECORD"].replace(b"\n", b"\r\n")
    path.write_bytes(zip_bytes(files))
    return path


def test_renames_the_project_and_nothing_else(tmp_path: Path) -> None:
    files = {"demo/__init__.py": b"", "demo-1.0.data/scripts/run": b"#!python\n", "demo-1.0.txt": b"x"}
    source = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl", files=files, requires_dist=["demo-extra"])
    made = label(source, tmp_path / "out", rename="My.GPU-plugin")
    assert made.name == "my_gpu_plugin-1.0-py3-none-any-cu128.whl"
    verify_hashes(made)
    before, after = read_wheel(source), read_wheel(made)
    assert after.dist_info == "my_gpu_plugin-1.0.dist-info"
    assert after.metadata == before.metadata.replace(b"Name: demo", b"Name: My.GPU-plugin")
    moved = {name.replace("my_gpu_plugin-1.0", "demo-1.0"): data for name, data in raw_entries(made).items()}
    moved["demo-1.0.txt"] = raw_entries(made)["demo-1.0.txt"]
    for name, raw in raw_entries(source).items():
        if name not in (f"{INFO}/RECORD", f"{INFO}/METADATA"):
            assert moved[name] == raw
    assert "my_gpu_plugin-1.0.data/scripts/run" in raw_entries(made)


@pytest.mark.parametrize("name", ["", "-x", "a/b", "a b", "x\n"])
def test_refuses_names_that_no_project_has(tmp_path: Path, name: str) -> None:
    with pytest.raises(WheelError, match="is not a project name"):
        label(make_wheel(tmp_path, "demo-1.0-py3-none-any.whl"), tmp_path, rename=name)


def test_refuses_a_name_that_is_taken(tmp_path: Path) -> None:
    files = {"demo-1.0.data/data/x": b"", "other-1.0.data/data/x": b""}
    source = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl", files=files)
    with pytest.raises(WheelError, match=r"would hold other-1\.0.data/data/x twice"):
        label(source, tmp_path, rename="other")


def test_refuses_to_grow_beyond_what_it_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl")
    monkeypatch.setattr("variant_index.wheel.rewrite.MAX_ARCHIVE_BYTES", source.stat().st_size)
    with pytest.raises(WheelError, match="would become larger than 4 GiB"):
        label(source, tmp_path)
    assert list(tmp_path.iterdir()) == [source]


def test_refuses_what_is_not_called_like_a_wheel(tmp_path: Path) -> None:
    with pytest.raises(WheelError, match=r"a wheel's name ends in \.whl"):
        label(make_wheel(tmp_path, "demo-1.0-py3-none-any.whl").rename(tmp_path / "x.zip"), tmp_path)


def test_says_what_is_not_there_or_no_file(tmp_path: Path) -> None:
    with pytest.raises(WheelError, match=r"nope\.whl: there is no such file"):
        label(tmp_path / "nope.whl", tmp_path)
    with pytest.raises(WheelError, match="is a folder; name the wheels in it"):
        label(tmp_path, tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WheelError, match="is no folder and cannot be made one"):
        label(make_wheel(tmp_path, "demo-1.0-py3-none-any.whl"), tmp_path / "file")


def test_refuses_what_build_refuses(tmp_path: Path) -> None:
    source = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl", files={"demo.py": b"x" * 99})
    with zipfile.ZipFile(source) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    source.write_bytes(zip_bytes({**files, "demo.py": b"y" * 99}))
    with pytest.raises(WheelError, match=r"RECORD states another sha256 for demo\.py") as caught:
        label(source, tmp_path / "out")
    assert caught.value.rule == "WHL307"
    other = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl").rename(tmp_path / "demo-1.0-py2-none-any.whl")
    with pytest.raises(WheelError, match="the tags in its WHEEL file") as caught:
        label(other, tmp_path / "out")
    assert caught.value.rule == "WHL206"
    assert not (tmp_path / "out").exists()


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    files=st.dictionaries(
        st.text("ab,\"'ä /.", min_size=1, max_size=6).filter(
            lambda name: all(part not in ("", ".", "..") for part in name.split("/"))
        ),
        st.binary(max_size=100),
        max_size=5,
    ),
    method=st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
    record_at=st.integers(0, 8),
    rename=st.sampled_from([None, "demo", "other"]),
)
def test_round_trips_of_any_archive(
    tmp_path: Path, files: Mapping[str, bytes], method: int, record_at: int, rename: str | None
) -> None:
    metadata = {f"{INFO}/METADATA": b"Name: demo\nVersion: 1.0\n", f"{INFO}/WHEEL": WHEEL}
    content = {**files, **metadata}
    rows = [content_row(name, data) for name, data in content.items()]
    record = render_rows(rows, "\n") + f"{INFO}/RECORD,,\n".encode()
    source = tmp_path / "demo-1.0-py3-none-any.whl"
    entries = list(content.items())
    entries.insert(record_at, (f"{INFO}/RECORD", record))
    with zipfile.ZipFile(source, "w", method) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    labelled = label(source, tmp_path / "out", rename=rename, force=True)
    verify_hashes(labelled)
    back = unlabel_wheel(labelled, tmp_path / "back", force=True)
    verify_hashes(back)
    if rename is None:
        with zipfile.ZipFile(back) as archive:
            assert {name: archive.read(name) for name in archive.namelist()} == dict(entries)
    before, after = raw_entries(source), raw_entries(back)
    for name in files:
        assert after[name] == before[name]


def test_large_ranges_are_copied_whole(tmp_path: Path) -> None:
    """More than one chunk and more than one write; the copy does not depend on the kernel's help."""
    source = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl", files={"big.bin": os.urandom(1 << 20)})
    made = label(source, tmp_path / "out")
    script = (
        "import os, sys; del os.copy_file_range; del os.pread\n"
        "from pathlib import Path\n"
        "from variant_index.model.properties import Property\n"
        "from variant_index.model.settings import VariantSettings\n"
        "from variant_index.wheel import rewrite\n"
        "from variant_index.wheel.relabel import label_wheel\n"
        "rewrite._CHUNK = 1000\n"
        "label_wheel(Path(sys.argv[1]), [Property('nvidia', 'cuda_version_lower_bound', '12.8')],\n"
        "    label='cu128', settings=VariantSettings.default(), out=Path(sys.argv[2]))\n"
    )
    subprocess.run([sys.executable, "-c", script, str(source), str(tmp_path / "plain")], check=True)
    assert (tmp_path / "plain" / made.name).read_bytes() == made.read_bytes()
