"""From facts to properties: what is emitted, in which order, and that all of it was announced."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torch_variant_provider.amd import properties as amd
from torch_variant_provider.amd.gfx import gfx_of_target_version, normal_gfx
from torch_variant_provider.facts import Fact, Knowledge, Value
from torch_variant_provider.intel import properties as intel
from torch_variant_provider.nvidia import properties as nvidia
from torch_variant_provider.nvidia.capability import capability_of_driver
from torch_variant_provider.overrides import (
    VARIABLES,
    amd_overrides,
    hsa_override,
    intel_overrides,
    nvidia_overrides,
)
from torch_variant_provider.plugin import AmdPlugin, NvidiaPlugin
from torch_variant_provider.versions import cuda_version_text, version_text

LOWER, UPPER, SM = "cuda_version_lower_bound", "cuda_version_upper_bound", "sm_arch"


def known(**values: Value) -> Knowledge:
    return Knowledge({name: Fact(value, "test") for name, value in values.items()}, [])


def test_bounds_of_a_version() -> None:
    properties = nvidia.supported_properties(known(cuda_version="12.1"))
    assert properties[LOWER] == [
        *("12.1", "12.0", "12"),
        *(f"11.{minor}" for minor in range(20, -1, -1)),
        "11",
    ]
    assert properties[UPPER][-3:] == ["12.4", "12.3", "12.2"]
    assert properties[UPPER][0] == "30.20"
    assert "13" in properties[UPPER]
    assert not {"12", "12.1", "11.8"} & set(properties[UPPER])
    assert SM not in properties


@pytest.mark.parametrize(("major", "minor"), [(11, 0), (11, 8), (12, 0), (12, 9), (13, 4), (15, 20)])
def test_bounds_choose_as_uv_does(major: int, minor: int) -> None:
    """uv 0.13.8 names 11.0 to 15.20, upper bounds without bare majors, in the same order."""
    properties = nvidia.supported_properties(known(cuda_version=f"{major}.{minor}"))
    assert properties[LOWER][: minor + 2] == [*(f"{major}.{m}" for m in range(minor, -1, -1)), str(major)]
    of_uv = [f"{x}.{y}" for x in range(15, 10, -1) for y in range(20, -1, -1) if (x, y) > (major, minor)]
    assert [bound for bound in properties.get(UPPER, []) if bound in of_uv] == of_uv


@pytest.mark.parametrize("version", ["1.0", "10.2"])
def test_versions_no_wheel_supports(version: str) -> None:
    properties = nvidia.supported_properties(known(cuda_version=version, compute_capability=("9.0",)))
    assert LOWER not in properties
    assert properties[UPPER][-1] == "11"
    assert SM in properties


def test_no_driver_at_all() -> None:
    assert nvidia.supported_properties(known(cuda_version="none")) == {}


def test_the_newest_version_has_no_upper_bound() -> None:
    properties = nvidia.supported_properties(known(cuda_version="99.9"))
    assert properties[LOWER][0] == "30.20"
    assert UPPER not in properties


@pytest.mark.parametrize(
    ("capabilities", "first"),
    [
        (("9.0",), ["90_real", "90_virtual", "89_virtual"]),
        (("8.9",), [*(f"8{n}_real" for n in range(9, -1, -1)), "89_virtual"]),
        (("8.7",), ["87_real", "87_virtual"]),  # Tegra runs its own code only
        (("12.1", "9.0"), ["121_real", "120_real", "90_real", "121_virtual"]),
        (("31.0",), ["309_virtual"]),
        (("5.0",), ["50_real", "50_virtual"]),
    ],
)
def test_architectures(capabilities: tuple[str, ...], first: list[str]) -> None:
    properties = nvidia.supported_properties(known(compute_capability=capabilities))
    assert properties[SM][: len(first)] == first
    assert properties[SM][-1] == "50_virtual"


def test_gpus_too_old_to_name() -> None:
    properties = nvidia.supported_properties(known(cuda_version="11.4", compute_capability=("3.7",)))
    assert list(properties) == [LOWER, UPPER]


def test_amd_driver_windows() -> None:
    def releases(**facts: Value) -> list[str]:
        return amd.supported_properties(known(**facts)).get("rocm_version", [])

    gpu = ("gfx942",)
    assert releases(gfx_arch=gpu, kernel_driver="6.12.12") == [
        "7.1",
        "7.0",
        "6.4",
        "6.3",
        "6.2",
        "6.1",
        "6.0",
    ]
    assert releases(gfx_arch=gpu, kernel_driver="6.14.14")[2] == "7.0"
    assert "7.2" in releases(gfx_arch=gpu, kernel_driver="6.99.1")
    assert releases(rocm_version="7.0") == ["7.0", "6.4", "6.3", "6.2", "6.1"]
    assert releases(rocm_version="7.50")[0] == "7.20"
    assert releases(rocm_version="3.0") == []
    assert releases(rocm_version="10.0") == ["10.0", "7.14", "7.13", "7.12", "7.11"]
    assert releases(rocm_version="10.3") == ["10.3", "10.2", "10.1", "10.0", "7.14"]
    in_tree = releases(gfx_arch=("gfx1201",), kernel_driver="in-tree")
    assert in_tree[-1] == "6.4"
    assert "7.0" in in_tree
    assert releases(kernel_driver="6.12.12") == []  # a loaded module is no GPU
    assert releases(gfx_arch=gpu) == []
    assert releases(gfx_arch=gpu, installed_rocm="6.4") == ["6.4", "6.3", "6.2", "6.1", "6.0"]
    assert releases(installed_rocm="6.4") == []
    assert releases(rocm_version="none", gfx_arch=gpu, kernel_driver="6.12.12") == []


def test_amd_features_put_the_architecture_first() -> None:
    properties = amd.supported_properties(
        known(gfx_arch=("gfx1100", "gfx90a", "gfx1100"), rocm_version="6.4")
    )
    assert list(properties) == ["gfx_arch", "rocm_version"]
    assert properties["gfx_arch"] == ["gfx1100", "gfx90a"]


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (90010, "gfx90a"),
        (90402, "gfx942"),
        (90500, "gfx950"),
        (110501, "gfx1151"),
        (120001, "gfx1201"),
        (120500, "gfx1250"),
        (100306, "gfx1036"),
        (80003, "gfx803"),
        (0, None),
        (92000, None),
        (10**18, None),
    ],
)
def test_target_versions(number: int, name: str | None) -> None:
    assert gfx_of_target_version(number) == name


VERSIONS = st.builds(lambda x, y: f"{x}.{y}", st.integers(0, 9999), st.integers(0, 9999)) | st.just("none")
CAPABILITIES = st.lists(st.builds(lambda x, y: f"{x}.{y}", st.integers(1, 99), st.integers(0, 9)), max_size=8)
GFX = st.lists(st.builds("gfx{}{:x}{:x}".format, st.integers(1, 25), st.integers(0, 15), st.integers(0, 15)))
DRIVERS = st.sampled_from(["in-tree", "nonsense"]) | VERSIONS


def announced(supported: dict[str, list[str]], everything: dict[str, list[str]]) -> None:
    for feature, values in supported.items():
        assert values
        assert len(set(values)) == len(values)
        assert set(values) <= set(everything[feature])


@given(version=VERSIONS, capabilities=CAPABILITIES)
def test_nvidia_supported_is_part_of_all(version: str, capabilities: list[str]) -> None:
    facts = known(cuda_version=version, compute_capability=tuple(capabilities))
    announced(nvidia.supported_properties(facts), nvidia.all_properties())


@given(architectures=GFX, driver=DRIVERS, forced=VERSIONS | st.none())
def test_amd_supported_is_part_of_all(architectures: list[str], driver: str, forced: str | None) -> None:
    facts = known(gfx_arch=tuple(architectures), kernel_driver=driver)
    if forced is not None:
        facts.facts["rocm_version"] = Fact(forced, "test")
    announced(amd.supported_properties(facts), amd.all_properties())


NUMBERS = st.text("0123456789.,sm_gfxabc -", max_size=14)


@given(cuda=NUMBERS, sm=NUMBERS, gfx=NUMBERS, rocm=NUMBERS)
def test_forced_values_are_part_of_all(cuda: str, sm: str, gfx: str, rocm: str) -> None:
    environ = {
        "NV_PROVIDER_FORCE_DRIVER_VERSION": cuda,
        "NV_VARIANT_PROVIDER_FORCE_SM_ARCH": sm,
        "AMD_VARIANT_PROVIDER_FORCE_GFX_ARCH": gfx,
        "AMD_VARIANT_PROVIDER_FORCE_ROCM_VERSION": rocm,
    }
    announced(nvidia.supported_properties(nvidia_overrides(environ)), nvidia.all_properties())
    announced(amd.supported_properties(amd_overrides(environ)[0]), amd.all_properties())


@given(st.dictionaries(st.sampled_from(VARIABLES), NUMBERS | VERSIONS | st.text(max_size=8)))
def test_whatever_is_forced_is_part_of_all(environ: dict[str, str]) -> None:
    of_amd, _ = amd_overrides(environ)
    override, _ = hsa_override(environ)
    if override is not None:
        of_amd.facts["gfx_arch"] = Fact((override, *of_amd.texts("gfx_arch")), "test")
    announced(nvidia.supported_properties(nvidia_overrides(environ)), nvidia.all_properties())
    announced(amd.supported_properties(of_amd), amd.all_properties())
    announced(intel.supported_properties(intel_overrides(environ)), intel.all_properties())


@given(major=st.integers(-(2**31), 2**31 - 1), minor=st.integers(-(2**31), 2**31 - 1))
def test_whatever_a_driver_says_is_part_of_all(major: int, minor: int) -> None:
    version, capability = cuda_version_text(major), capability_of_driver(major, minor)
    facts = known(
        cuda_version=version or "none",
        compute_capability=() if capability is None else (version_text(capability),),
    )
    supported = nvidia.supported_properties(facts)
    announced(supported, nvidia.all_properties())
    assert (major >= 11000) == ("cuda_version_lower_bound" in supported)
    assert (major >= 5 and minor >= 0) == ("sm_arch" in supported)


@pytest.mark.parametrize("plugin", [NvidiaPlugin, AmdPlugin])
def test_announced_values_are_legal(plugin: type[NvidiaPlugin]) -> None:
    from variant_index.model.machine import MachineProfile

    configs = plugin.get_all_configs()
    MachineProfile(
        properties={plugin.namespace: {config.name: config.values for config in configs}},
        feature_order={plugin.namespace: [config.name for config in configs]},
    )
    assert all(len(set(config.values)) == len(config.values) for config in configs)
    assert normal_gfx("gfx942") == "gfx942"
