"""The bad-wheel catalogue: every case ends in one line that names the file and the rule."""

from __future__ import annotations

import json
import struct
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.making import document, make_wheel, zip_bytes
from variant_index.wheel.archive import Archive, WheelError
from variant_index.wheel.read import read_wheel
from variant_index.wheel.record import content_row, render_rows

NAME = "demo-1.0-py3-none-any.whl"
INFO = "demo-1.0.dist-info"
CU128 = {"cu128": {"nvidia": {"cuda_version_lower_bound": ["12.8"]}}}


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def changed(tmp_path: Path, changes: Mapping[str, bytes | None], *, record: bool = True) -> Path:
    """Make the plain wheel with files replaced, added or (None) removed, and RECORD brought up to date."""
    path = make_wheel(tmp_path, NAME)
    files: dict[str, bytes | None] = {**contents(path), **changes}
    kept = {name: data for name, data in files.items() if data is not None}
    if record and f"{INFO}/RECORD" not in changes:
        record_name = f"{INFO}/RECORD"
        del kept[record_name]
        rows = [content_row(name, data) for name, data in kept.items()]
        kept[record_name] = render_rows(rows, "\n") + f"{record_name},,\n".encode()
    path.write_bytes(zip_bytes(kept))
    return path


def refused(path: Path) -> str:
    with pytest.raises(WheelError) as caught:
        read_wheel(path)
    message = str(caught.value)
    assert message.startswith(path.name[:100])
    assert message.isprintable()
    return message


def test_reads_a_plain_wheel(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, NAME, requires_python=">=3.10")
    wheel = read_wheel(path)
    assert wheel.metadata == contents(path)[f"{INFO}/METADATA"]
    assert (wheel.label, wheel.document, wheel.requires_python) == ("", None, ">=3.10")
    assert (wheel.dist_info, wheel.size, wheel.findings) == (INFO, path.stat().st_size, ())


def test_reads_a_variant_wheel(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, "demo-1.0-py3-none-any-cu128.whl", variant_json=document(CU128))
    wheel = read_wheel(path)
    assert wheel.document is not None
    assert wheel.document.model_dump(mode="json")["variants"] == CU128


def test_a_wheel_crosses_processes(tmp_path: Path) -> None:
    import pickle

    path = make_wheel(tmp_path, "demo-1.0-py3-none-any-cu128.whl", variant_json=document(CU128))
    wheel = read_wheel(path)
    assert pickle.loads(pickle.dumps(wheel)) == wheel


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({f"{INFO}/METADATA": None}, "has no demo-1.0.dist-info/METADATA"),
        ({f"{INFO}/WHEEL": None}, "has no demo-1.0.dist-info/WHEEL"),
        ({f"{INFO}/RECORD": None}, "has no demo-1.0.dist-info/RECORD"),
        ({"other-1.0.dist-info/METADATA": b""}, "several .dist-info folders"),
        ({f"{INFO}/METADATA": b"Name: other\nVersion: 1.0\n\n"}, "METADATA is for 'other'"),
        ({f"{INFO}/METADATA": b"Name: demo\nVersion: 2.0\n\n"}, "METADATA is for version '2.0'"),
        ({f"{INFO}/METADATA": b"Name: demo\n\nVersion: 1.0\n"}, "METADATA has no Version"),
        ({f"{INFO}/METADATA": b"Name: demo\nName: x\nVersion: 1.0\n"}, "more than one Name"),
        ({f"{INFO}/METADATA": b"\xef\xbb\xbfName: demo\nVersion: 1.0\n"}, "not of the form 'Name: value'"),
        ({f"{INFO}/METADATA": b"Name: demo\rName: x\nVersion: 1.0\n"}, "control characters"),
        ({f"{INFO}/METADATA": b"Name: \xff\nVersion: 1.0\n"}, "not UTF-8"),
        ({f"{INFO}/METADATA": b" Name: demo\nVersion: 1.0\n"}, "begins with a blank"),
        ({f"{INFO}/METADATA": b"Name: demo\nVersion: 1.0\nRequires-Python: >\n =3\n"}, "control characters"),
        ({f"{INFO}/METADATA": b"Name: demo\nVersion: %s\n" % (b"9" * 5000)}, "more than 1000 digits"),
        (
            {f"{INFO}/METADATA": b"Name: demo\nVersion: 1.0\nRequires-Python: >=%s\n" % (b"9" * 5000)},
            "digits",
        ),
        ({f"{INFO}/METADATA": b"Name: demo\nVersion: x\n"}, "METADATA is for version 'x'"),
        ({f"{INFO}/WHEEL": b"Tag: \xff\n"}, "WHEEL: its headers are not UTF-8"),
        ({f"{INFO}/entry_points.txt": b"\xff"}, "entry_points.txt is not UTF-8"),
        ({f"{INFO}/WHEEL": b"Wheel-Version: 2.0\n"}, "format version '2.0' is not known"),
        ({f"{INFO}/entry_points.txt": b"[console_scripts]\n../../pwn = demo:x\n"}, "'../../pwn' is a path"),
        ({f"{INFO}/variant.json": json.dumps(document(CU128)).encode()}, "'wheel pack' drops the label"),
        ({"../../x": b""}, "'../../x' is not a plain relative path"),
        ({"/etc/x": b""}, "'/etc/x' is not a plain relative path"),
        ({"c:/x": b""}, "'c:/x' is not a plain relative path"),
        ({"a\\b": b""}, "is not a plain relative path"),
        ({"a//b": b""}, "is not a plain relative path"),
        ({"./b": b""}, "is not a plain relative path"),
        ({"a/..": b""}, "is not a plain relative path"),
        ({"a\nb": b""}, "is not a plain relative path"),
        ({"a\x7fb": b""}, "is not a plain relative path"),
        ({"a": b"", "a/": b""}, "holds a/ twice"),
    ],
)
def test_refuses_wrong_content(tmp_path: Path, changes: dict[str, bytes | None], rule: str) -> None:
    assert rule in refused(changed(tmp_path, changes))


