"""`nvidia-smi`, as scripts on PATH that print what drivers print."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.torch_variant_provider.conftest import Answer, write_program
from torch_variant_provider.deadline import end_within
from torch_variant_provider.nvidia import nvidia_smi
from torch_variant_provider.nvidia.nvidia_smi import parse_capabilities, parse_query

Ask = Callable[..., Answer]
LOWER, SM = "cuda_version_lower_bound", "sm_arch"

OLD = """
==============NVSMI LOG==============

Timestamp                                 : Tue Nov 17 10:00:00 2026
Driver Version                            : 570.133.20
CUDA Version                              : 12.8

Attached GPUs                             : 1
GPU 00000000:01:00.0
    Product Name                          : NVIDIA H100 80GB HBM3
    Serial Number                         : N/A
"""
NEW = OLD.replace("570.133.20", "610.43.02").replace(
    "CUDA Version                              : 12.8",
    "CUDA Version                              : 13.2 [deprecated, see CUDA UMD Version]\n"
    "CUDA UMD Version                          : 13.3",
)


def script(query: str, capabilities: str = "9.0\n8.6\n9.0\n") -> str:
    return (
        f'case "$*" in\n-q) cat <<"E"\n{query}\nE\n;;\n'
        f'*compute_cap*noheader*) printf "{capabilities}" ;;\n*) exit 6 ;;\nesac'
    )


@pytest.mark.parametrize(("text", "best"), [(OLD, "12.8"), (NEW, "13.3")])
def test_old_and_new_labels(ask: Ask, tmp_path: Path, text: str, best: str) -> None:
    folder = write_program(tmp_path / "bin", "nvidia-smi", script(text))
    answer = ask("nvidia", PATH=f"{folder}:/usr/bin:/bin")
    assert answer.features[LOWER][0] == best
    assert answer.features[SM][:2] == ["90_real", "86_real"]
    assert answer.stdout == ""


def test_unknown_values_are_not_errors(ask: Ask, tmp_path: Path) -> None:
    text = OLD.replace("12.8", "N/A")
    folder = write_program(tmp_path / "bin", "nvidia-smi", script(text, "[N/A]\n8.6\n"))
    answer = ask("nvidia", PATH=f"{folder}:/usr/bin:/bin")
    assert answer.features[SM][0] == "86_real"
    # The driver's own version, which is there, tells it through the table.
    assert answer.features[LOWER][0] == "12.8"


def test_a_tool_without_the_capability_query(ask: Ask, tmp_path: Path) -> None:
    body = script(OLD).replace("*compute_cap*noheader*)", "*never*)")
    folder = write_program(tmp_path / "bin", "nvidia-smi", body)
    assert SM not in ask("nvidia", PATH=f"{folder}:/usr/bin:/bin").features


@pytest.mark.parametrize("body", ["exit 9", "exit 127", "echo nothing to see", "head -c 20000 /dev/zero"])
def test_a_tool_that_is_left_over(ask: Ask, tmp_path: Path, body: str) -> None:
    folder = write_program(tmp_path / "bin", "nvidia-smi", body)
    answer = ask("nvidia", PATH=f"{folder}:/usr/bin:/bin")
    assert (answer.features, answer.stdout, answer.stderr) == ({}, "", "")


@pytest.mark.parametrize("body", ["kill -6 $$", "echo Unknown Error; exit 255", "exit 4", "exit 15"])
def test_a_tool_that_fails_has_a_driver_that_does_not_answer(ask: Ask, tmp_path: Path, body: str) -> None:
    folder = write_program(tmp_path / "bin", "nvidia-smi", body)
    answer = ask("nvidia", PATH=f"{folder}:/usr/bin:/bin")
    assert answer.features == {}
    assert answer.stderr.startswith("torch-variant-provider: nvidia-smi: it failed (status ")


def test_a_broken_tool_beside_a_kernel_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(write_program(tmp_path / "bin", "nvidia-smi", "exit 1")))
    assert nvidia_smi.read(str(tmp_path)).unanswered is False
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/dxg").touch()
    assert nvidia_smi.read(str(tmp_path)).unanswered is True


def test_what_a_failing_tool_printed_counts(ask: Ask, tmp_path: Path) -> None:
    """Status 14, for example: everything is printed, and one GPU's memory holds a broken record."""
    folder = write_program(tmp_path / "bin", "nvidia-smi", f"{script(OLD)}\nexit 14")
    answer = ask("nvidia", PATH=f"{folder}:/usr/bin:/bin")
    assert answer.features[SM][:2] == ["90_real", "86_real"]
    assert answer.stderr == ""


