"""`variant-index build` as a user runs it: a process, its streams and its exit status."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from tests.making import make_wheel
from tests.variant_index.publish.family import CU130, make_family, make_variant
from variant_index.model.build_report import BuildReport
from variant_index.model.rules import RULES

_PROGRAM = [sys.executable, "-c", "from variant_index.cli import main; raise SystemExit(main())", "build"]


@pytest.fixture(autouse=True)
def _no_notes_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*_PROGRAM, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1767225600", **environment},
        timeout=60,
    )


def test_a_build_prints_one_line_a_release(tmp_path: Path) -> None:
    make_family(tmp_path / "in")
    time.sleep(0.2)  # files that have just been written may change once more without showing it
    done = run(tmp_path / "in", "--out", tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "vdemo 1.0: 1 wheel (2 files written)",
        "vdemo 2.0: 4 wheels, vdemo-2.0-variants.json (9 files written)",
    ]
    again = run(tmp_path / "in", "--out", tmp_path / "out")
    assert again.stdout == "2 releases up to date\n"
    read = run(tmp_path / "in", "--out", tmp_path / "out", "--no-cache")
    assert read.stdout == again.stdout
    report = run(tmp_path / "in", "--out", tmp_path / "out", "--json").stdout
    assert [len(release.files) for release in TypeAdapter(BuildReport).validate_json(report).releases] == [
        2,
        9,
    ]


def test_a_release_without_wheels_has_no_line_about_wheels(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "b-1.0.tar.gz").write_bytes(b"sources")
    done = run(tmp_path / "in", "--out", tmp_path / "out")
    assert done.stdout == "b 1.0: 1 source distribution (1 file written)\n"
    make_wheel(tmp_path / "in", "b-1.0-py3-none-any.whl")
    done = run(tmp_path / "in", "--out", tmp_path / "out")
    assert done.stdout == "b 1.0: 1 wheel, 1 source distribution (2 files written)\n"


def test_json_is_the_report(tmp_path: Path) -> None:
    make_family(tmp_path / "in", default=False)
    done = run(tmp_path / "in", "--out", tmp_path / "out", "--json")
    report = TypeAdapter(BuildReport).validate_json(done.stdout)
    assert [release.version for release in report.releases] == ["1.0", "2.0"]
    assert report.releases[1].default_wheel is None
    assert done.returncode == 0
    (warning,) = done.stderr.splitlines()
    assert warning == f"warning: {report.releases[1].warnings[0]}"
    assert "vdemo 2.0: no plain wheel" in warning


def test_a_refused_release_is_named_and_the_others_published(tmp_path: Path) -> None:
    make_family(tmp_path / "in")
    make_variant(tmp_path / "in", "vdemo-2.0-cp312-cp312-linux_x86_64-cu128.whl", CU130)
    (tmp_path / "in" / "x-1-py3-none-any-\x1b[31m.whl").write_bytes(b"")
    done = run(tmp_path / "in", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert done.stdout == "vdemo 1.0: 1 wheel (2 files written)\n"
    refused, remedies = done.stderr.splitlines()[:2], done.stderr.splitlines()[2:]
    assert remedies == ["What to do:", *(f"  {code}  {RULES[code].remedy}" for code in ("REL001", "WHL002"))]
    assert all(line.startswith("refused: ") and line.isprintable() for line in refused)
    assert "disagree: label 'cu128' has other properties" in done.stderr
    assert {line[-8:] for line in refused} == {"(WHL002)", "(REL001)"}


def test_of_two_files_with_one_name_the_refused_one_is_told_by_its_path(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        wheel = make_wheel(tmp_path / folder, "vdemo-1.0-py3-none-any.whl")
    wheel.write_bytes(wheel.read_bytes()[:-1])
    done = run(tmp_path / "a", tmp_path / "b", "--out", tmp_path / "out")
    assert done.stderr.startswith(f"refused: {wheel}: not a complete zip archive")
    (tmp_path / "b").rename(tmp_path / "bad")
    done = run(tmp_path / "a", tmp_path / "bad", "--out", tmp_path / "out", "--json")
    assert done.stderr.startswith(f"refused: {tmp_path}/bad/{wheel.name}: not a complete zip archive")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing"], "missing"),
        (["in", "--default-from", "A B"], "is not a label"),
        (["empty"], "no wheels found"),
    ],
)
def test_bad_usage_is_one_line_and_status_2(tmp_path: Path, arguments: list[str], message: str) -> None:
    make_family(tmp_path / "in")
    (tmp_path / "empty").mkdir()
    done = run(tmp_path / arguments[0], *arguments[1:], "--out", tmp_path / "out")
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    make_family(tmp_path / "in")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "simple").write_bytes(b"")
    done = run(tmp_path / "in", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_bad_clock(tmp_path: Path) -> None:
    make_family(tmp_path / "in")
    done = run(tmp_path / "in", "--out", tmp_path / "out", SOURCE_DATE_EPOCH="soon")
    assert done.returncode == 2
    assert "SOURCE_DATE_EPOCH='soon'" in done.stderr


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_a_terminal_gets_bars_and_colours_unless_told_not_to(
    tmp_path: Path, no_color: str, coloured: bool
) -> None:
    make_family(tmp_path / "in", default=False)
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [*_PROGRAM, str(tmp_path / "in"), "--out", str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "NO_COLOR": no_color, "TERM": "xterm"},
        timeout=60,
    )
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:
        pass  # Linux's end of a terminal
    os.close(ours)
    assert done.returncode == 0
    assert b"reading" in shown
    assert (b"\x1b[33mwarning" in shown) == coloured


def test_help_has_examples() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert "Examples:" in done.stdout
    assert "--default-from" in done.stdout
