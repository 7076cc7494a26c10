from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.documents import documents, supported
from tests.making import document
from variant_index.detection.named import named_machine
from variant_index.model.document import parse_document
from variant_index.selection.explanation import explain_match, explain_mismatch
from variant_index.selection.ordering import priorities, sort_key

Nested = dict[str, dict[str, list[str]]]

_LOWER, _UPPER, _SM = "cuda_version_lower_bound", "cuda_version_upper_bound", "sm_arch"
_DRIVER: Nested = {"nvidia": {_LOWER: ["12.8", "12.7", "12"], _UPPER: ["13.0", "12.9"]}}
_GPU: Nested = {"nvidia": {**_DRIVER["nvidia"], _SM: ["89_real", "86_real", "80_real", "80_virtual"]}}
_AMD: Nested = {"amd": {"rocm_version": ["6.4", "6.3"], "gfx_arch": ["gfx1100"]}}
_CPU: Nested = {"x86_64": {"level": ["v2", "v1"]}, "aarch64": {"version": ["8.2a", "8a"]}}
_PROVIDERS: dict[str, Any] = {
    **{name: {"requires": ["x"]} for name in ("intel", "x86_64", "aarch64", "mine", "elsewhere")},
    "rank": {"static-properties": {"order": ["first", "second"]}},
    "shy": {"requires": ["x"], "optional": True},
    "own": {"builtin": "x"},
}
_NAMESPACES = ["nvidia", "amd", *_PROVIDERS]


def _why(properties: Nested, machine: Nested) -> str | None:
    read = parse_document(json.dumps(document({"a": properties}, _NAMESPACES, _PROVIDERS)).encode(), "x")
    placed = priorities(read, machine)
    reason = explain_mismatch(properties, read, placed)
    return explain_match(properties, placed) if reason is None else reason


@pytest.mark.parametrize(
    ("machine", "properties", "reason"),
    [
        (_GPU, {"nvidia": {_LOWER: ["13.0"]}}, "needs CUDA ≥ 13.0, driver supports 12.8"),
        (_GPU, {"nvidia": {_LOWER: ["13.10", "13.2"]}}, "needs CUDA ≥ 13.2, driver supports 12.8"),
        (_GPU, {"nvidia": {_UPPER: ["12.0"]}}, "needs CUDA < 12.0, driver supports 12.8"),
        (_GPU, {"nvidia": {_SM: ["90_real"]}}, "needs compute capability 9.0, GPU has 8.9"),
        (_GPU, {"nvidia": {_SM: ["90a_real"]}}, "needs compute capability 9.0a, GPU has 8.9"),
        (
            _GPU,
            {"nvidia": {_SM: ["100_real", "120_virtual", "90_real"]}},
            "needs compute capability 9.0, 10.0 or ≥ 12.0, GPU has 8.9",
        ),
        (
            _DRIVER,
            {"nvidia": {_SM: ["90_real"]}},
            "needs compute capability 9.0, no GPU's compute capability is known",
        ),
        (
            {"nvidia": {_SM: ["90_real"]}},
            {"nvidia": {_LOWER: ["12.0"]}},
            "needs CUDA ≥ 12.0, the driver's CUDA version is not known",
        ),
        (
            {"nvidia": {_SM: ["90_real"]}},
            {"nvidia": {_UPPER: ["12.0"]}},
            "needs CUDA < 12.0, the driver's CUDA version is not known",
        ),
        ({}, {"nvidia": {_LOWER: ["12.0"]}}, "needs CUDA ≥ 12.0, no NVIDIA driver or GPU found"),
        (
            {"nvidia": {_UPPER: ["30.20", "12", "11"]}},
            {"nvidia": {_LOWER: ["12.0"]}},
            "needs CUDA ≥ 12.0, driver is below 11",
        ),
        (
            {"nvidia": {_LOWER: ["30.20", "30.19"]}},
            {"nvidia": {_UPPER: ["12.0"]}},
            "needs CUDA < 12.0, driver supports 30.20 or newer",
        ),
        ({}, {"amd": {"gfx_arch": ["gfx942"]}}, "needs GPU gfx942, no AMD GPU found"),
        ({}, {"intel": {"device_ip": ["1"]}}, "needs an Intel GPU with device IP 1, no Intel GPU found"),
        (
            _AMD,
            {"amd": {"gfx_arch": ["gfx90a", "gfx942"]}},
            "needs GPU gfx90a or gfx942, this machine has gfx1100",
        ),
        (
            {"intel": {"device_ip": ["20.1.0"]}},
            {"intel": {"device_ip": ["30.0.4", "20.4.4"]}},
            "needs an Intel GPU with device IP 30.0.4 or 20.4.4, this machine has 20.1.0",
        ),
        (_AMD, {"amd": {"rocm_version": ["7.1"]}}, "needs ROCm 7.1, driver supports 6.4 and 6.3"),
        (
            {"amd": {"gfx_arch": ["gfx942"]}},
            {"amd": {"rocm_version": ["7.1"]}},
            "needs ROCm 7.1, the driver's ROCm versions are not known",
        ),
        (_CPU, {"x86_64": {"level": ["v4", "v3"]}}, "needs an x86-64-v3 CPU, this one is x86-64-v2"),
        (_CPU, {"aarch64": {"version": ["9a"]}}, "needs an Armv9a CPU, this one is Armv8.2a"),
        ({}, {"mine": {"x": ["1"]}}, "needs mine :: x = 1, no provider here answers for namespace mine"),
        ({"mine": {"y": ["1"]}}, {"mine": {"x": ["1"]}}, "needs mine :: x = 1, this machine has none"),
        ({"mine": {"x": ["2"]}}, {"mine": {"x": ["1"]}}, "needs mine :: x = 1, this machine has 2"),
        (
            {},
            {"rank": {"order": ["third"]}},
            "needs rank :: order = third, which is not among the static properties of the release",
        ),
        (
            {"shy": {"x": ["1"]}},
            {"shy": {"x": ["1"]}},
            "needs shy :: x = 1, the provider of namespace shy is optional and not enabled",
        ),
        (
            {"own": {"x": ["1"]}},
            {"own": {"x": ["1"]}},
            "needs own :: x = 1, the provider of namespace own is built into other installers only",
        ),
        (
            {},
            {"amd": {"gfx_arch": ["x"]}, "nvidia": {_LOWER: ["12"]}},
            "needs CUDA ≥ 12, no NVIDIA driver or GPU found",
        ),
        # Reasons for a match.
        (_GPU, {}, "needs no particular hardware"),
        (_GPU, {"nvidia": {_LOWER: ["12.7", "12"]}}, "CUDA ≥ 12.7 (driver supports 12.8)"),
        (_GPU, {"nvidia": {_UPPER: ["13.0"]}}, "CUDA < 13.0 (driver is below 12.9)"),
        (
            {"nvidia": {_LOWER: ["30.20", "13.0"]}},
            {"nvidia": {_LOWER: ["13.0"]}},
            "CUDA ≥ 13.0 (driver supports 30.20 or newer)",
        ),
        (
            _GPU,
            {"nvidia": {_SM: ["80_real", "86_real"], _LOWER: ["12.8"]}},
            "CUDA ≥ 12.8 (driver supports 12.8), compute capability 8.6 (GPU has 8.9)",
        ),
        (_GPU, {"nvidia": {_SM: ["80_virtual"]}}, "compute capability ≥ 8.0 (GPU has 8.9)"),
        (_GPU, {"rank": {"order": ["second"]}}, "rank :: order = second"),
    ],
)
def test_the_words(machine: Nested, properties: Nested, reason: str) -> None:
    assert _why(properties, machine) == reason


