from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.making import make_wheel
from variant_index.model.repack_report import RepackReport
from variant_index.model.rules import RULES
from variant_index.repack.load import BUILT_IN

TAGS = "cp312-cp312-linux_x86_64"


def run(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "variant_index.cli", "repack", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=cwd,
    )


def make_builds(folder: Path) -> None:
    for backend in ("cu126", "cpu"):
        make_wheel(folder, f"torch-2.9.0+{backend}-{TAGS}.whl", requires_dist=["filelock"])


def test_a_dry_run_prints_the_plan_and_writes_nothing(tmp_path: Path) -> None:
    make_builds(tmp_path / "whl")
    done = run("whl", "--out", "out", "--dry-run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"whl/torch-2.9.0+cpu-{TAGS}.whl    (plain)  torch-2.9.0-{TAGS}.whl        planned",
        f"whl/torch-2.9.0+cu126-{TAGS}.whl  cu126    torch-2.9.0-{TAGS}-cu126.whl  planned",
        "    nvidia :: cuda_version_lower_bound :: 12.0",
        "    nvidia :: sm_arch :: 50_real | 60_real | 70_real | 75_real | 80_real | 86_real | 90_real",
        "    priority :: order :: cu126",
    ]
    assert not (tmp_path / "out").exists()
    report = RepackReport.model_validate_json(
        run(tmp_path, "--out", tmp_path / "o", "--dry-run", "--json").stdout
    )
    assert report.dry_run


def test_a_run_and_a_second_one(tmp_path: Path) -> None:
    make_builds(tmp_path / "whl")
    for state in ("written", "done", "done"):
        done = run("whl", "--out", "out", "--json", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        report = RepackReport.model_validate_json(done.stdout)
        assert [(file.label, file.state) for wheel in report.wheels for file in wheel.files] == [
            ("", state),
            ("cu126", state),
        ]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "repack.jsonl",
        f"torch-2.9.0-{TAGS}-cu126.whl",
        f"torch-2.9.0-{TAGS}.whl",
    ]


def test_the_output_may_lie_in_the_input(tmp_path: Path) -> None:
    make_builds(tmp_path)
    for _ in range(2):
        done = run(".", "--out", "wheels", cwd=tmp_path)
        assert done.returncode == 0, done.stderr


def test_a_batch_goes_on_and_ends_with_the_list(tmp_path: Path) -> None:
    make_builds(tmp_path / "whl")
    (tmp_path / "whl" / f"torch-2.9.0+xpu-{TAGS}.whl").write_bytes(b"no zip")
    make_wheel(tmp_path / "whl", f"numpy-2.0-{TAGS}.whl")
    make_wheel(tmp_path / "whl", "triton-3.5.0-py3-none-any.whl")
    done = run("whl", "--out", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "left out: whl/triton-3.5.0-py3-none-any.whl: is built once for all backends; publish it as it is",
        f"error: whl/numpy-2.0-{TAGS}.whl: no rule fits; add one, or one that skips it with the reason",
        f"error: whl/torch-2.9.0+xpu-{TAGS}.whl: not a complete zip archive (truncated?) (WHL101): "
        f"{RULES['WHL101'].remedy}",
        "2 of 5 wheels were not repacked",
    ]
    assert len(list((tmp_path / "out").glob("*.whl"))) == 2


def test_rules_of_ones_own(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, f"demo_gpu12-1.0-{TAGS}.whl")
    rules = tmp_path / "rules.toml"
    rules.write_text(
        '[[rule]]\nname = "demo-gpu{cuda}"\nproject = "demo"\nlabel = "gpu{cuda}"\n'
        'properties = "nvidia :: cuda_version_lower_bound :: {cuda.major}.0"\n'
    )
    done = run(wheel, "--out", tmp_path / "out", "--rules", rules)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / f"demo-1.0-{TAGS}-gpu12.whl").is_file()
    rules.write_text("[[rule]]")
    wrong = run(wheel, "--out", tmp_path / "out", "--rules", rules)
    assert (wrong.returncode, wrong.stderr) == (
        2,
        f"error: {rules}: rule 1: needs a label, default = true or both; "
        "or skip with the reason, and neither\n",
    )


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["nope.whl", "--out", "o"], "error: nope.whl: there is no such file or folder"),
        ([".", "--out", "o"], "error: .: no wheels there\n"),
        ([".", "--out", "."], "error: .: no wheels there but those in --out"),
        (["file", "--out", "o"], "error: file: a wheel's name ends in .whl"),
        ([".", "--out", "file"], "'file' is a file"),
        ([".", "--out", "o", "--rules", "nope"], "error: nope: No such file or directory"),
        (["--print-rules", "nope"], "there are pytorch, torch-extension, cupy, jax"),
    ],
)
def test_wrong_usage_is_told(tmp_path: Path, arguments: list[str], problem: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert problem in done.stderr
    assert "Traceback" not in done.stderr


def test_built_in_rules_can_be_printed_and_used(tmp_path: Path) -> None:
    make_builds(tmp_path)
    for name in BUILT_IN:
        (tmp_path / f"{name}.toml").write_text(run("--print-rules", name).stdout)
    options = [word for name in BUILT_IN for word in ("--rules", f"{name}.toml")]
    mine = run(*tmp_path.glob("*.whl"), "--out", "out", "--dry-run", "--json", *options, cwd=tmp_path)
    built_in = run(*tmp_path.glob("*.whl"), "--out", "out", "--dry-run", "--json", cwd=tmp_path)
    assert mine.returncode == 0, mine.stderr
    one, other = (json.loads(done.stdout)["wheels"] for done in (mine, built_in))
    assert [wheel["files"] for wheel in one] == [wheel["files"] for wheel in other]


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_for_terminals(tmp_path: Path, terminal: bool) -> None:
    make_builds(tmp_path)
    leader, follower = pty.openpty()
    command = [
        sys.executable,
        "-m",
        "variant_index.cli",
        "repack",
        str(tmp_path),
        "--out",
        str(tmp_path / "o"),
    ]
    done = subprocess.run(command, stderr=follower if terminal else subprocess.PIPE, timeout=60)
    os.close(follower)
    shown = os.read(leader, 10_000) if terminal else done.stderr
    os.close(leader)
    assert (b"Repacking" in shown) == terminal
    assert done.returncode == 0


def test_help_has_examples() -> None:
    assert "variant-index repack whl/cu126 whl/cu130 whl/cpu --out wheels --dry-run" in run("--help").stdout
