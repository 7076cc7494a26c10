"""Machines by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from variant_index.detection.named import MachineNameError, forced_by_name, is_name, named_machine
from variant_index.errors import InputError

LOWER, SM = "cuda_version_lower_bound", "sm_arch"


def test_cpu() -> None:
    assert named_machine("cpu").properties == {}


def test_cuda() -> None:
    profile = named_machine("cuda12.8-sm90")
    assert list(profile.properties) == ["nvidia"]
    assert profile.properties["nvidia"][LOWER][0] == "12.8"
    assert profile.properties["nvidia"][SM][:2] == ["90_real", "90_virtual"]
    assert profile.facts["nvidia"]["cuda_version"].source == "cuda12.8-sm90"
    assert profile.facts["nvidia"]["compute_capability"].value == ["9.0"]


def test_several_gpus() -> None:
    assert named_machine("cuda13.0-sm75,86").properties["nvidia"][SM][:2] == ["86_real", "85_real"]


def test_rocm() -> None:
    properties = named_machine("rocm6.4-gfx942,gfx1100").properties
    assert properties == {
        "amd": {"gfx_arch": ["gfx1100", "gfx942"], "rocm_version": ["6.4", "6.3", "6.2", "6.1", "6.0"]}
    }


def test_everything_at_once() -> None:
    profile = named_machine("gfx942-CUDA12.8-xpu20.2.0-rocm7.0-x86_64_v3-armv8.2a")
    assert list(profile.properties) == ["nvidia", "amd", "intel", "x86_64", "aarch64"]
    assert profile.properties["x86_64"]["level"] == ["v3", "v2", "v1"]
    assert {fact.source for found in profile.facts.values() for fact in found.values()} == {
        "gfx942-CUDA12.8-xpu20.2.0-rocm7.0-x86_64_v3-armv8.2a"
    }


def test_the_answer_does_not_depend_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NV_PROVIDER_FORCE_DRIVER_VERSION", "11.8")
    monkeypatch.setenv("HSA_OVERRIDE_GFX_VERSION", "10.3.0")
    assert named_machine("cpu").properties == {}


@pytest.mark.parametrize("name", ["cuda", "gpu-box", "cuda12.8-", "", "-", "cuda12.8--sm90", "machine.json"])
def test_what_is_no_name(name: str) -> None:
    assert not is_name(name)
    with pytest.raises(MachineNameError, match="no part of a name such as"):
        named_machine(name)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("cudax", "'x' is not a CUDA version"),
        ("cuda12.8-smx", "'x' is not a list of compute capabilities"),
        ("gfx9zz", "'gfx9zz' is not a list of AMD architectures"),
        ("rocmx-gfx942", "'x' is not a ROCm version"),
        ("xpu20", "'20' is not a list of Intel device IP versions"),
        ("x86_64_v0", "'x86_64_v0' is not a value such as"),
        ("armv7", "'armv7' is not a value such as"),
        ("cuda12.8-cuda12.4", "'cuda12.4' says it twice"),
        ("cpu-cuda12.8", "cpu is a machine without GPU"),
        ("gfx942-cpu", "cpu is a machine without GPU"),
    ],
)
def test_a_bad_part_is_named(name: str, rule: str) -> None:
    assert is_name(name)
    with pytest.raises(MachineNameError, match=rule) as caught:
        named_machine(name)
    assert str(caught.value).startswith(f"machine '{name}': ")


@given(st.text(max_size=40) | st.text("cudasmrocgfxpuv-.,_0123456789", max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        named_machine(text)
    except InputError as error:
        message = str(error)
    else:
        assert is_name(text)
        message = ", ".join(forced_by_name(text))
    assert message.isprintable()
