"""`variant-index machine`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.torch_variant_provider.conftest import build_library, clean_environment
from variant_index.model.machine import parse_profile


@pytest.fixture(scope="module")
def nvml_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_library("fake_nvml.c", tmp_path_factory.mktemp("nvml"), "libnvidia-ml.so.1")


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from variant_index.cli import main; raise SystemExit(main())", *arguments],
        env={**clean_environment(), **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_json_is_the_contract() -> None:
    done = run("machine", "--json", NV_PROVIDER_FORCE_DRIVER_VERSION="12.8")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert list(document) == ["properties", "feature_order", "facts", "notes", "unanswered"]
    assert document["feature_order"]["nvidia"] == ["cuda_version_lower_bound", "cuda_version_upper_bound"]
    parse_profile(done.stdout.encode(), "test")


def test_table() -> None:
    done = run(
        "machine",
        NV_VARIANT_PROVIDER_FORCE_SM_ARCH="bad",
        AMD_VARIANT_PROVIDER_FORCE_ROCM_VERSION="6.4",
    )
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["amd", "rocm_version", "6.4", "AMD_VARIANT_PROVIDER_FORCE_ROCM_VERSION"] in rows
    assert done.stderr.startswith("warning: NV_VARIANT_PROVIDER_FORCE_SM_ARCH: 'bad' is not a list")
    assert "'bad'" not in done.stdout
    assert "note: NVML: " in done.stdout


def test_a_machine_without_gpu() -> None:
    done = run("machine")
    assert done.stdout.startswith("No GPU driver was found.\n")


def test_a_machine_of_which_nothing_is_known_is_not_silent() -> None:
    done = run("machine", "--machine", "cpu")
    assert done.stdout == "No GPU, and a processor of which nothing is known.\n"


def test_a_driver_beyond_the_list_says_so() -> None:
    done = run("machine", "--machine", "cuda99.9")
    assert (
        "\nnote: CUDA 99.9 is newer than all versions that variants can ask for, and counts as 30.20\n"
        in (done.stdout)
    )
    assert "newer than all" not in run("machine", "--machine", "cuda30.20").stdout
    assert "newer than all" not in run("machine", "--machine", "cuda13.0").stdout


def test_a_saved_profile_is_read_elsewhere(tmp_path: Path) -> None:
    file = tmp_path / "box.json"
    done = run("machine", "--save", str(file), NV_PROVIDER_FORCE_DRIVER_VERSION="11.8")
    assert (done.returncode, done.stderr) == (0, f"wrote {file}\n")
    assert "11.8" in done.stdout
    assert list(tmp_path.iterdir()) == [file]
    again = run("machine", "--machine", str(file), "--json")
    assert again.stdout == file.read_text()
    assert run("machine", "--json", VARIANT_INDEX_MACHINE=str(file)).stdout == file.read_text()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    done = run("machine", "--save", str(tmp_path / "no" / "box.json"))
    assert done.returncode == 2
    assert done.stderr == f"error: {tmp_path}/no/box.json: there is no such folder to write it in\n"


def test_a_place_that_cannot_be_written_is_named() -> None:
    place = "/proc/box.json"
    if not Path("/proc").is_dir():
        pytest.skip("needs a folder that nobody may write to")
    done = run("machine", "--machine", "cpu", "--save", place)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {place}: it cannot be written: ")


def test_the_status_of_a_driver_that_does_not_answer_is_documented_and_one(nvml_folder: Path) -> None:
    variables = {"LD_LIBRARY_PATH": str(nvml_folder), "FAKE_INIT_CODE": "999"}
    provider = [sys.executable, "-m", "torch_variant_provider"]
    done = subprocess.run(provider, env={**clean_environment(), **variables}, capture_output=True, timeout=60)
    assert (done.returncode, run("machine", **variables).returncode) == (3, 3)
    assert "status 3" in run("machine", "--help").stdout
    help_text = subprocess.run([*provider, "--help"], capture_output=True, text=True, timeout=60).stdout
    assert "3 a driver" in help_text


def test_named_machines() -> None:
    done = run("machine", "--machine", "cuda12.8-sm90")
    assert "No GPU" not in done.stdout
    assert ["nvidia", "cuda_version", "12.8", "cuda12.8-sm90"] in [
        line.split() for line in done.stdout.splitlines()
    ]
    done = run("machine", "--machine", "cuda12.8-smx")
    assert done.returncode == 2
    assert done.stderr.startswith("error: machine 'cuda12.8-smx': 'x' is not")


def test_a_driver_that_does_not_answer(nvml_folder: Path, tmp_path: Path) -> None:
    """What is known is shown all the same, but nothing is saved that would choose CPU builds."""
    variables = {"LD_LIBRARY_PATH": str(nvml_folder), "FAKE_INIT_CODE": "999"}
    for arguments in ([], ["--json"]):
        done = run("machine", "--save", str(tmp_path / "x.json"), *arguments, **variables)
        assert done.returncode == 3
        assert "level" in done.stdout or "version" in done.stdout
        assert done.stderr.splitlines()[-1].startswith("error: GPU not detected: NVML: Unknown (code 999); ")
    assert not (tmp_path / "x.json").exists()
    for allowed in (["--on-detection-failure", "cpu"], []):
        variables["VARIANT_INDEX_ON_DETECTION_FAILURE"] = "" if allowed else "cpu"
        done = run("machine", "--save", str(tmp_path / "x.json"), *allowed, **variables)
        assert done.returncode == 0, done.stderr
        assert "nvidia" not in parse_profile((tmp_path / "x.json").read_bytes(), "x").properties


def test_a_hung_driver(nvml_folder: Path) -> None:
    done = run(
        "machine", "--detection-timeout", "3", LD_LIBRARY_PATH=str(nvml_folder), FAKE_SLEEP_MS="600000"
    )
    assert done.returncode == 3
    assert "not detected: NVML did not answer in 3 s" in done.stderr


def test_warnings() -> None:
    done = run("machine", "--json", NV_PROVIDER_FORCE_DRIVER_VERSION="abc")
    assert done.returncode == 0
    assert done.stderr.startswith("warning: NV_PROVIDER_FORCE_DRIVER_VERSION: 'abc' ")


def test_bad_usage() -> None:
    assert run("machine", "--detection-timeout", "0").returncode == 2
    assert run("machine", "--on-detection-failure", "gpu").returncode == 2
    assert "Examples:" in run("machine", "--help").stdout
