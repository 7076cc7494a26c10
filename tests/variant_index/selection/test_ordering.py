from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from variantlib.models.variant import VariantProperty
from variantlib.resolver.lib import sort_and_filter_supported_variants
from variantlib.variants_json import VariantsJson

from tests.documents import documents, supported
from tests.making import document
from variant_index.model.document import SCHEMA_URL, VariantsDocument, parse_document
from variant_index.model.properties import Properties
from variant_index.selection.ordering import END, priorities, rank_labels, sort_key

Content = dict[str, Any]
Nested = dict[str, dict[str, list[str]]]


def _read(content: Content) -> VariantsDocument:
    return parse_document(json.dumps(content).encode(), "test")


def _nvidia(driver: str, capability: str) -> dict[str, list[str]]:
    """Return what uv's own nvidia provider answers (CUDA version of the driver, `M.m`)."""
    major, minor = map(int, driver.split("."))
    lower = [f"{major}.{n}" for n in range(minor, -1, -1)] + [str(major)]
    for older in range(major - 1, 10, -1):
        lower += [*(f"{older}.{n}" for n in range(20, -1, -1)), str(older)]
    upper = [
        f"{a}.{b}" for a in range(15, major - 1, -1) for b in range(20, -1, -1) if (a, b) > (major, minor)
    ]
    sm_major, sm_minor = capability.split(".")
    sm = [f"{sm_major}{n}_real" for n in range(int(sm_minor), -1, -1)] + [f"{sm_major}0_virtual"]
    return {"cuda_version_lower_bound": lower, "cuda_version_upper_bound": upper, "sm_arch": sm}


_WORKED_EXAMPLE: dict[str, Nested] = {
    "cu128": {"nvidia": {"cuda_version_lower_bound": ["12.8"]}},
    "cu126_sm": {"nvidia": {"cuda_version_lower_bound": ["12.6"], "sm_arch": ["80_real", "86_real"]}},
    "cu126_v2": {"nvidia": {"cuda_version_lower_bound": ["12.6"]}, "x86_64": {"level": ["v2"]}},
    "cu126": {"nvidia": {"cuda_version_lower_bound": ["12.6"]}},
    "v3": {"x86_64": {"level": ["v3"]}},
    "null": {},
    "cu130": {"nvidia": {"cuda_version_lower_bound": ["13.0"]}},
}
_WORKED_MACHINE: Properties = {"nvidia": _nvidia("12.8", "8.9"), "x86_64": {"level": ["v3", "v2", "v1"]}}
_X86_PROVIDER = {"x86_64": {"requires": ["x86-64-variant-provider"]}}


def test_the_worked_example() -> None:
    read = _read(document(_WORKED_EXAMPLE, ["nvidia", "x86_64"], _X86_PROVIDER))
    assert rank_labels(read, _WORKED_MACHINE) == ["cu128", "cu126_sm", "cu126_v2", "cu126", "v3", "null"]


def test_the_worked_example_with_the_namespaces_swapped() -> None:
    read = _read(document(_WORKED_EXAMPLE, ["x86_64", "nvidia"], _X86_PROVIDER))
    ranked = rank_labels(read, _WORKED_MACHINE)
    assert ranked == ["v3", "cu126_v2", "cu128", "cu126_sm", "cu126", "null"]


def _torch() -> VariantsDocument:
    def cuda(lower: str, architectures: str, rank: str) -> Nested:
        values = sorted(a if "_" in a else f"{a}_real" for a in architectures.split())
        return {
            "nvidia": {"cuda_version_lower_bound": [lower], "sm_arch": values},
            "priority": {"order": [rank]},
        }

    variants: dict[str, Nested] = {
        "cuda12.6": cuda("12.0", "50 60 70 75 80 86 90", "12.6"),
        "cuda12.8": cuda("12.0", "70 75 80 86 90 100 120", "12.8"),
        "cuda13.0": cuda("13.0", "75 80 86 90 100 120 120_virtual", "13.0"),
        "xpu": {"intel": {"device_ip": ["20.1.0"]}},
        "rocm7.0": {"amd": {"rocm_version": ["7.0"], "gfx_arch": ["gfx942", "gfx1100"]}},
        "rocm7.1": {"amd": {"rocm_version": ["7.1"], "gfx_arch": ["gfx942", "gfx1100"]}},
        "null": {},
    }
    providers = {
        "intel": {"requires": ["intel-variant-provider"]},
        "priority": {"static-properties": {"order": ["13.0", "12.8", "12.6"]}},
    }
    return _read(document(variants, ["nvidia", "intel", "amd", "priority"], providers))