@pytest.mark.parametrize("query", ["-q", "*compute_cap*"])
def test_a_tool_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, query: str) -> None:
    body = f'case "$*" in {query}) sleep 600;; esac\n{script(OLD)}'
    monkeypatch.setenv("PATH", f"{write_program(tmp_path / 'bin', 'nvidia-smi', body)}:/usr/bin:/bin")
    end_within(3)
    try:
        found = nvidia_smi.read(str(tmp_path))
    finally:
        end_within(None)
    assert "did not answer in 3 s" in found.warnings[0]
    assert (found.unanswered, found.hung) == (True, True)


def test_the_working_directory_is_not_searched(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_program(tmp_path / "planted", "nvidia-smi", script(OLD))
    monkeypatch.chdir(tmp_path / "planted")
    assert ask("nvidia", PATH=".::/usr/bin:/bin").features == {}


def test_libraries_answer_before_the_tool(ask: Ask, nvml_folder: Path, tmp_path: Path) -> None:
    folder = write_program(tmp_path / "bin", "nvidia-smi", f"touch {tmp_path}/asked; exit 9")
    ask("nvidia", LD_LIBRARY_PATH=nvml_folder, FAKE_GPUS="9.0", PATH=f"{folder}:/usr/bin:/bin")
    assert not (tmp_path / "asked").exists()


def test_capabilities_have_a_dot() -> None:
    assert parse_capabilities("5\n[N/A]\n8.6\nsome 9.0 text\n") == ("8.6",)


def test_both_labels_wherever_they_stand() -> None:
    assert parse_query("CUDA UMD Version : 13.3\nCUDA Version : 13.2 [x]")["cuda_version"] == "13.3"
    assert parse_query("CUDA Version : 12.4") == {"cuda_version": "12.4"}
    assert parse_query("CUDA Versions of a thing: 9.9\nCUDA Version : 12.4") == {"cuda_version": "12.4"}


BANNER = """Sun Jun  7 08:16:57 2026
+-----------------------------------------------------------------------------------------+
| NVIDIA-SMI {driver}              {label}: {driver}     {cuda}     |
|-------------------------------+----------------------+----------------------+
|   0  NVIDIA B200                    On  |   00000000:63:00.0 Off |                    0 |
"""


@pytest.mark.parametrize(
    ("driver", "label", "cuda", "facts"),
    [
        ("610.43.02", "KMD Version", "CUDA UMD Version: 13.3", {"cuda_version": "13.3"}),
        ("450.57", "Driver Version", "CUDA Version: 11.0", {"cuda_version": "11.0"}),
        ("560.35", "Driver Version", "CUDA Version: N/A ", {}),
        ("331.62", "Driver Version", "", {}),
    ],
)
def test_banners(driver: str, label: str, cuda: str, facts: dict[str, str]) -> None:
    text = BANNER.format(driver=driver, label=label, cuda=cuda)
    assert parse_query(text) == {**facts, "kernel_driver": driver}


def test_the_banner_stands_in(ask: Ask, tmp_path: Path) -> None:
    banner = BANNER.format(driver="610.43.02", label="KMD Version", cuda="CUDA UMD Version: 13.3")
    body = f'case "$*" in\n"") cat <<"E"\n{banner}\nE\n;;\n-q) echo "Driver Version : 610.43.02" ;;\nesac'
    folder = write_program(tmp_path / "bin", "nvidia-smi", body)
    assert ask("nvidia", PATH=f"{folder}:/usr/bin:/bin").features[LOWER][0] == "13.3"


def test_deprecated_labels_with_remarks() -> None:
    remark = "[Deprecated; will be removed in CUDA 14.0. Use CUDA UMD Version instead]"
    text = f"Driver Version : 610.43.03 {remark}\nCUDA Version : 13.3 {remark}\n"
    assert parse_query(text) == {"cuda_version": "13.3", "kernel_driver": "610.43.03"}


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    parse_query(text)
    parse_capabilities(text)
