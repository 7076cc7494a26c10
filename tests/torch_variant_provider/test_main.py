"""`python -m torch_variant_provider`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.torch_variant_provider.conftest import clean_environment
from variant_index.model.machine import parse_profile


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "torch_variant_provider", *arguments],
        env={**clean_environment(), **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_forced_version_alone() -> None:
    done = run("--json", NV_PROVIDER_FORCE_DRIVER_VERSION="11.8")
    profile = parse_profile(done.stdout.encode(), "test")
    assert done.returncode == 0
    assert profile.feature_order == {"nvidia": ["cuda_version_lower_bound", "cuda_version_upper_bound"]}
    fact = profile.facts["nvidia"]["cuda_version"]
    assert (fact.value, fact.source) == ("11.8", "NV_PROVIDER_FORCE_DRIVER_VERSION")


def test_a_forced_version_that_no_wheel_supports() -> None:
    done = run("--json", NV_PROVIDER_FORCE_DRIVER_VERSION="1.0")
    assert "cuda_version_lower_bound" not in parse_profile(done.stdout.encode(), "test").properties["nvidia"]


def test_the_table(nvml_folder: Path) -> None:
    done = run(LD_LIBRARY_PATH=str(nvml_folder), FAKE_GPUS="9.0,8.6")
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["nvidia", "cuda_version", "12.8", "NVML"] in rows
    assert ["nvidia", "compute_capability", "9.0,", "8.6", "NVML"] in rows
    assert done.stderr == ""


def test_a_bad_value() -> None:
    done = run(NV_VARIANT_PROVIDER_FORCE_SM_ARCH="bad")
    assert done.stderr.startswith("warning: NV_VARIANT_PROVIDER_FORCE_SM_ARCH: 'bad' is not a list")
    assert "'bad'" not in done.stdout


def test_a_machine_without_gpu() -> None:
    done = run()
    assert done.returncode == 0
    assert done.stdout.startswith("No GPU driver was found.\n")


def test_a_driver_that_does_not_answer(nvml_folder: Path) -> None:
    done = run("--json", LD_LIBRARY_PATH=str(nvml_folder), FAKE_INIT_CODE="4")
    assert done.returncode == 3
    assert parse_profile(done.stdout.encode(), "test").properties == {}
    assert "NVML" in done.stderr


def test_what_one_source_knows_another_need_not(nvml_folder: Path, cuda_folder: Path) -> None:
    variables = {
        "LD_LIBRARY_PATH": f"{nvml_folder}:{cuda_folder}",
        "FAKE_INIT_CODE": "999",
        "FAKE_CUDA_GPUS": "9.0",
    }
    done = run("--json", **variables)
    assert (done.returncode, parse_profile(done.stdout.encode(), "test").unanswered) == (0, {})
    done = run("--json", **variables, FAKE_CUINIT_CODE="804")
    assert done.returncode == 3
    assert parse_profile(done.stdout.encode(), "test").unanswered == {"nvidia": "NVML: Unknown (code 999)"}


@pytest.mark.parametrize(("code", "reason"), [("804", "cuda-compat"), ("999", "error 999")])
def test_gpus_that_libcuda_cannot_list(cuda_folder: Path, code: str, reason: str) -> None:
    done = run("--json", LD_LIBRARY_PATH=str(cuda_folder), FAKE_CUINIT_CODE=code, FAKE_CUDA_GPUS="9.0")
    assert done.returncode == 3
    profile = parse_profile(done.stdout.encode(), "test")
    assert reason in profile.unanswered["nvidia"]
    assert profile.properties["nvidia"]["cuda_version_lower_bound"][0] == "12.4"


@pytest.mark.parametrize(
    "variables",
    [{"FAKE_CUDA_GPUS": "code999,code101"}, {"FAKE_CUDA_GPUS": "9.0", "FAKE_CUCOUNT_CODE": "999"}],
)
def test_gpus_that_libcuda_cannot_name(cuda_folder: Path, variables: dict[str, str]) -> None:
    done = run("--json", LD_LIBRARY_PATH=str(cuda_folder), **variables)
    assert done.returncode == 3
    assert parse_profile(done.stdout.encode(), "test").unanswered["nvidia"].startswith("libcuda devices: ")


def test_a_driver_without_gpu_that_crashes_at_the_end_has_answered(nvml_folder: Path) -> None:
    done = run("--json", LD_LIBRARY_PATH=str(nvml_folder), FAKE_GPUS="", FAKE_ABORT="shutdown")
    assert done.returncode == 0
    assert "crashed" in done.stderr


def test_a_version_told_before_a_crash_stays(nvml_folder: Path) -> None:
    done = run("--json", LD_LIBRARY_PATH=str(nvml_folder), FAKE_GPUS="segv")
    assert done.returncode == 3
    profile = parse_profile(done.stdout.encode(), "test")
    assert profile.facts["nvidia"]["cuda_version"].value == "12.8"


def test_a_driver_without_gpu_has_answered(nvml_folder: Path, cuda_folder: Path) -> None:
    for folder in (nvml_folder, cuda_folder):
        done = run("--json", LD_LIBRARY_PATH=str(folder))
        assert (done.returncode, parse_profile(done.stdout.encode(), "test").unanswered) == (0, {})


def test_a_limit_for_all_sources(nvml_folder: Path) -> None:
    done = run("--json", "--timeout", "3", LD_LIBRARY_PATH=str(nvml_folder), FAKE_SLEEP_MS="600000")
    assert done.returncode == 3
    profile = parse_profile(done.stdout.encode(), "test")
    assert profile.unanswered == {"nvidia": "NVML did not answer in 3 s; is a GPU hung?"}


@pytest.mark.parametrize(
    "arguments", [["--yaml"], ["--timeout"], ["--timeout", "soon"], ["--timeout", "0"], ["--timeout", "nan"]]
)
def test_wrong_usage(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("usage:")
    assert run("--help").stdout.startswith("usage:")