_CAPABILITIES = ["5.0", "6.1", "7.0", "7.5", "8.0", "8.6", "8.9", "9.0", "10.0", "11.0", "12.0", "12.1"]
_OLD, _NEW = ["null"] * 12, ["cuda12.6"] * 2 + ["cuda12.8"] * 7 + ["null"] + ["cuda12.8"] * 2
_TORCH_TABLE = {
    "11.8": _OLD,
    "12.0": _NEW,
    "12.4": _NEW,
    "12.8": _NEW,
    "13.0": ["cuda12.6"] * 2 + ["cuda12.8"] + ["cuda13.0"] * 6 + ["null"] + ["cuda13.0"] * 2,
    "13.1": ["cuda12.6"] * 2 + ["cuda12.8"] + ["cuda13.0"] * 6 + ["null"] + ["cuda13.0"] * 2,
}


@pytest.mark.parametrize("driver", _TORCH_TABLE)
def test_torch_2_10(driver: str) -> None:
    read = _torch()
    found = [rank_labels(read, {"nvidia": _nvidia(driver, capability)})[0] for capability in _CAPABILITIES]
    assert found == _TORCH_TABLE[driver]


def test_torch_2_10_on_amd() -> None:
    machine = {"amd": {"rocm_version": ["7.1", "7.0"], "gfx_arch": ["gfx942"]}}
    assert rank_labels(_torch(), machine) == ["rocm7.1", "rocm7.0", "null"]


_ORDERED = {"na": {"f": ["2", "1"], "g": ["1"]}, "nb": {"f": ["1"]}}


def test_positions_rise_by_namespace_then_feature_then_value() -> None:
    providers = {name: {"requires": ["x"]} for name in ("nb", "na")}
    placed = priorities(_read(document({}, ["nb", "na"], providers)), _ORDERED)
    assert placed == {"nb": {"f": {"1": 0}}, "na": {"f": {"2": 1, "1": 2}, "g": {"1": 3}}}
    assert sort_key({"na": {"f": ["1", "2"], "g": ["0", "1"]}, "nb": {"f": ["1"]}}, placed) == (0, 1, 3, END)
    assert sort_key({}, placed) == (END,)


def test_a_value_supported_twice_keeps_its_best_position() -> None:
    read = _read(document({}, ["na"], {"na": {"requires": ["x"]}}))
    placed = priorities(read, {"na": {"f": ["1", "2", "1"]}})
    assert sort_key({"na": {"f": ["1"]}}, placed) == (0, END)


@pytest.mark.parametrize(
    "properties",
    [
        {"nc": {"f": ["1"]}},
        {"nb": {"g": ["1"]}},
        {"nb": {"f": ["2"]}},
        {"na": {"f": ["1"]}, "nb": {"f": ["2"]}},
        {"na": {"f": ["1"], "g": ["2"]}},
    ],
)
def test_one_unsupported_feature_is_enough(properties: Nested) -> None:
    providers = {name: {"requires": ["x"]} for name in ("nb", "na")}
    placed = priorities(_read(document({}, ["nb", "na"], providers)), _ORDERED)
    assert sort_key(properties, placed) is None


