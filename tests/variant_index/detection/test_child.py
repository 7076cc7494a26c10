"""The provider in a child process that misbehaves."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from variant_index.detection.child import examine_gpus
from variant_index.detection.failure import DetectionError


def ask(timeout: float = 20) -> tuple[dict[str, object], list[str]]:
    lines: list[str] = []
    profile = examine_gpus(timeout, lines.append, lambda: None)
    return dict(profile.properties), lines


def test_a_healthy_machine(nvml: pytest.MonkeyPatch) -> None:
    properties, lines = ask()
    assert (list(properties), lines) == (["nvidia"], [])


def test_warnings_are_passed_on(clean: pytest.MonkeyPatch) -> None:
    clean.setenv("NV_PROVIDER_FORCE_DRIVER_VERSION", "abc")
    (line,) = ask()[1]
    assert line.startswith("NV_PROVIDER_FORCE_DRIVER_VERSION: 'abc' ")


def test_a_process_that_a_driver_leaves_behind_is_not_waited_for(nvml: pytest.MonkeyPatch) -> None:
    nvml.setenv("FAKE_FORK", "600")
    began = time.monotonic()
    assert list(ask()[0]) == ["nvidia"]
    assert time.monotonic() - began < 60


def test_what_a_driver_prints_is_no_warning(nvml: pytest.MonkeyPatch) -> None:
    nvml.setenv("FAKE_PRINT", "chatter\x1b[31m\n")
    nvml.setenv("FAKE_GPUS", "9.0,cc999")
    (line,) = ask()[1]
    assert line == "NVML: GPU 1: Unknown (code 999)"


def test_other_work_is_done_meanwhile(clean: pytest.MonkeyPatch) -> None:
    done = []
    examine_gpus(20, lambda _line: None, lambda: done.append(True))
    assert done == [True]


def test_the_working_directory_is_not_imported_from(clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("json.py", "torch_variant_provider.py", "pynvml.py"):
        (tmp_path / name).write_text("raise SystemExit('planted')")
    clean.chdir(tmp_path)
    assert ask()[0] == {}


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("import sys; sys.stderr.write('no way'); sys.exit(1)", "failed .status 1.: no way"),
        ("import os; os.abort()", "crashed .signal 6."),
        ("print('not json')", "not a machine profile"),
        ("print('{}')", "not a machine profile: properties"),
        ("import subprocess; subprocess.Popen(('sleep', '600')); print('{}')", "not a machine profile"),
        ("import time; time.sleep(600)", "did not answer in 0.5 s"),
    ],
)
def test_a_broken_child(clean: pytest.MonkeyPatch, tmp_path: Path, program: str, message: str) -> None:
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{program}"\n')
    script.chmod(0o755)
    clean.setattr("variant_index.detection.child.sys.executable", str(script))
    began = time.monotonic()
    with pytest.raises(DetectionError, match=message) as caught:
        ask(0.5 if "time.sleep" in program else 20)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 3
    assert time.monotonic() - began < 60
