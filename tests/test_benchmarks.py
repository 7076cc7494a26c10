from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks import __main__ as program
from benchmarks.fake_upstream import JSON_TYPE, page
from benchmarks.figure import Figure, interleaved
from benchmarks.repack import make_build
from benchmarks.running_shim import fake_upstream, load, running_shim
from benchmarks.selection import document

from variant_index.model.document import parse_document
from variant_index.simple_api.parse import parse_page
from variant_index.upstream.releases import group_releases
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


def test_the_served_pages_are_pages() -> None:
    read = parse_page(page("p200", 200), JSON_TYPE, "http://127.0.0.1/p200/", "p200")
    assert len(read.files) == 200
    assert read.problems == ()
    assert len(group_releases(read).by_version) == 10


def test_a_shim_is_asked_as_the_figures_say() -> None:
    with fake_upstream() as (url, upstream), running_shim("--torch-index", "off", "-i", url) as shim:
        first = shim.first_byte("p10v1")
        assert upstream.stdout is not None
        assert first > float(upstream.stdout.readline())
        assert load(shim.url, "p10v1", 2, 0.2) > 0


def test_a_figure_in_megabytes(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    figure = Figure("memory", 1, faster=False, ours=50, peer=80, unit="MB")
    monkeypatch.setattr(program, "BENCHMARKS", {"one": lambda: iter([figure])})
    assert program.main([]) == 0
    assert "50.00 MB" in capsys.readouterr().out