@pytest.mark.parametrize(
    ("provider", "expected"),
    [
        ({"requires": ["x"]}, ["a", "b"]),
        ({"requires": ["x"], "optional": True}, []),
        ({"builtin": "x"}, []),
        ({"static-properties": {"f": ["2", "1"]}}, ["b", "a"]),
        ({"static-properties": {"f": ["2"]}}, ["b"]),
        ({"static-properties": {"f": ["2"]}, "optional": True}, []),
        ({"static-properties": {"f": ["1"], "g": ["1"]}, "feature-order": ["g", "f"]}, ["c", "a"]),
        ({"static-properties": {"f": ["1"], "g": ["1"]}, "feature-order": ["f", "g"]}, ["a", "c"]),
    ],
)
def test_who_answers_for_a_namespace(provider: dict[str, Any], expected: list[str]) -> None:
    variants: dict[str, Nested] = {
        "a": {"na": {"f": ["1"]}},
        "b": {"na": {"f": ["2"]}},
        "c": {"na": {"g": ["1"]}},
    }
    read = _read(document(variants, ["na"], {"na": provider}))
    assert rank_labels(read, {"na": {"f": ["1", "2"]}}) == expected


def test_without_providers_the_machine_answers_for_every_namespace() -> None:
    content = document({"a": {"na": {"f": ["1"]}}, "null": {}}, ["na"], {"na": {}})
    del content["providers"]
    content["$schema"] = SCHEMA_URL.replace("850/v0.2.0", "825/v0.1.1")
    assert rank_labels(_read(content), {"na": {"f": ["1"]}}) == ["a", "null"]
    assert rank_labels(_read(content), {}) == ["null"]


def test_equal_properties_are_ordered_by_label() -> None:
    same = {"na": {"f": ["1"]}}
    read = _read(document({"b": same, "a": same, "c": same}, ["na"], {"na": {"requires": ["x"]}}))
    assert rank_labels(read, same) == ["a", "b", "c"]


def _variantlib_ranks(content: Content, machine: Nested) -> list[str]:
    """Rank as `variantlib.api.get_variants_by_priority` does, given the plugins' answers."""
    theirs = VariantsJson(content)
    properties: list[VariantProperty] = []
    for namespace, provider in theirs.providers.items():
        static = bool(provider.static_properties)
        if not static and provider.optional:
            continue
        features = provider.static_properties if static else machine.get(namespace, {})
        properties += [
            VariantProperty(namespace, feature, value)
            for feature, values in features.items()
            for value in values
        ]
    ranked = sort_and_filter_supported_variants(
        list(theirs.variants.values()),
        properties,
        namespace_priorities=theirs.namespace_priorities,
        feature_priorities={name: provider.feature_order for name, provider in theirs.providers.items()},
        property_priorities={},
        filter_values=True,
    )
    labels = [variant.label for variant in ranked]
    # It offers the null variant whether the release has one or not.
    return labels if "null" in content["variants"] else labels[:-1]


@settings(max_examples=300)
@given(documents(shapes=["plugin", "static"]), supported())
def test_agrees_with_variantlib(content: Content, machine: Nested) -> None:
    expected = _variantlib_ranks(json.loads(json.dumps(content)), machine)
    assert rank_labels(_read(content), machine) == expected


@given(documents(), supported(), st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(content: Content, machine: Nested, random: Any) -> None:
    expected = rank_labels(_read(content), machine)
    variants = list(content["variants"].items())
    random.shuffle(variants)
    shuffled: dict[str, Nested] = {}
    for label, properties in variants:
        namespaces = list(properties.items())
        random.shuffle(namespaces)
        shuffled[label] = {}
        for namespace, features in namespaces:
            items = [(feature, random.sample(values, len(values))) for feature, values in features.items()]
            random.shuffle(items)
            shuffled[label][namespace] = dict(items)
    assert rank_labels(_read({**content, "variants": shuffled}), machine) == expected


@given(documents(), supported())
def test_null_is_always_supported_and_last(content: Content, machine: Nested) -> None:
    content["variants"]["null"] = {}
    assert rank_labels(_read(content), machine)[-1] == "null"