def test_refuses_a_wheel_without_metadata_folder(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(zip_bytes({"demo.py": b""}))
    assert "has no .dist-info folder" in refused(path)


def test_refuses_a_folder_of_another_project(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, NAME).rename(tmp_path / "other-1.0-py3-none-any.whl")
    assert "does not belong to this file name" in refused(path)


@pytest.mark.parametrize(
    ("edit", "rule"),
    [
        (lambda rows: rows[1:], "RECORD does not list demo.py"),
        (lambda rows: rows[:-1], "RECORD does not list demo-1.0.dist-info/RECORD"),
        (lambda rows: [*rows, "gone.py,sha256=x,1"], "RECORD lists gone.py, which is not in the wheel"),
        (lambda rows: [*rows, "../../../x,sha256=x,1"], "RECORD lists ../../../x, which is not"),
        (lambda rows: [*rows, rows[0]], "RECORD lists demo.py twice"),
        (lambda rows: ["demo.py,,", *rows[1:]], "no SHA-256, 384 or 512 hash for demo.py"),
        (lambda rows: ["demo.py,md5=abc,", *rows[1:]], "no SHA-256, 384 or 512 hash for demo.py"),
        (lambda rows: ["demo.py,sha256=x,7", *rows[1:]], "another size for demo.py"),
        (lambda rows: ["demo.py", *rows[1:]], "three columns"),
        (lambda rows: ['"demo.py,sha256=x,', *rows[1:]], "RECORD is not a table"),
        (lambda rows: ["\udcff", *rows], "RECORD is not UTF-8"),
    ],
)
def test_refuses_a_wrong_record(tmp_path: Path, edit: Callable[[list[str]], list[str]], rule: str) -> None:
    rows = contents(make_wheel(tmp_path, NAME))[f"{INFO}/RECORD"].decode().splitlines()
    text = "\n".join(edit(rows)).encode(errors="surrogateescape")
    assert rule in refused(changed(tmp_path, {f"{INFO}/RECORD": text}))


def test_signatures_need_no_row(tmp_path: Path) -> None:
    read_wheel(changed(tmp_path, {f"{INFO}/RECORD.jws": b"{}"}, record=False))


LABELLED = "demo-1.0-py3-none-any-cu128.whl"
GOOD = document(CU128)


@pytest.mark.parametrize(
    ("filename", "variant_json", "rule"),
    [
        (LABELLED, None, "has the label cu128, but the wheel has no variant.json"),
        (LABELLED, document({**CU128, "null": {}}), "the label cu128 of the file name and nothing else"),
        (LABELLED, document({}), "the label cu128 of the file name and nothing else"),
        (LABELLED, document({"cu126": CU128["cu128"]}), "the label cu128 of the file name and nothing else"),
        ("demo-1.0-py3-none-any-null.whl", document({"null": CU128["cu128"]}), "null"),
        (LABELLED, document({"cu128": {"nvidia": {}}}), "variants.cu128.nvidia"),
        (LABELLED, document({"cu128": {"nvidia": {"x": []}}}), "variants.cu128.nvidia.x"),
        (LABELLED, document({"cu128": {"nvidia": {"x": ["1", "1"]}}}), "listed twice"),
        (LABELLED, document({"cu128": {"nvidia": {"x": ["A"]}}}), "variants.cu128.nvidia.x"),
        (LABELLED, document({"cu128": {"x86_64": {"level": ["v3"]}}}), "x86_64 is not in default-priorities"),
        (LABELLED, {**GOOD, "$schema": "https://x/v1.0.0.json"}, "major version 1"),
        (LABELLED, {k: v for k, v in GOOD.items() if k != "$schema"}, "$schema"),
        (LABELLED, b"\xef\xbb\xbf" + json.dumps(GOOD).encode(), "variant.json"),
        (LABELLED, json.dumps(GOOD).encode("utf-16"), "variant.json"),
        (LABELLED, b'{"x": NaN}', "variant.json"),
        (LABELLED, b'{"$schema": "", ' + json.dumps(GOOD).encode()[1:], "appears twice"),
        (LABELLED, b"[" * 100_000, "variant.json"),
        (LABELLED, json.dumps(GOOD).encode() + b" " * (1 << 20), "larger than 1048576 bytes"),
        (
            LABELLED,
            document({"cu128": {"nvidia": {"x": [str(number) for number in range(10_001)]}}}),
            "more than 10000 values",
        ),
    ],
)
def test_refuses_a_wrong_variant(
    tmp_path: Path, filename: str, variant_json: dict[str, object] | bytes | None, rule: str
) -> None:
    assert rule in refused(make_wheel(tmp_path, filename, variant_json=variant_json))


def found(path: Path) -> list[str]:
    findings = read_wheel(path).findings
    assert all(finding.message.startswith(f"{path.name}: ") for finding in findings)
    assert all(finding.path == str(path) for finding in findings)
    return [finding.code for finding in findings]


def test_tells_of_names_that_differ_in_case(tmp_path: Path) -> None:
    assert found(make_wheel(tmp_path, NAME, files={"a": b"", "A": b""})) == ["WHL401"]


@pytest.mark.parametrize(
    "name",
    [
        *(
            "con",
            "a/NUL.txt",
            "a/aux/b",
            "com1.py",
            "x/LPT9",
            "a.",
            "a./b",
            "a ",
            "a /b",
            "a?b",
            "ab:c",
            "x/a|b",
        ),
        *("a/con", 'a"b', "<a", "a*", "prn.tar.gz"),
    ],
)
def test_tells_of_names_that_windows_cannot_store(tmp_path: Path, name: str) -> None:
    path = make_wheel(tmp_path, NAME, files={"x.py": b"", name: b"", "y/z.py": b""})
    (finding,) = read_wheel(path).findings
    assert finding.code == "WHL402"
    assert finding.message.endswith(f"Windows cannot store the name {name!r}")


def test_most_names_can_be_stored(tmp_path: Path) -> None:
    names = ["console.py", "a/b.c.d", "con_.py", "auxx", "a/nulls/b", "com10", ".hidden", "lpt", "x con/y"]
    assert found(make_wheel(tmp_path, NAME, files=dict.fromkeys(names, b""))) == []


def test_tells_of_other_tags(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, NAME).rename(tmp_path / "demo-1.0-py3-none-linux_x86_64.whl")
    assert found(path) == ["WHL206"]


@pytest.mark.parametrize(
    ("wheel_file", "name", "code"),
    [
        ("py3-none-linux_x86_64", "py3-none-manylinux2014_x86_64", "WHL208"),
        ("py3-none-linux_x86_64", "py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64", "WHL208"),
        ("py3-none-linux_aarch64", "py3-none-musllinux_1_2_aarch64", "WHL208"),
        ("py2.py3-none-linux_x86_64", "py2.py3-none-manylinux1_x86_64", "WHL208"),
        (
            "py3-none-linux_x86_64.manylinux2014_x86_64",
            "py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64",
            "WHL208",
        ),
        ("py3-none-linux_aarch64", "py3-none-manylinux2014_x86_64", "WHL206"),
        ("py3-none-linux_x86_64", "py2.py3-none-manylinux2014_x86_64", "WHL206"),
        ("py2.py3-none-linux_x86_64", "py3-none-manylinux2014_x86_64", "WHL206"),
        ("py3-none-manylinux2014_x86_64", "py3-none-manylinux_2_17_x86_64", "WHL206"),
        ("py3-none-manylinux2014_x86_64", "py3-none-linux_x86_64", "WHL206"),
        ("py3-none-linux_x86_64", "py3-none-any", "WHL206"),
        ("py3-none-linux_x86_64.any", "py3-none-manylinux2014_x86_64", "WHL206"),
        ("nonsense", "py3-none-any", "WHL206"),
        (".".join("a" * 100_000) + "-" + ".".join("b" * 100_000) + "-c", "py3-none-any", "WHL206"),
    ],
)
def test_a_renamed_wheel_is_no_contradiction(tmp_path: Path, wheel_file: str, name: str, code: str) -> None:
    path = changed(tmp_path, {f"{INFO}/WHEEL": f"Wheel-Version: 1.0\nTag: {wheel_file}\n".encode()})
    assert found(path.rename(tmp_path / f"demo-1.0-{name}.whl")) == [code]


def test_compressed_tags_are_the_expanded_ones(tmp_path: Path) -> None:
    assert found(make_wheel(tmp_path, "demo-1.0-py2.py3-none-any.whl")) == []


@pytest.mark.parametrize("release", ["Demo-1.0", "de.mo-1.0", "demo-1.0RC1", "demo-01.0"])
def test_tells_of_names_not_in_normal_form(tmp_path: Path, release: str) -> None:
    assert found(make_wheel(tmp_path, f"{release}-py3-none-any.whl")) == ["WHL003"]


def test_tells_of_odd_variants(tmp_path: Path) -> None:
    assert found(make_wheel(tmp_path, LABELLED, variant_json=document({"cu128": {}}))) == ["VAR007"]
    unsorted = document({"cu128": {"nvidia": {"sm_arch": ["90_real", "80_real"]}}})
    assert found(make_wheel(tmp_path, LABELLED, variant_json=unsorted)) == ["VAR011"]


@settings(
    max_examples=400,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_damage_gives_a_wheel_error_or_nothing(tmp_path: Path, data: st.DataObject) -> None:
    good = make_wheel(tmp_path, LABELLED, variant_json=GOOD)
    damaged = bytearray(good.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        # The central directory decides most: hit it as often as everything else.
        place = place if data.draw(st.booleans()) else max(place, damaged.rfind(b"PK\x01\x02"))
        damaged[place] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del damaged[data.draw(st.integers(0, len(damaged))) :]
    good.write_bytes(damaged)
    try:
        read_wheel(good)
    except WheelError as error:
        message = str(error)
    else:
        return
    assert message.startswith(LABELLED)
    assert message.isprintable()


@settings(
    max_examples=200,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(noise=st.binary(max_size=200))
def test_noise_gives_a_wheel_error(tmp_path: Path, noise: bytes) -> None:
    path = tmp_path / NAME
    path.write_bytes(noise)
    refused(path)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("x.zip", "a wheel's name ends in .whl"),
        ("demo-1.0.whl", "5 to 7 parts"),
        (LABELLED, "no variant.json"),
    ],
)
def test_refuses_other_names(tmp_path: Path, name: str, rule: str) -> None:
    assert rule in refused(make_wheel(tmp_path, NAME).rename(tmp_path / name))


def test_refuses_what_is_not_there(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / NAME)


def test_refuses_a_folder(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    assert "not a file" in refused(tmp_path / NAME)


@pytest.mark.parametrize(
    "changes",
    [
        {f"{INFO}/METADATA": b"Name: demo\nVersion: 1.0\nX:\n" + b" x\n" * 2_000_000},
        {f"{INFO}/METADATA": b"Name: demo\nVersion: 1.0\n" + b"X:\n" * 2_000_000},
        {f"{INFO}/entry_points.txt": b"x" * 1_000_000},
    ],
)
def test_long_files_take_linear_time(tmp_path: Path, changes: dict[str, bytes | None]) -> None:
    path = changed(tmp_path, changes)
    start = time.thread_time()
    read_wheel(path)
    assert time.thread_time() - start < 60


def test_the_payload_is_not_read(tmp_path: Path) -> None:
    """A damaged payload is the hash check's business; reading stays independent of the wheel's size."""
    path = make_wheel(tmp_path, NAME, files={"demo.py": b"abc"})
    with Archive(path) as archive:
        place = archive.entries["demo.py"].offset + struct.calcsize("<4s5H3L2H") + len("demo.py")
    damaged = bytearray(path.read_bytes())
    damaged[place] ^= 0xFF
    path.write_bytes(damaged)
    read_wheel(path)
