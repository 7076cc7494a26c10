"""Detection in a child process: what reaches the tools when a driver misbehaves."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.torch_variant_provider.conftest import build_library, clean_environment
from variant_index.detection import DetectionError, detect_machine


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    import os

    for name in set(os.environ) - set(clean_environment()):
        monkeypatch.delenv(name)
    return monkeypatch


@pytest.fixture
def nvml(clean: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    folder = build_library("fake_nvml.c", tmp_path / "nvml", "libnvidia-ml.so.1")
    clean.setenv("LD_LIBRARY_PATH", str(folder))
    clean.setenv("FAKE_GPUS", "9.0")
    return clean


def test_a_healthy_machine(nvml: pytest.MonkeyPatch) -> None:
    profile = detect_machine()
    assert profile.facts["nvidia"]["cuda_version"].source == "NVML"
    assert profile.supported()["nvidia"]["cuda_version_lower_bound"][0] == "12.8"


def test_forced_facts(clean: pytest.MonkeyPatch) -> None:
    clean.setenv("NV_PROVIDER_FORCE_DRIVER_VERSION", "11.8")
    assert detect_machine().properties["nvidia"]["cuda_version_lower_bound"][0] == "11.8"


def test_warnings_are_passed_on(clean: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clean.setenv("NV_PROVIDER_FORCE_DRIVER_VERSION", "abc")
    detect_machine()
    assert capsys.readouterr().err.startswith("NV_PROVIDER_FORCE_DRIVER_VERSION: 'abc' ")
    lines: list[str] = []
    detect_machine(warn=lines.append)
    assert len(lines) == 1


def test_a_hung_driver_is_an_error(nvml: pytest.MonkeyPatch) -> None:
    nvml.setenv("FAKE_SLEEP_MS", "60000")
    began = time.monotonic()
    with pytest.raises(DetectionError, match=r"did not answer in 1\.5 s") as caught:
        detect_machine(1.5)
    assert time.monotonic() - began < 4
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(("variable", "value"), [("FAKE_ABORT", "init"), ("FAKE_INIT_CODE", "999")])
def test_a_driver_that_does_not_answer_is_no_cpu_machine(
    nvml: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    nvml.setenv(variable, value)
    with pytest.raises(DetectionError, match="a GPU driver is present but did not say"):
        detect_machine()
    nvml.setenv("NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION", "none")
    assert detect_machine().properties == {}


def test_the_working_directory_is_not_imported_from(clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("json.py", "torch_variant_provider.py", "pynvml.py"):
        (tmp_path / name).write_text("raise SystemExit('planted')")
    clean.chdir(tmp_path)
    assert detect_machine().properties == {}


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("import sys; sys.stderr.write('no way'); sys.exit(1)", "failed .status 1.: no way"),
        ("import os; os.abort()", "crashed .signal 6."),
        ("print('not json')", "not a machine profile"),
        ("print('{}')", "not a machine profile: properties"),
    ],
)
def test_a_broken_child(clean: pytest.MonkeyPatch, tmp_path: Path, program: str, message: str) -> None:
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\nexec {__import__("sys").executable} -c "{program}"\n')
    script.chmod(0o755)
    clean.setattr("variant_index.detection.child.sys.executable", str(script))
    with pytest.raises(DetectionError, match=message) as caught:
        detect_machine()
    assert "\n" not in str(caught.value)
