"""Targets other than this machine, by the names that installers give them."""

from __future__ import annotations

import platform
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from variant_index.detection.settings import DetectionSettings
from variant_index.detection.target import foreign_platform, target_machine

LINUX, MAC, WINDOWS = "linux_x86_64", "darwin_arm64", "win32_AMD64"
HERE = f"{sys.platform}_{platform.machine()}"


@pytest.mark.parametrize(
    ("platforms", "host", "foreign"),
    [
        (["manylinux2014_x86_64", "manylinux_2_28_x86_64", "linux_x86_64"], LINUX, None),
        (["musllinux_1_2_x86_64", "any"], LINUX, None),
        (["manylinux2014_x86_64", "manylinux2014_aarch64"], LINUX, "manylinux2014_aarch64"),
        (["manylinux2014_i686"], LINUX, "manylinux2014_i686"),
        (["win_amd64"], LINUX, "win_amd64"),
        (["macosx_11_0_arm64"], LINUX, "macosx_11_0_arm64"),
        (["macosx_10_9_x86_64"], LINUX, "macosx_10_9_x86_64"),
        (["macosx_11_0_arm64", "macosx_10_9_universal2"], MAC, None),
        (["macosx_10_9_x86_64"], MAC, "macosx_10_9_x86_64"),
        (["manylinux2014_aarch64"], MAC, "manylinux2014_aarch64"),
        (["win_amd64"], WINDOWS, None),
        (["win32"], WINDOWS, "win32"),
        (["win_arm64"], WINDOWS, "win_arm64"),
        (["x86_64-unknown-linux-gnu"], LINUX, None),
        (["x86_64-manylinux_2_28"], LINUX, None),
        (["aarch64-unknown-linux-gnu"], LINUX, "aarch64-unknown-linux-gnu"),
        (["aarch64-apple-darwin"], MAC, None),
        (["x86_64-pc-windows-msvc"], WINDOWS, None),
        (["plan9_mips"], LINUX, "plan9_mips"),
        ([], LINUX, None),
    ],
)
def test_platforms(platforms: list[str], host: str, foreign: str | None) -> None:
    assert foreign_platform(platforms, host) == foreign


def test_of_another_processor_only_the_least_is_certain() -> None:
    profile, (warning,) = target_machine(["manylinux2014_aarch64", "manylinux_2_28_aarch64"], {})
    assert profile.properties == {"aarch64": {"version": ["8a"]}}
    assert profile.facts["aarch64"]["version"].source == "target platform"
    assert "manylinux2014_aarch64" in warning
    assert "VARIANT_INDEX_MACHINE" in warning
    assert target_machine(["win_amd64"], {})[0].properties == {"x86_64": {"level": ["v1"]}}
    assert target_machine(["win_amd64", "linux_aarch64", "any"], {})[0].properties == {}
    assert target_machine(["linux_riscv64"], {})[0].properties == {}


def test_a_mac_lacks_no_gpu_driver() -> None:
    profile, warnings = target_machine(["macosx_11_0_arm64"], {})
    assert (profile.properties, warnings) == ({"aarch64": {"version": ["8a"]}}, [])
    assert target_machine(["macosx_11_0_universal2"], {})[0].properties == {}


def test_what_is_forced_holds_for_every_target() -> None:
    """Builders without a GPU name the target's in the environment."""
    environ = {
        "NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION": "13.0",
        "NV_VARIANT_PROVIDER_FORCE_SM_ARCH": "9.0",
        "AMD_VARIANT_PROVIDER_FORCE_GFX_ARCH": "none",
        "AARCH64_VARIANT_PROVIDER_FORCE_VERSION": "8.2a",
    }
    profile, warnings = target_machine(["linux_aarch64"], environ)
    assert warnings == []
    assert list(profile.properties) == ["nvidia", "aarch64"]
    assert profile.properties["nvidia"]["cuda_version_lower_bound"][0] == "13.0"
    assert profile.properties["aarch64"] == {"version": ["8.2a", "8.1a", "8a"]}
    assert profile.facts["nvidia"]["cuda_version"].source == "NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION"
    bad = target_machine(["linux_aarch64"], {"NV_VARIANT_PROVIDER_FORCE_SM_ARCH": "bad"})[1]
    assert bad[0].startswith("NV_VARIANT_PROVIDER_FORCE_SM_ARCH: ")
    assert len(bad) == 2


@given(st.lists(st.text()), st.text())
def test_any_platform_is_read(platforms: list[str], host: str) -> None:
    foreign_platform(platforms, host)
    for warning in target_machine(platforms, {})[1]:
        assert warning.isprintable()


def test_for_another_target_this_machine_is_not_asked(nvml: pytest.MonkeyPatch) -> None:
    nvml.setenv("FAKE_SLEEP_MS", "600000")
    other = "linux_aarch64" if platform.machine() == "x86_64" else "linux_x86_64"
    lines: list[str] = []
    began = time.monotonic()
    profile = DetectionSettings().profile(lines.append, [other])
    assert time.monotonic() - began < 60
    assert "nvidia" not in profile.properties
    assert len(lines) == 1


def test_for_this_machines_own_platform_it_is(nvml: pytest.MonkeyPatch) -> None:
    assert "nvidia" in DetectionSettings().profile(platforms=[HERE, "any"]).properties


def test_a_named_machine_is_that_for_every_target(clean: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    settings = DetectionSettings("cuda12.8-sm90")
    assert "nvidia" in settings.profile(lines.append, ["linux_aarch64"]).properties
    assert lines == []