def test_long_lists_are_cut() -> None:
    reason = _why({"mine": {"x": [str(n) for n in range(100, 200)]}}, {"mine": {"x": ["1"]}})
    assert reason is not None
    assert "107 or 92 others, this machine has 1" in reason
    reason = _why({"mine": {"x": ["9" * 5000]}}, {"mine": {"x": ["1"]}})
    assert reason is not None
    assert len(reason) <= 200


@given(documents(), supported())
def test_agrees_with_the_sort_key(content: dict[str, Any], machine: Nested) -> None:
    read = parse_document(json.dumps(content).encode(), "x")
    placed = priorities(read, machine)
    for properties in read.variants.values():
        reason = explain_mismatch(properties, read, placed)
        if sort_key(properties, placed) is None:
            assert reason is not None
        else:
            assert reason is None
            reason = explain_match(properties, placed)
        assert reason.isprintable()
        assert 0 < len(reason) <= 200


_WILD = st.from_regex(r"[a-z0-9_.]{1,30}", fullmatch=True)


@given(
    st.sampled_from(
        [
            ("nvidia", _LOWER),
            ("nvidia", _UPPER),
            ("nvidia", _SM),
            ("amd", "gfx_arch"),
            ("amd", "rocm_version"),
            ("x86_64", "level"),
            ("aarch64", "version"),
        ]
    ),
    st.lists(_WILD, min_size=1, max_size=12, unique=True),
    st.lists(_WILD, min_size=1, max_size=12, unique=True),
)
def test_known_features_with_unheard_of_values(
    name: tuple[str, str], wanted: list[str], has: list[str]
) -> None:
    reason = _why({name[0]: {name[1]: wanted}}, {name[0]: {name[1]: has}})
    assert reason is not None
    assert reason.isprintable()


def test_a_driver_that_is_newer_than_all_listed_versions() -> None:
    machine = {
        namespace: {feature: list(values) for feature, values in features.items()}
        for namespace, features in named_machine("cuda99.9").supported().items()
    }
    assert _why({"nvidia": {_LOWER: ["12.8"]}}, machine) == "CUDA ≥ 12.8 (driver supports 30.20 or newer)"
