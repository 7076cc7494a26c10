"""libcuda through stand-in libraries: alone, and beside an NVML that cannot tell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.torch_variant_provider.conftest import Answer

Ask = Callable[..., Answer]
LOWER, UPPER, SM = "cuda_version_lower_bound", "cuda_version_upper_bound", "sm_arch"


def reals(answer: Answer) -> list[str]:
    return [value for value in answer.features.get(SM, []) if value.endswith("_real")]


def test_libcuda_alone(ask: Ask, cuda_folder: Path) -> None:
    answer = ask("nvidia", LD_LIBRARY_PATH=cuda_folder, FAKE_CUDA_GPUS="7.2,8.6", FAKE_UMD="11040")
    assert answer.features[LOWER][0] == "11.4"
    assert reals(answer) == [*(f"8{n}_real" for n in range(6, -1, -1)), "72_real"]
    assert answer.stdout == ""


@pytest.mark.parametrize("visible", ["", "-1", "0"])
def test_the_visible_devices_of_one_run_do_not_count(ask: Ask, cuda_folder: Path, visible: str) -> None:
    answer = ask("nvidia", LD_LIBRARY_PATH=cuda_folder, FAKE_CUDA_GPUS="8.6", CUDA_VISIBLE_DEVICES=visible)
    assert reals(answer)[0] == "86_real"


def test_one_bad_gpu_hides_no_other(ask: Ask, cuda_folder: Path) -> None:
    answer = ask("nvidia", LD_LIBRARY_PATH=cuda_folder, FAKE_CUDA_GPUS="code999,8.6")
    assert reals(answer)[0] == "86_real"
    assert "GPU 0: error 999" in answer.stderr


def test_no_gpu_keeps_the_version(ask: Ask, cuda_folder: Path) -> None:
    answer = ask("nvidia", LD_LIBRARY_PATH=cuda_folder, FAKE_UMD="13000")
    assert (list(answer.features), answer.features[LOWER][0]) == ([LOWER, UPPER], "13.0")


@pytest.mark.parametrize(
    ("code", "reason"), [("803", "restart"), ("804", "cuda-compat"), ("999", "error 999")]
)
def test_cuda_that_does_not_start_keeps_the_version(
    ask: Ask, cuda_folder: Path, code: str, reason: str
) -> None:
    answer = ask("nvidia", LD_LIBRARY_PATH=cuda_folder, FAKE_CUDA_GPUS="8.6", FAKE_CUINIT_CODE=code)
    assert list(answer.features) == [LOWER, UPPER]
    assert reason in answer.stderr


def test_a_crash_keeps_the_version(ask: Ask, cuda_folder: Path) -> None:
    answer = ask("nvidia", LD_LIBRARY_PATH=cuda_folder, FAKE_CUDA_GPUS="8.6", FAKE_CUINIT_ABORT="1")
    assert list(answer.features) == [LOWER, UPPER]
    assert "crashed" in answer.stderr


def test_what_was_answered_before_a_crash_stays(ask: Ask, cuda_folder: Path) -> None:
    answer = ask("nvidia", LD_LIBRARY_PATH=cuda_folder, FAKE_CUDA_GPUS="8.6,segv,9.0")
    assert reals(answer)[0] == "86_real"
    assert "libcuda devices: the driver library crashed (signal 11)" in answer.stderr


def test_a_failing_version_call(ask: Ask, cuda_folder: Path) -> None:
    answer = ask("nvidia", LD_LIBRARY_PATH=cuda_folder, FAKE_CUDA_GPUS="8.6", FAKE_UMD_CODE="999")
    assert list(answer.features) == [SM]
    assert "libcuda" in answer.stderr


def test_a_link_stub_is_no_driver(ask: Ask, cuda_folder: Path) -> None:
    answer = ask("nvidia", LD_LIBRARY_PATH=cuda_folder, FAKE_UMD_CODE="34")
    assert (answer.features, answer.stderr) == ({}, "")


def test_a_text_file_in_the_place_of_the_library(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "libcuda.so.1").write_text("not a library")
    assert ask("nvidia", LD_LIBRARY_PATH=tmp_path).features == {}


def test_a_library_of_another_machine_type(ask: Ask, cuda_folder: Path, tmp_path: Path) -> None:
    library = bytearray((cuda_folder / "libcuda.so.1").read_bytes())
    library[18] = 243  # e_machine: RISC-V
    (tmp_path / "libcuda.so.1").write_bytes(library)
    assert ask("nvidia", LD_LIBRARY_PATH=tmp_path, FAKE_CUDA_GPUS="9.0").features == {}


def test_a_hang_keeps_the_version(ask: Ask, cuda_folder: Path) -> None:
    answer = ask("nvidia", LD_LIBRARY_PATH=cuda_folder, FAKE_CUDA_GPUS="8.6", FAKE_CUINIT_SLEEP_MS="60000")
    assert list(answer.features) == [LOWER, UPPER]
    assert "libcuda devices did not answer in 10 s" in answer.stderr
    assert answer.stdout == ""


def test_nvml_knows_better(ask: Ask, nvml_folder: Path, cuda_folder: Path) -> None:
    answer = ask(
        "nvidia",
        LD_LIBRARY_PATH=f"{nvml_folder}:{cuda_folder}",
        FAKE_GPUS="9.0",
        FAKE_CUDA="12080",
        FAKE_CUINIT_ABORT="1",
    )
    assert answer.features[LOWER][0] == "12.8"
    assert answer.stderr == ""


def test_gpus_nvml_cannot_tell_come_from_libcuda(ask: Ask, nvml_folder: Path, cuda_folder: Path) -> None:
    answer = ask(
        "nvidia",
        LD_LIBRARY_PATH=f"{nvml_folder}:{cuda_folder}",
        FAKE_GPUS="cc3",
        FAKE_CUDA="12080",
        FAKE_CUDA_GPUS="11.0",
    )
    assert answer.features[LOWER][0] == "12.8"
    assert reals(answer) == ["110_real"]


def test_a_library_without_a_loaded_driver_is_no_cuda(ask: Ask, nvml_folder: Path, cuda_folder: Path) -> None:
    """Driver packages are often installed on machines without a GPU."""
    answer = ask(
        "nvidia", LD_LIBRARY_PATH=f"{nvml_folder}:{cuda_folder}", FAKE_INIT_CODE="9", FAKE_UMD="13000"
    )
    assert (answer.features, answer.stderr) == ({}, "")


def test_a_hung_driver_is_asked_once(ask: Ask, nvml_folder: Path, cuda_folder: Path) -> None:
    answer = ask(
        "nvidia",
        LD_LIBRARY_PATH=f"{nvml_folder}:{cuda_folder}",
        FAKE_SLEEP_MS="600000",
        FAKE_CUDA_GPUS="9.0",
        FAKE_CUINIT_SLEEP_MS="600000",
    )
    assert list(answer.features) == [LOWER, UPPER]
    assert "NVML did not answer in 10 s" in answer.stderr
    assert answer.stderr.count("did not answer") == 1


@pytest.mark.parametrize(("loaded", "best"), [("550.54.14", "12.4"), ("580.95.05", "12.8")])
def test_after_an_upgrade_the_older_half_decides(
    nvml_folder: Path, cuda_folder: Path, tmp_path: Path, loaded: str, best: str
) -> None:
    """Needs the tree's root, so it asks below the plugin."""
    import subprocess
    import sys

    from tests.torch_variant_provider.conftest import clean_environment

    (tmp_path / "sys/module/nvidia").mkdir(parents=True)
    (tmp_path / "sys/module/nvidia/version").write_text(loaded)
    code = (
        "import sys; from torch_variant_provider.nvidia.detect import detect\n"
        "known = detect({}, sys.argv[1])\n"
        "print(known.facts['cuda_version'].value, len(known.warnings), list(known.facts))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env={
            **clean_environment(),
            "LD_LIBRARY_PATH": f"{nvml_folder}:{cuda_folder}",
            "FAKE_INIT_CODE": "18",
            "FAKE_UMD": "12080",
            "FAKE_CUDA_GPUS": "9.0",
            "FAKE_CUINIT_CODE": "803",
        },
        capture_output=True,
        text=True,
    )
    assert done.stdout.split()[:2] == [best, "2"], done.stderr
    assert "library_mismatch" not in done.stdout
