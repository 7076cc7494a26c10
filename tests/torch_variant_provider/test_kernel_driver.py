"""The kernel driver's version files, on trees in a temporary folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from torch_variant_provider.nvidia.detect import detect
from torch_variant_provider.nvidia.driver_table import cuda_of_driver
from torch_variant_provider.nvidia.kernel_driver import driver_version, read

PROC = (
    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  {}  Tue Nov  5 23:42:56 UTC 2025\n"
    "GCC version:  gcc version 12.3.0 (Ubuntu 12.3.0-1ubuntu1~22.04)\n"
)
OPEN = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build  (builder@host)\n"


def tree(root: Path, *, sys: str = "", proc: str = "", nodes: tuple[str, ...] = ()) -> str:
    if sys:
        (root / "sys/module/nvidia").mkdir(parents=True)
        (root / "sys/module/nvidia/version").write_text(sys)
    if proc:
        (root / "proc/driver/nvidia").mkdir(parents=True)
        (root / "proc/driver/nvidia/version").write_text(proc)
    (root / "dev").mkdir()
    for node in nodes:
        (root / "dev" / node).touch()
    return str(root)


@pytest.mark.parametrize(
    ("sys", "proc", "version"),
    [
        ("570.133.20\n", "", "570.133.20"),
        ("", PROC.format("550.54.14"), "550.54.14"),
        ("", OPEN, "580.95.05"),
        ("", PROC.format("470.42"), "470.42"),
        ("535.54.03\n", PROC.format("550.54.14"), "535.54.03"),
        ("\n", PROC.format("550.54.14"), "550.54.14"),
        ("", "NVRM version: something else\n", None),
        ("", "\x00\xff Module", None),
        ("", "", None),
    ],
)
def test_version_files(tmp_path: Path, sys: str, proc: str, version: str | None) -> None:
    assert driver_version(tree(tmp_path, sys=sys, proc=proc)) == version


def test_the_table_answers_where_a_gpu_was_given(tmp_path: Path) -> None:
    found = read(tree(tmp_path, sys="570.133.20\n", nodes=("nvidiactl", "nvidia0")))
    assert found.values == {"kernel_driver": "570.133.20", "cuda_version": "12.8"}
    assert found.warnings


def test_a_container_without_gpu_has_no_cuda(tmp_path: Path) -> None:
    found = read(tree(tmp_path, proc=PROC.format("570.133.20")))
    assert found.values == {"kernel_driver": "570.133.20"}
    assert found.warnings == []
    assert "no GPU was given" in found.notes[0]


def test_a_gpu_without_any_driver_file_is_said(tmp_path: Path) -> None:
    found = read(tree(tmp_path, nodes=("nvidia0",)))
    assert found.unanswered
    assert found.warnings
    assert not read(str(tmp_path / "nowhere")).unanswered


@pytest.mark.parametrize("sign", ["etc/nv_tegra_release", "proc/device-tree/compatible"])
def test_tegra_numbers_are_not_in_the_table(tmp_path: Path, sign: str) -> None:
    root = tree(tmp_path, sys="540.4.0\n", nodes=("nvidiactl", "nvidia0"))
    (tmp_path / sign).parent.mkdir(parents=True)
    (tmp_path / sign).write_text("nvidia,p3768-0000+p3767-0005\0nvidia,tegra234\0")
    assert "cuda_version" not in read(root).values


def test_detection_falls_back_to_the_files(tmp_path: Path) -> None:
    root = tree(tmp_path, sys="615.10.01\n", nodes=("nvidiactl",))
    known = detect({}, root)
    fact = known.facts["cuda_version"]
    assert (fact.value, fact.source) == ("13.4", "kernel driver")
    assert (
        known.unanswered == "kernel driver: no driver library answered; driver 615.10.01 supports CUDA 13.4"
    )


@pytest.mark.parametrize(
    ("driver", "cuda"),
    [
        ("450.51.05", (11, 0)),
        ("460.82", (11, 2)),
        ("471.11", (11, 4)),
        ("527.41", (12, 0)),
        ("536.25", (12, 2)),
        ("551.61", (12, 4)),
        ("565.57.01", (12, 7)),
        ("575.57.08", (12, 9)),
        ("580.95.05", (13, 0)),
        ("590.48.01", (13, 1)),
        ("595.58.03", (13, 2)),
        ("610.43.02", (13, 3)),
        ("616.0", (13, 4)),
        ("700.1", (13, 4)),
        ("440.33.01", (10, 2)),
        ("304.137", (10, 1)),
        ("12.8", None),
        ("nonsense", None),
    ],
)
def test_driver_table(driver: str, cuda: tuple[int, int] | None) -> None:
    assert cuda_of_driver(driver) == cuda
