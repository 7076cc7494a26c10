"""This machine: everything merged, and what follows when its GPUs cannot be examined."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.torch_variant_provider.conftest import build_library
from torch_variant_provider.presence import driver_present
from variant_index.detection.failure import DetectionError
from variant_index.detection.this_machine import detect_machine, examine_machine, settled
from variant_index.model.machine import MachineProfile


def gpus(profile: MachineProfile) -> list[str]:
    return [name for name in profile.properties if name not in ("x86_64", "aarch64")]


def test_a_healthy_machine(nvml: pytest.MonkeyPatch) -> None:
    profile = detect_machine()
    assert profile.facts["nvidia"]["cuda_version"].source == "NVML"
    assert profile.supported()["nvidia"]["cuda_version_lower_bound"][0] == "12.8"
    assert profile.unanswered == {}


def test_gpu_processor_and_tpu_are_one_profile(nvml: pytest.MonkeyPatch) -> None:
    nvml.setenv("X86_64_VARIANT_PROVIDER_FORCE_LEVEL", "v2")
    nvml.setenv("AARCH64_VARIANT_PROVIDER_FORCE_VERSION", "none")
    nvml.setenv("TPU_VARIANT_PROVIDER_FORCE_PRESENT", "1")
    nvml.setenv("AMD_VARIANT_PROVIDER_FORCE_GFX_ARCH", "gfx942")
    nvml.setenv("INTEL_VARIANT_PROVIDER_FORCE_DEVICE_IP", "20.2.0")
    properties = detect_machine().properties
    assert list(properties) == ["nvidia", "amd", "intel", "x86_64", "tpu"]
    assert properties["x86_64"] == {"level": ["v2", "v1"]}
    assert properties["intel"] == {"device_ip": ["20.2.0", "20.1.0"]}
    assert properties["tpu"] == {"present": ["true"]}


def test_forced_facts(clean: pytest.MonkeyPatch) -> None:
    clean.setenv("NV_PROVIDER_FORCE_DRIVER_VERSION", "11.8")
    assert detect_machine().properties["nvidia"]["cuda_version_lower_bound"][0] == "11.8"


def test_warnings_are_passed_on(clean: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clean.setenv("NV_PROVIDER_FORCE_DRIVER_VERSION", "abc")
    detect_machine()
    assert capsys.readouterr().err.startswith("NV_PROVIDER_FORCE_DRIVER_VERSION: 'abc' ")
    clean.setenv("X86_64_VARIANT_PROVIDER_FORCE_LEVEL", "abc")
    lines: list[str] = []
    detect_machine(warn=lines.append)
    assert [line.partition(":")[0] for line in lines] == [
        "NV_PROVIDER_FORCE_DRIVER_VERSION",
        "X86_64_VARIANT_PROVIDER_FORCE_LEVEL",
    ]


def test_a_hung_driver_is_an_error(nvml: pytest.MonkeyPatch) -> None:
    nvml.setenv("FAKE_SLEEP_MS", "600000")
    began = time.monotonic()
    with pytest.raises(DetectionError, match=r"not detected: NVML did not answer in 1\.5 s") as caught:
        detect_machine(1.5)
    assert time.monotonic() - began < 60
    assert str(caught.value).isprintable()
    assert "VARIANT_INDEX_ON_DETECTION_FAILURE=cpu" in str(caught.value)


def test_a_slow_driver_has_all_the_time_that_is_given(nvml: pytest.MonkeyPatch) -> None:
    """Longer than the ten seconds that it has where the host sets no limit."""
    nvml.setenv("FAKE_SLEEP_MS", "10800")
    assert "sm_arch" in detect_machine(30).properties["nvidia"]


def test_a_hung_driver_is_an_error_though_its_version_is_known(
    nvml: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without the GPUs no build that names architectures fits: that would be CPU builds in silence."""
    folder = build_library("fake_cuda.c", tmp_path / "cuda", "libcuda.so.1")
    nvml.setenv("LD_LIBRARY_PATH", f"{os.environ['LD_LIBRARY_PATH']}:{folder}")
    nvml.setenv("FAKE_CUINIT_CODE", "999")
    nvml.setenv("FAKE_CUDA_GPUS", "9.0")
    nvml.setenv("FAKE_INIT_CODE", "999")
    profile = examine_machine(warn=lambda _line: None)
    assert list(profile.properties["nvidia"]) == ["cuda_version_lower_bound", "cuda_version_upper_bound"]
    with pytest.raises(DetectionError, match=r"NVML: Unknown \(code 999\)"):
        settled(profile, None, None)
    assert gpus(settled(profile, lambda _line: None, "cpu")) == []


@pytest.mark.parametrize(("variable", "value"), [("FAKE_ABORT", "init"), ("FAKE_INIT_CODE", "999")])
def test_a_driver_that_does_not_answer_is_no_cpu_machine(
    nvml: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    nvml.setenv(variable, value)
    for on_failure in (None, "error"):
        with pytest.raises(DetectionError, match="a GPU driver is present but did not say"):
            detect_machine(on_failure=on_failure)
    lines: list[str] = []
    assert gpus(detect_machine(warn=lines.append, on_failure="cpu")) == []
    assert lines[-1].startswith("GPU not detected: NVML: ")
    nvml.setenv("NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION", "none")
    assert gpus(detect_machine()) == []


def test_one_vendors_failure_leaves_the_other_when_allowed(nvml: pytest.MonkeyPatch) -> None:
    nvml.setenv("FAKE_ABORT", "init")
    nvml.setenv("AMD_VARIANT_PROVIDER_FORCE_GFX_ARCH", "gfx942")
    assert gpus(detect_machine(warn=lambda _line: None, on_failure="cpu")) == ["amd"]


@pytest.mark.parametrize(("present", "on_failure"), [(True, None), (True, "error"), (False, "error")])
def test_a_failing_child_is_an_error(clean: pytest.MonkeyPatch, present: bool, on_failure: None) -> None:
    clean.setattr("variant_index.detection.this_machine.driver_present", lambda: present)
    clean.setattr("variant_index.detection.child.sys.executable", "/bin/false")
    with pytest.raises(DetectionError, match=r"not detected: GPU detection failed \(status 1\)"):
        detect_machine(on_failure=on_failure)


@pytest.mark.parametrize(("present", "on_failure"), [(False, None), (False, "cpu"), (True, "cpu")])
def test_a_failing_child_where_it_is_no_error(
    clean: pytest.MonkeyPatch, present: bool, on_failure: None
) -> None:
    clean.setattr("variant_index.detection.this_machine.driver_present", lambda: present)
    clean.setattr("variant_index.detection.child.sys.executable", "/bin/false")
    lines: list[str] = []
    profile = detect_machine(warn=lines.append, on_failure=on_failure)
    assert gpus(profile) == []
    assert lines == profile.notes[:1]
    assert lines[0].endswith("builds without GPU are chosen")


def test_signs_of_a_driver(tmp_path: Path, clean: pytest.MonkeyPatch) -> None:
    assert not driver_present(str(tmp_path))
    for sign in ("dev/kfd", "dev/nvidiactl", "usr/lib/wsl/lib/libcuda.so.1"):
        root = tmp_path / sign.replace("/", "-")
        (root / sign).parent.mkdir(parents=True)
        (root / sign).touch()
        assert driver_present(str(root))
