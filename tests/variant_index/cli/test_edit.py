"""`variant-index add`, `remove` and `yank` as a user runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from tests.making import make_wheel
from tests.variant_index.publish.family import CU128, CU130, make_family, make_variant
from variant_index.model.build_report import BuildReport
from variant_index.model.edit_report import EditReport
from variant_index.publish.build import build_index

_PROGRAM = [sys.executable, "-c", "from variant_index.cli import main; raise SystemExit(main())"]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    build_index([make_family(tmp_path / "in")], tmp_path / "out", now="2026-01-01T00:00:00Z")
    return tmp_path / "out"


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*_PROGRAM, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1767225600"},
        timeout=60,
    )


def test_a_wheel_is_added_yanked_and_removed(out: Path, tmp_path: Path) -> None:
    wheel = make_variant(tmp_path, "vdemo-2.0-py3-none-any-cu129.whl", CU128)
    added = run("add", wheel, "--out", out)
    assert (added.returncode, added.stdout) == (
        0,
        "vdemo 2.0: 5 wheels, vdemo-2.0-variants.json (3 files written)\n",
    )
    assert run("add", wheel, "--out", out).stdout == "1 release up to date\n"
    yanked = run("yank", "vdemo==2.0", "--out", out, "--reason", "broken")
    assert (yanked.returncode, yanked.stdout) == (0, "vdemo 2.0: 5 files yanked\n")
    page = (out / "simple/vdemo/index.html").read_text()
    assert page.count('data-yanked="broken"') == 5
    undone = run("yank", "vdemo==2.0", "--out", out, "--undo")
    assert undone.stdout == "vdemo 2.0: 5 files no longer yanked\n"
    removed = run("remove", wheel.name, "vdemo==1.0", "--out", out, "--json")
    report = EditReport.model_validate_json(removed.stdout)
    assert [(release.version, release.files) for release in report.releases] == [
        ("2.0", [wheel.name]),
        ("1.0", ["vdemo-1.0-py3-none-any.whl"]),
    ]


def test_what_does_not_fit_is_refused(out: Path, tmp_path: Path) -> None:
    bad = make_variant(tmp_path, "vdemo-2.0-cp312-cp312-linux_x86_64-cu128.whl", CU130)
    good = make_wheel(tmp_path, "new-1.0-py3-none-any.whl")
    done = run("add", bad, good, "--out", out, "--json")
    assert done.returncode == 2
    assert [release.name for release in TypeAdapter(BuildReport).validate_json(done.stdout).releases] == [
        "new"
    ]
    (line,) = done.stderr.splitlines()
    assert line.startswith("refused: ")
    assert line.endswith("(REL001)")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["remove", "vdemo==9", "--out", "OUT"], "does not list it"),
        (["yank", "vdemo", "--out", "OUT"], "give NAME==VERSION"),
        (["yank", "vdemo==1.0", "--out", "OUT/nothing"], "no index here"),
        (["remove", "vdemo==1.0", "--out", "OUT/nothing"], "no index here"),
        (["add", "OUT/nothing.whl", "--out", "OUT"], "no such file"),
        (["yank", "vdemo==1.0", "--out", "OUT", "--reason", "a\nb"], "one line"),
    ],
)
def test_bad_usage_is_one_line_and_status_2(out: Path, arguments: list[str], message: str) -> None:
    done = run(*(argument.replace("OUT", str(out)) for argument in arguments))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line


def test_undo_has_no_reason(out: Path) -> None:
    done = run("yank", "vdemo==1.0", "--out", out, "--undo", "--reason", "x")
    assert done.returncode == 2
    assert "--reason is not for --undo" in done.stderr


@pytest.mark.parametrize("command", ["add", "remove", "yank"])
def test_help_has_examples(command: str) -> None:
    assert "Examples:" in run(command, "--help").stdout


def test_a_folder_that_is_also_the_input(tmp_path: Path) -> None:
    make_family(tmp_path / "w")
    for _ in range(2):
        done = run("build", tmp_path / "w", "--out", tmp_path / "w", "--no-cache")
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        assert "is also the input" in line
    assert not (tmp_path / "w" / "simple").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_cannot_be_written(out: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*_PROGRAM, "yank", "vdemo==1.0", "--out", str(out)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "No space left on device" in line
