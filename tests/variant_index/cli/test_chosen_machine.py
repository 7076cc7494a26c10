"""Every command chooses for the machine it is told about, and never takes a broken driver for no GPU."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

import pytest

from tests.torch_variant_provider.conftest import build_library
from tests.variant_index.cli.test_variant_pip import (
    FORCE,
    INSTALL,
    Shell,
    environment_with_pip,
    index,
    posix_only,
    said,
    shell,
)
from tests.variant_index.shim.family import NAME, cuda_machine
from tests.variant_index.upstream.fake_index import FakeIndex
from variant_index.cli import main
from variant_index.cli.pip_behind_shim import patience
from variant_index.clients.pip.arguments import parse_arguments
from variant_index.clients.pip.configuration import PipConfiguration
from variant_index.detection import DetectionSettings

__all__ = ["environment_with_pip", "index", "shell"]


def installed_by(shell: Shell, index: FakeIndex, **variables: str) -> subprocess.CompletedProcess[str]:
    return shell.variant_pip(*INSTALL, "-i", index.url, **variables)


@posix_only
@pytest.mark.parametrize(
    ("machine", "label"), [("cuda12.8-sm90", "cu128"), ("cpu", "null"), ("rocm6.4-gfx942", "null")]
)
def test_variant_pip_for_a_named_machine(shell: Shell, index: FakeIndex, machine: str, label: str) -> None:
    done = installed_by(shell, index, VARIANT_INDEX_MACHINE=machine)
    assert done.returncode == 0, done.stderr
    assert shell.installed() == f"{NAME}-2.0-py3-none-any-{label}.whl"


@posix_only
def test_variant_pip_for_a_saved_machine(shell: Shell, index: FakeIndex, tmp_path: Path) -> None:
    (tmp_path / "box.json").write_text(cuda_machine("12.6").model_dump_json())
    done = installed_by(shell, index, VARIANT_INDEX_MACHINE=str(tmp_path / "box.json"))
    assert done.returncode == 0, done.stderr
    assert shell.installed() == f"{NAME}-2.0-py3-none-any-cu126.whl"


@posix_only
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("VARIANT_INDEX_MACHINE", "nowhere.json"),
        ("VARIANT_INDEX_DETECTION_TIMEOUT", "long"),
        ("VARIANT_INDEX_ON_DETECTION_FAILURE", "gpu"),
    ],
)
def test_a_bad_setting_is_an_error_before_pip_runs(
    shell: Shell, index: FakeIndex, variable: str, value: str
) -> None:
    done = installed_by(shell, index, **{variable: value})
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = said(done)
    assert value in line


@posix_only
def test_a_driver_that_does_not_answer_installs_no_cpu_build(
    shell: Shell, index: FakeIndex, tmp_path: Path
) -> None:
    folder = build_library("fake_nvml.c", tmp_path / "nvml", "libnvidia-ml.so.1")
    driver = {
        "LD_LIBRARY_PATH": str(folder),
        "FAKE_SLEEP_MS": "60000",
        "VARIANT_INDEX_DETECTION_TIMEOUT": "1",
    }
    done = installed_by(shell, index, **driver)
    assert done.returncode != 0
    assert any("not detected: NVML did not answer in 1 s" in line for line in said(done))
    done = installed_by(shell, index, **driver, VARIANT_INDEX_ON_DETECTION_FAILURE="cpu")
    assert done.returncode == 0, done.stderr
    assert shell.installed() == f"{NAME}-2.0-py3-none-any-null.whl"
    assert any("builds without GPU are chosen" in line for line in said(done))


OTHER = "manylinux2014_aarch64" if platform.machine() == "x86_64" else "manylinux2014_x86_64"
OWN = f"manylinux2014_{platform.machine()}"


@posix_only
@pytest.mark.parametrize("variables", [{}, {"PIP_PLATFORM": OTHER}])
def test_for_another_platform_this_machine_does_not_count(
    shell: Shell, index: FakeIndex, tmp_path: Path, variables: dict[str, str]
) -> None:
    """Nor is it asked: its driver here would hang."""
    folder = build_library("fake_nvml.c", tmp_path / "nvml", "libnvidia-ml.so.1")
    hung = {"LD_LIBRARY_PATH": str(folder), "FAKE_SLEEP_MS": "60000", FORCE: ""}
    download = ["download", "--only-binary=:all:", "-i", index.url, "-d", "out", NAME]
    download += [] if variables else ["--platform", OTHER]
    done = shell.variant_pip(*download, **hung, **variables)
    assert done.returncode == 0, done.stderr
    (file,) = (shell.folder / "out").iterdir()
    assert "null" in file.name
    (line,) = (line for line in said(done) if "platform" in line)
    assert f"platform {OTHER} is not this machine, so its GPUs are not known" in line


@posix_only
@pytest.mark.parametrize("chosen", [OTHER, OWN])
def test_what_is_forced_counts_for_every_platform(shell: Shell, index: FakeIndex, chosen: str) -> None:
    download = ["download", "--only-binary=:all:", "-i", index.url, "-d", "out", "--platform", chosen, NAME]
    done = shell.variant_pip(*download)
    assert done.returncode == 0, done.stderr
    (file,) = (shell.folder / "out").iterdir()
    assert "cu128" in file.name
    assert "not this machine" not in done.stderr


@pytest.mark.parametrize(
    ("line", "machine", "variables", "expected"),
    [
        ([], None, {}, {"timeout": "80"}),
        ([], "cpu", {}, {"timeout": "60"}),
        (["--timeout", "5"], None, {}, {"timeout": "40"}),
        (["--default-timeout=5"], None, {}, {"timeout": "40"}),
        ([], None, {"default-timeout": "5"}, {"timeout": "40"}),
    ],
)
def test_pip_waits_as_long_as_detection_may_take(
    line: list[str], machine: str | None, variables: dict[str, str], expected: dict[str, str]
) -> None:
    arguments = parse_arguments([*INSTALL, *line])
    configuration = PipConfiguration({}, variables)
    assert patience(arguments, configuration, DetectionSettings(machine)) == expected


def test_explain_for_a_named_machine(
    index: FakeIndex, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    arguments = ["explain", NAME, "--index-url", index.url]
    assert main([*arguments, "--machine", "cuda12.8-sm90"]) == 0
    named = capsys.readouterr().out
    assert "cu128" in named.splitlines()[3]
    monkeypatch.setenv("VARIANT_INDEX_MACHINE", "cuda12.8-sm90")
    assert main(arguments) == 0
    assert capsys.readouterr().out == named


@pytest.mark.parametrize("command", [["explain", NAME], ["shim"], ["machine"]])
def test_a_machine_that_is_nothing(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--machine", "my box"]) == 2
    assert capsys.readouterr().err == (
        "error: my box: no such file, and no machine's name such as cpu, cuda12.8-sm90 or rocm6.4-gfx942\n"
    )
