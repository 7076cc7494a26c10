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
JETSON = (
    "NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  {}  Release Build  (buildbrain@mobile)  Sun\n"
    "GCC version:  gcc version 9.3.0 (Buildroot 2020.08) \n"
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
        ("", JETSON.format("35.3.1"), "35.3.1"),
        ("", JETSON.format("540.4.0"), "540.4.0"),
        ("", "\n" + OPEN, "580.95.05"),
        ("", "NVRM version: NVIDIA UNIX aarch64 Kernel Module\t535.161.08  Wed\n", "535.161.08"),
        (
            "",
            "NVRM version: NVIDIA UNIX x86 Kernel Module  340.108  Thu Dec 12 11:17:16 UTC 2019\n",
            "340.108",
        ),
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


@pytest.mark.parametrize("sign", ["etc/nv_tegra_release", "proc/device-tree/compatible", "dev/nvmap"])
def test_tegra_numbers_are_not_in_the_table(tmp_path: Path, sign: str) -> None:
    root = tree(tmp_path, sys="580.00\n", nodes=("nvidiactl", "nvidia0"))
    (tmp_path / sign).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / sign).write_text("nvidia,p3768-0000+p3767-0005\0nvidia,tegra234\0")
    assert "cuda_version" not in read(root).values


def test_the_number_of_jetpack_6_alone_tells(tmp_path: Path) -> None:
    """In a container neither the device tree nor the release file is to be seen."""
    found = read(tree(tmp_path, proc=JETSON.format("540.4.0"), nodes=("nvidiactl", "nvidia0")))
    assert (found.values, found.unanswered) == ({"kernel_driver": "540.4.0"}, True)


def test_detection_falls_back_to_the_files(tmp_path: Path) -> None:
    root = tree(tmp_path, sys="615.10.01\n", nodes=("nvidiactl",))
    known = detect({}, root)
    fact = known.facts["cuda_version"]
    assert (fact.value, fact.source) == ("13.4", "NVIDIA kernel driver")
    assert (
        known.unanswered
        == "NVIDIA kernel driver: no driver library answered; driver 615.10.01 supports CUDA 13.4"
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
        ("418.39", (10, 1)),
        ("390.46", (9, 1)),
        ("346.46", (7, 0)),
        ("340.1", (6, 5)),
        ("304.137", (6, 5)),
        ("12.8", None),
        ("nonsense", None),
    ],
)
def test_driver_table(driver: str, cuda: tuple[int, int] | None) -> None:
    assert cuda_of_driver(driver) == cuda
