"""Environment variables that force facts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torch_variant_provider.facts import Value
from torch_variant_provider.overrides import DISABLE_AMD, VARIABLES, amd_overrides, nvidia_overrides

CUDA, LEGACY, KMD = (
    "NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION",
    "NV_PROVIDER_FORCE_DRIVER_VERSION",
    "UV_CUDA_DRIVER_VERSION",
)
SM = "NV_VARIANT_PROVIDER_FORCE_SM_ARCH"
GFX, BOOTSTRAP, UV_GFX = (
    "AMD_VARIANT_PROVIDER_FORCE_GFX_ARCH",
    "ROCM_BOOTSTRAP_FORCE_GFX_ARCH",
    "UV_AMD_GPU_ARCHITECTURE",
)
ROCM = "AMD_VARIANT_PROVIDER_FORCE_ROCM_VERSION"


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        (CUDA, "12.8", "12.8"),
        (CUDA, " 12.8 ", "12.8"),
        (CUDA, "12", "12.0"),
        (CUDA, "12.8.1", "12.8"),
        (CUDA, "1.0", "1.0"),
        (CUDA, "570.133.20", "12.8"),
        (LEGACY, "11.8", "11.8"),
        (LEGACY, "570.133.20", "12.8"),
        (LEGACY, "none", "none"),
        (LEGACY, "None", "none"),
        (LEGACY, "0", "none"),
        (KMD, "570.133.20", "12.8"),
        (KMD, "580", "13.0"),
        (SM, "9.0", ("9.0",)),
        (SM, "90", ("9.0",)),
        (SM, "9", ("9.0",)),
        (SM, "120", ("12.0",)),
        (SM, "sm_90", ("9.0",)),
        (SM, "sm_90a", ("9.0",)),
        (SM, "8.6,9.0", ("9.0", "8.6")),
        (SM, "8.6 9.0 8.6", ("9.0", "8.6")),
        (SM, "none", ()),
        (GFX, "gfx942", ("gfx942",)),
        (GFX, "GFX90A", ("gfx90a",)),
        (GFX, "942", ("gfx942",)),
        (GFX, "gfx942:sramecc+:xnack-", ("gfx942",)),
        (GFX, "gfx90a, gfx1100", ("gfx1100", "gfx90a")),
        (GFX, "none", ()),
        (BOOTSTRAP, "gfx1201", ("gfx1201",)),
        (UV_GFX, "gfx1151", ("gfx1151",)),
        (ROCM, "7", "7.0"),
        (ROCM, "6.4.43482-0f2d60242", "6.4"),
        (ROCM, "7.0.2-1234", "7.0"),
        (ROCM, "7.0.0~rc1", "7.0"),
        (ROCM, "none", "none"),
    ],
)
def test_spellings(variable: str, text: str, value: Value) -> None:
    for knowledge in (nvidia_overrides({variable: text}), amd_overrides({variable: text})[0]):
        assert knowledge.warnings == []
        for fact in knowledge.facts.values():
            assert (fact.value, fact.source) == (value, variable)
    found = {**nvidia_overrides({variable: text}).facts, **amd_overrides({variable: text})[0].facts}
    assert len(found) == 1


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        (CUDA, "abc"),
        (CUDA, "12.x"),
        (CUDA, "-1"),
        (CUDA, "12." + "9" * 5000),
        (CUDA, "١٢.٨"),
        (CUDA, "12\u20288"),
        (KMD, "12.8"),
        (SM, "abc"),
        (SM, "9.0,abc"),
        (SM, "0.9"),
        (SM, ","),
        (SM, "1234"),
        (GFX, "gfx11-generic"),
        (GFX, "gfx942,nonsense"),
        (GFX, "gfx9zz"),
        (GFX, "gfx"),
        (ROCM, "abc.d.e"),
        (ROCM, "seven"),
    ],
)
def test_a_bad_value_is_named_and_ignored(variable: str, text: str) -> None:
    warnings = []
    for knowledge in (nvidia_overrides({variable: text}), amd_overrides({variable: text})[0]):
        assert knowledge.facts == {}
        warnings += knowledge.warnings
    assert len(warnings) == 1
    assert warnings[0].startswith(f"{variable}: ")
    assert warnings[0].isprintable()
    assert len(warnings[0]) < 250


def test_the_first_usable_value_wins() -> None:
    facts = nvidia_overrides({CUDA: "12.4", LEGACY: "11.8", KMD: "580.1"}).facts
    assert (facts["cuda_version"].value, facts["cuda_version"].source) == ("12.4", CUDA)
    knowledge = nvidia_overrides({CUDA: "bad", LEGACY: "", KMD: "580.1"})
    assert (knowledge.facts["cuda_version"].value, len(knowledge.warnings)) == ("13.0", 1)
    facts = amd_overrides({GFX: "x", BOOTSTRAP: "gfx942", UV_GFX: "gfx1100"})[0].facts
    assert facts["gfx_arch"].source == BOOTSTRAP


def test_each_half_is_forced_alone() -> None:
    assert list(nvidia_overrides({CUDA: "12.4"}).facts) == ["cuda_version"]
    assert list(nvidia_overrides({CUDA: "bad", SM: "9.0"}).facts) == ["compute_capability"]


@pytest.mark.parametrize(("text", "enabled"), [("", True), ("0", True), ("1", False), ("true", False)])
def test_amd_detection_switched_off(text: str, enabled: bool) -> None:
    knowledge, found = amd_overrides({DISABLE_AMD: text, GFX: "gfx942"})
    assert found is enabled
    assert "gfx_arch" in knowledge.facts


@given(st.dictionaries(st.sampled_from(VARIABLES), st.text(max_size=40)))
def test_any_text_is_read_or_refused(environ: dict[str, str]) -> None:
    for knowledge in (nvidia_overrides(environ), amd_overrides(environ)[0]):
        assert all(warning.isprintable() for warning in knowledge.warnings)
