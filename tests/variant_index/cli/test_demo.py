"""`variant-index demo`, run as a user runs it, and its verdict when a machine gets the wrong build."""

from __future__ import annotations

import subprocess
import sys

import pytest

from variant_index.cli.main import main
from variant_index.demo import run
from variant_index.demo.machines import MACHINES


def test_every_machine_gets_its_build() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "variant_index.cli", "demo"], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    header, *rows = done.stdout.splitlines()
    assert header.split() == ["machine", "variant-pip", "plain", "pip", "why"]
    assert len(rows) == len(MACHINES)
    for row, machine in zip(rows, MACHINES, strict=True):
        assert row.startswith(machine.name)
        assert row.removeprefix(machine.name).split()[:2] == [machine.expected, "default"]


@pytest.mark.parametrize(("label", "plain"), [("null", ""), ("cu128", "cu128")])
def test_a_wrong_build_is_a_failure(
    label: str, plain: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "run_demo", lambda: [run.Outcome("box", "cu128", label, plain, "because")])
    assert main(["demo"]) == 1
    assert "box: expected cu128" in capsys.readouterr().err
