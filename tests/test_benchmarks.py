from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks import __main__ as program
from benchmarks.figure import Figure, interleaved
from benchmarks.repack import make_build
from benchmarks.selection import document

from variant_index.model.document import parse_document
from variant_index.wheel.read import read_wheel


def test_a_figure_knows_whether_its_target_is_reached() -> None:
    faster = Figure("a", 15, faster=True, ours=1, peer=15)
    assert (faster.ratio, faster.ok, faster.goal) == (15, True, ">= 15x")
    assert Figure("a", 15, faster=True, ours=1, peer=14).ok is False
    slower = Figure("a", 2, faster=False, ours=2, peer=1)
    assert (slower.ratio, slower.ok, slower.goal) == (2, True, "<= 2x")
    assert Figure("a", 2, faster=False, ours=2.1, peer=1).ok is False
    skipped = Figure("a", 2, faster=False, skipped="no registry")
    assert (skipped.ratio, skipped.ok) == (None, None)


def test_runs_are_taken_in_turns() -> None:
    order: list[str] = []
    interleaved(lambda: order.append("ours"), lambda: order.append("peer"), runs=3, calls=2)
    assert order == ["ours", "ours", "peer"] * 3


def test_the_measured_documents_are_valid() -> None:
    read = parse_document(json.dumps(document(20)).encode(), "x", strict=True)
    assert len(read.variants) == 20


@pytest.mark.parametrize(("ours", "status"), [(1.0, 0), (3.0, 1)])
def test_a_missed_target_ends_with_1(
    ours: float, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure() -> Iterator[Figure]:
        yield Figure("first", 2, faster=False, ours=ours, peer=1)
        yield Figure("second", 2, faster=False, skipped="no registry")

    monkeypatch.setattr(program, "BENCHMARKS", {"one": measure})
    assert program.main([]) == status
    assert "skipped: no registry" in capsys.readouterr().out
    assert program.main(["--json", "--only", "one"]) == status
    assert [line["ratio"] for line in json.loads(capsys.readouterr().out)] == [ours, None]


def test_the_command_names_its_options() -> None:
    command = [sys.executable, "-m", "benchmarks", "--only", "nothing"]
    answer = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True)
    assert answer.returncode == 2
    assert "'selection'" in answer.stderr


def test_the_repacked_wheel_is_one_that_is_published(tmp_path: Path) -> None:
    made = make_build(tmp_path / "in", size=1000, files=10)
    assert read_wheel(made, verify=True).findings == ()
