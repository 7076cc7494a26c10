from __future__ import annotations

import contextlib
import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from variantlib.variants_json import VariantsJson

from tests.documents import documents, supported
from tests.making import document
from tests.variant_index.generations.samples import NVIDIA_API, SCHEMAS, old, plugin
from variant_index.generations.convert import GENERATIONS, Generation, convert
from variant_index.generations.read import read_document
from variant_index.model.document import (
    SCHEMA_URL,
    DocumentError,
    Provider,
    VariantsDocument,
    parse_document,
)
from variant_index.selection.ordering import rank_labels

CUDA = {"nvidia": {"cuda_version_lower_bound": ["12.0"]}}
ROCM = {"amd": {"gfx_arch": ["gfx1100", "gfx942"], "rocm_version": ["7.0"]}}
TORCH = {"abi_dependency": {"torch": ["2.9.0"]}}
RANKED = {"nvidia": {"cuda_version_lower_bound": ["12.0"]}, "rank": {"order": ["2"]}}
UV_LOSES = "providers.nvidia.requires"


def _convert(content: object, to: Generation = "0.2.0", **options: Any) -> tuple[dict[str, Any], list[str]]:
    """Return the converted document and the paths of its notices."""
    converted = convert(json.dumps(content).encode(), "x-1-variants.json", to, **options)
    return json.loads(converted.data), [notice.path for notice in converted.notices]


def _refusal(content: object, to: Generation = "0.2.0") -> str:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    with pytest.raises(DocumentError) as refused:
        convert(data, "x-1-variants.json", to)
    assert str(refused.value).startswith("x-1-variants.json: ")
    assert str(refused.value).isprintable()
    return str(refused.value)


def _read(content: object) -> VariantsDocument:
    return read_document(json.dumps(content).encode(), "x")


# Shapes of documents that indexes publish, with what is lost on the way to the form with providers.
PUBLISHED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "torch 2.8, before the schemas had numbers": (
        old(
            {"00000000": {}, "cu126": {"nvidia": {"cuda_version_lower_bound": ["12.6"]}}},
            {"nvidia": plugin() | {"enable-if": "platform_system == 'Linux'"}},
            schema="",
        ),
        ["providers.nvidia.enable-if", "variants.00000000"],
    ),
    "torch 2.9, a rank from plugin-use none": (
        old(
            {"cuda13.0": RANKED, "null": {}, "rocm": ROCM},
            {
                "amd": plugin(
                    "amd-variant-provider>=0.0.2,<1.0.0", "amd_variant_provider.plugin:AMDVariantPlugin"
                ),
                "nvidia": plugin("nvidia-variant-provider>=0.0.2,<1.0.0"),
                "rank": {"plugin-use": "none", "requires": []},
            },
            schema="v0.0.2.json",
            values={"rank": {"order": ["1", "2", "3"]}},
        ),
        [UV_LOSES],
    ),
    "torch 2.10, the same under the name of v0.0.3": (
        old(
            {"cuda13.0": RANKED, "null": {}},
            {"nvidia": plugin(), "rank": {"install-time": False, "requires": []}},
            values={"rank": {"order": ["1", "2", "3"]}},
        ),
        ["default-priorities.property.rank"],
    ),
    "torch 2.11, static properties": (
        old(
            {"cuda13.0": RANKED, "null": {}},
            {"nvidia": plugin(), "rank": {"install-time": False, "requires": []}},
            static={"rank": {"order": ["1", "2", "3"]}},
        ),
        [],
    ),
    "xgboost, empty tables and defaults spelled out": (
        old(
            {"cu12": CUDA},
            {"nvidia": plugin() | {"install-time": True}},
            feature={},
            values={},
            static={},
        ),
        [],
    ),
    "numpy, a library chosen ahead of time": (
        old(
            {
                "mkl": {"blas": {"provider": ["mkl"]}, "x86_64": {"level": ["v4"]}},
                "openblas": {"blas": {"provider": ["openblas"]}},
            },
            {
                "x86_64": plugin("provider-variant-x86-64", "provider_variant_x86_64.plugin:X8664Plugin")
                | {"install-time": True, "enable-if": "platform_machine == 'x86_64'"},
                "blas": {"install-time": False, "requires": ["blas-variant-provider"]},
            },
            feature={"blas": ["provider"]},
            values={"blas": {"provider": ["accelerate", "openblas", "mkl"]}},
            static={"blas": {"provider": ["accelerate", "openblas", "mkl"]}},
        ),
        ["providers.x86_64.enable-if", "providers.blas.requires"],
    ),
    "flash-attn, v0.0.3, not listed": (
        old({"pyt2.9": TORCH | CUDA, "cu12": CUDA}, {"nvidia": plugin()}),
        ["variants.pyt2.9"],
    ),
    "flash-attn, v0.0.2, listed": (
        old(
            {"pyt2.9": TORCH | CUDA, "null": {}},
            {"nvidia": plugin(), "abi_dependency": {"plugin-use": "none"}},
            schema="v0.0.2.json",
        ),
        ["variants.pyt2.9"],
    ),
    "only the null variant, no namespace": (
        old({"null": {}}, {}),
        ["default-priorities.namespace"],
    ),
    "a plugin we do not know, reordered": (
        old(
            {"a2": {"npu": {"kind": ["a3"], "torch": ["2.10.0"]}}},
            {"npu": plugin("npu-variant-provider>=0.1", "npu_variant_provider.plugin:NpuPlugin")},
            feature={"npu": ["kind", "torch"]},
            values={"npu": {"kind": ["a3", "910b"], "torch": ["2.10.0", "2.8.0"]}},
        ),
        [
            "default-priorities.feature.npu",
            "default-priorities.property.npu.kind",
            "default-priorities.property.npu.torch",
        ],
    ),
    "the first drafts: single values, priorities as lists of properties": (
        old(
            {"b3b0305c": {"ns1": {"f1": "v1"}, "ns2": {"f2": "v1"}}, "00000000": {}},
            {"ns1": plugin("ns1-pkg >= 1.0.0", "ns1_pkg:Plugin"), "ns2": plugin("ns2_pkg", "ns2_pkg:Plugin")},
            schema="",
            feature=["ns2 :: f2", "ns1 :: f1"],
            values=["ns2 :: f2 :: v2", "ns1::f1::v1"],
        ),
        [
            "default-priorities.feature.ns1",
            "default-priorities.property.ns1.f1",
            "default-priorities.feature.ns2",
            "default-priorities.property.ns2.f2",
            "variants.00000000",
        ],
    ),
    "without a schema, as PEP 817's examples": (
        {
            name: value
            for name, value in old({"a": CUDA}, {"nvidia": plugin() | {"plugin-use": "all"}}).items()
            if name != "$schema"
        },
        [],
    ),
    "keys that readers ignored": (
        old({"a": CUDA}, {"nvidia": plugin() | {"homepage": "x"}})
        | {"generator": "y", "default-priorities": {"namespace": ["nvidia"], "label": []}},
        ["generator", "default-priorities.label", "providers.nvidia.homepage"],
    ),
    "between v0.0.3 and v0.2.0: static properties in the provider": (
        old(
            {"cuda13.0": RANKED},
            {"nvidia": plugin(), "rank": {"static-properties": {"order": ["1", "2"]}}},
            feature=None,
            values=None,
        )
        | {"default-priorities": {"namespace": ["nvidia", "rank"], "feature": None, "property": None}},
        [],
    ),
}


@pytest.mark.parametrize(("content", "notices"), PUBLISHED.values(), ids=PUBLISHED.keys())
def test_published_shapes_convert_and_say_what_is_lost(content: dict[str, Any], notices: list[str]) -> None:
    converted, paths = _convert(content)
    assert paths == notices
    assert converted["$schema"] == SCHEMA_URL
    data = json.dumps(converted).encode()
    read = parse_document(data, "x", strict=True)
    left_out = {path.removeprefix("variants.") for path in notices if path.startswith("variants.")}
    assert set(read.variants) - {"null"} == set(content["variants"]) - left_out - {"null"}
    assert read.providers is not None
    VariantsJson(converted)  # variantlib reads it
    # An installer reads the same, under the labels that wheels have, and what it answers for by itself.
    installer = _read(content)
    own = {label for label, properties in content["variants"].items() if "abi_dependency" in properties}
    labels = {label for label in installer.variants if label != "00000000"} - {"null"}
    assert labels - own == set(read.variants) - {"null"}
    assert own <= labels
    assert installer.providers is not None
    assert {
        name: one for name, one in installer.providers.items() if name != "abi_dependency"
    } == read.providers
    again = convert(data, "x")
    assert (again.data, again.generation) == (data, "0.2.0")
    assert [notice for notice in again.notices if notice.path != UV_LOSES] == []


@pytest.mark.parametrize("to", GENERATIONS)
@pytest.mark.parametrize("name", PUBLISHED)
def test_every_shape_reaches_every_generation(name: str, to: Generation) -> None:
    content, _ = PUBLISHED[name]
    converted, _ = _convert(content, to)
    assert set(converted["variants"]) - {"null"} <= set(content["variants"])
    assert set(_read(converted).variants) <= set(converted["variants"])
    if to != "825":
        assert _convert(converted)[0]["$schema"] == SCHEMA_URL


def test_a_static_provider_in_full() -> None:
    content = old(
        {"a": {"rank": {"order": ["2", "1", "2"], "kind": ["x"]}}},
        {"rank": {"install-time": False, "optional": True, "requires": ["r"], "plugin-api": "r : P"}},
        feature={"rank": ["order", "gone"]},
        values={"rank": {"order": ["3", "1", "3", "gone"]}},
        static={"rank": {"kind": ["x"], "none": [], "order": ["1", "2", "3", "2"]}},
    )
    converted, paths = _convert(content)
    assert converted["providers"] == {
        "rank": {
            "static-properties": {"order": ["3", "1", "2"], "kind": ["x"]},
            "feature-order": ["order", "kind"],
            "optional": True,
        }
    }
    assert converted["variants"] == {"a": {"rank": {"kind": ["x"], "order": ["1", "2"]}}}
    assert paths == ["providers.rank.requires", "providers.rank.plugin-api"]


def test_a_plugin_keeps_its_requirements_and_loses_the_blanks() -> None:
    entry = plugin(" a >= 1; python_version >= '3' ", "a.b : C") | {"optional": False, "plugin-use": "all"}
    converted, paths = _convert(old({"a": {"n": {"f": ["1"]}}}, {"n": entry}, schema="v0.0.2.json"))
    assert converted["providers"] == {
        "n": {"requires": ["a >= 1; python_version >= '3'"], "plugin-api": "a.b:C"}
    }
    assert paths == []


@pytest.mark.parametrize(
    "entry",
    [
        {"requires": []},
        {"plugin-api": "a:B"},
        {"plugin-use": "none"},
        {"plugin-use": "build", "requires": ["x"]},
        {"install-time": False},
        {"requires": ["x"], "plugin-api": "a-b:C"},
        {"requires": ["\x07"]},
    ],
)
def test_a_provider_nobody_can_ask_takes_its_variants_with_it(entry: dict[str, Any]) -> None:
    content = old({"a": {"n": {"f": ["1"]}}, "null": {}}, {"n": entry, "nvidia": plugin()})
    converted, paths = _convert(content)
    assert list(converted["providers"]) == ["nvidia"]
    assert converted["default-priorities"] == {"namespace": ["nvidia"]}
    assert list(converted["variants"]) == ["null"]
    assert paths[-2:] == ["providers.n", "variants.a"]


def test_namespaces_that_do_not_match_their_providers() -> None:
    content = old(
        {"a": {"used": {"f": ["1"]}}},
        {name: plugin(name, name) for name in ("used", "unused", "Spelled")},
        namespaces=["gone", "nvidia"],
    )
    converted, paths = _convert(content, providers={})
    assert converted["default-priorities"] == {"namespace": ["used"]}
    assert paths == [
        "default-priorities.namespace",
        "providers.unused",
        "providers.Spelled",
        "default-priorities.namespace",
        "default-priorities.namespace",
    ]


def test_static_properties_of_a_plugin_are_dropped() -> None:
    content = old(
        {"a": CUDA},
        {"nvidia": plugin()},
        static={"nvidia": {"f": ["1"]}, "gone": {}},
    )
    assert _convert(content)[1] == ["static-properties.nvidia", "static-properties.gone"]


def test_the_variant_without_properties_is_called_null() -> None:
    content = old({"00000000": {}, "cpu": {}, "a": CUDA}, {"nvidia": plugin()})
    converted, paths = _convert(content)
    assert (list(converted["variants"]), paths) == (["a", "null"], ["variants.00000000", "variants.cpu"])
    converted, _ = _convert(old({"00000000": {}, "null": {}}, {"nvidia": plugin()}))
    assert list(converted["variants"]) == ["null"]
    assert list(_read(content).variants) == ["00000000", "cpu", "a"]


def test_static_properties_in_the_provider_have_their_order() -> None:
    static = {"static-properties": {"a": ["1"], "b": ["1"]}, "feature-order": ["b", "a"]}
    converted, paths = _convert(old({"x": {"rank": {"a": ["1"]}}}, {"rank": static}))
    assert (converted["providers"], paths) == ({"rank": static}, [])
    older, _ = _convert(converted, "0.0.3")
    assert older["default-priorities"] == {"namespace": ["rank"], "feature": {"rank": ["b", "a"]}}
    older, _ = _convert(converted, "0.0.2")
    assert older["default-priorities"]["feature"] == {"rank": ["b", "a"]}


def test_a_namespace_without_features_is_none() -> None:
    converted, paths = _convert(old({"a": {"nvidia": {}, "gone": {}}, "b": CUDA}, {"nvidia": plugin()}))
    assert (converted["variants"], paths) == ({"b": CUDA, "null": {}}, ["variants.a"])


def test_pep_817_needs_no_provider_for_what_its_installers_know() -> None:
    content = document({"a": TORCH | CUDA}, ["nvidia", "abi_dependency"], {"abi_dependency": {}})
    del content["providers"]
    content["$schema"] = SCHEMAS + "peps/825/v0.1.1.json"
    converted, paths = _convert(content, "0.0.3")
    assert converted["variants"] == {"a": TORCH | CUDA}
    assert (converted["default-priorities"], paths) == ({"namespace": ["nvidia"]}, ["providers.nvidia"])


@pytest.mark.parametrize("schema", [None, "https://example.org/own.json"])
def test_without_a_known_schema_the_keys_tell(schema: str | None) -> None:
    rank = {"rank": {"order": ["1"]}}
    for expected, content in (
        ("0.0.3", old({"a": rank}, {"rank": {"install-time": False}}, values=rank)),
        ("0.0.3", old({"a": CUDA}, {"nvidia": plugin()}, static={})),
        ("0.0.2", old({"a": rank}, {"rank": {"plugin-use": "none"}}, values=rank)),
        ("0.0.2", old({"a": CUDA}, {"nvidia": plugin() | {"enable-if": "x"}})),
        ("0.0.2", old({"a": CUDA}, {"nvidia": plugin()}, values={})),
        ("0.0.2", old({"a": CUDA}, {"nvidia": plugin()}, feature={})),
        ("0.2.0" if schema else "0.0.2", old({"a": CUDA}, {"nvidia": plugin()})),
    ):
        if schema is None:
            del content["$schema"]
        else:
            content["$schema"] = schema
        assert convert(json.dumps(content).encode(), "x").generation == expected


def test_notices_say_what_follows_and_are_printable() -> None:
    def messages(content: dict[str, Any], to: Generation = "0.2.0") -> list[str]:
        return [str(notice) for notice in convert(json.dumps(content).encode(), "x", to).notices]

    static = {"plugin-use": "none", "enable-if": "x"}
    rank = {"rank": {"order": ["1"]}}
    fixed = old({"a": rank, "\x07": {}, "b": {"\x1b": {"f": ["1"]}}}, {"rank": static}, values=rank)
    fixed["$schema"] = SCHEMAS + "v0.0.2.json"
    lines = messages(fixed)
    assert "supported everywhere" in lines[0]
    assert all(line.isprintable() for line in lines)
    nvidia = {"nvidia": {"static-properties": {"f": ["1"]}}}
    assert messages(old({"a": {"nvidia": {"f": ["1"]}}}, nvidia)) == []
    optional = old({"a": CUDA}, {"nvidia": plugin() | {"optional": True}, "amd": plugin("amd")})
    assert [line.partition(": ")[2].partition(":")[0] for line in messages(optional, "825")] == [
        "dropped, and that it is optional",
        "dropped",
    ]
    assert (
        "its values and their order" in messages(old({"a": rank}, {"rank": static}, values=rank), "825")[-1]
    )
    twice = messages(old({"00000000": {}, "null": {}}, {"nvidia": plugin()}))
    assert "left out" in twice[0]


def test_nothing_left_is_an_error() -> None:
    refused = _refusal(old({"a": TORCH | CUDA}, {"nvidia": plugin()}))
    assert (
        "none of its variants can be kept: variants.a: left out: abi_dependency: the document has" in refused
    )
    assert "variants.abcdefghijklmnopq" in _refusal(document({"abcdefghijklmnopq": CUDA}), "0.0.3")


def test_what_installers_know_themselves_stays_in_plain_pep_825() -> None:
    converted, paths = _convert(old({"a": TORCH | CUDA}, {"nvidia": plugin()}), "825")
    assert "providers" not in converted
    assert converted["default-priorities"] == {"namespace": ["nvidia", "abi_dependency"]}
    assert list(converted["variants"]) == ["a"]
    assert paths == ["providers.nvidia"]


def test_plain_pep_825_gets_the_usual_providers_or_those_given() -> None:
    content = document({"a": CUDA, "b": {"rank": {"order": ["1"]}}}, ["nvidia", "rank"], {"rank": {}})
    del content["providers"]
    content["$schema"] = SCHEMAS + "peps/825/v0.1.1.json"
    converted, paths = _convert(content)
    assert converted["providers"] == {
        "nvidia": {"requires": ["nvidia-variant-provider>=0.0.1,<1.0.0"], "plugin-api": NVIDIA_API}
    }
    assert paths == ["providers.nvidia", "variants.b"]
    rank = Provider.model_validate({"static-properties": {"order": ["1"]}})
    converted, paths = _convert(content, providers={"rank": rank})
    assert (list(converted["providers"]), paths) == (["rank"], ["providers.rank", "variants.a"])


def test_what_pep_817_has_no_place_for() -> None:
    providers: dict[str, object] = {"own": {"builtin": "x"}}
    content = document({"a" * 17: CUDA, "b": CUDA, "c": {"own": {"f": ["1"]}}}, ["nvidia", "own"], providers)
    for to in GENERATIONS[2:]:
        converted, paths = _convert(content, to)
        assert list(converted["variants"]) == ["b"]
        assert list(converted["providers"]) == ["nvidia"]
        assert paths == ["variants.c", f"variants.{'a' * 17}"]


@pytest.mark.parametrize(
    "requirement", ["nvidia-variant-provider>=0.0.2,<1.0.0", "Nvidia_Variant-provider>=1"]
)
def test_a_requirement_that_shuts_uv_out_is_kept_or_relaxed(requirement: str) -> None:
    for content in (
        old({"a": CUDA}, {"nvidia": plugin(requirement)}),
        document({"a": CUDA}, ["nvidia"], {"nvidia": plugin(requirement)}),
    ):
        converted, paths = _convert(content)
        assert converted["providers"]["nvidia"]["requires"] == [requirement]
        assert paths == [UV_LOSES] * (content["$schema"] != SCHEMA_URL)
        converted, paths = _convert(content, relax_requires=True)
        assert converted["providers"]["nvidia"] == plugin()
        assert paths == []


@pytest.mark.parametrize(
    "entry", [plugin("other>=0.0.2"), plugin("nvidia-variant-provider", "own:Plugin"), plugin("a b c")]
)
def test_what_relaxing_cannot_repair_is_said(entry: dict[str, Any]) -> None:
    converted, paths = _convert(old({"a": CUDA}, {"nvidia": entry}), relax_requires=True)
    assert paths == [UV_LOSES]
    assert converted["providers"]["nvidia"]["plugin-api"] == entry["plugin-api"]
    if "nvidia-variant" not in entry["requires"][0]:
        assert converted["providers"]["nvidia"] == entry


def test_a_document_in_the_wanted_form_keeps_its_bytes() -> None:
    for content in (document({"a": CUDA}), old({"a": CUDA}, {"nvidia": plugin() | {"enable-if": "x"}})):
        data = json.dumps(content).encode()
        to: Generation = "0.2.0" if content["$schema"] == SCHEMA_URL else "0.0.3"
        assert convert(data, "x", to) == convert(convert(data, "x", to).data, "x", to)
        assert convert(data, "x", to).data == data


REFUSED: dict[str, tuple[object, str]] = {
    "not JSON": (b"{", "not JSON"),
    "not UTF-8": (b'{"a": "\xff"}', "not JSON"),
    "deep": (b"[" * 100_000, "nested too deeply"),
    "huge number": (b"9" * 5000, "holds a number of thousands of digits"),
    "a list": ([], "a variants document is a JSON object"),
    "twice": (b'{"variants": {"a": {}, "a": {}}}', "key 'a' appears twice in one object"),
    "first of all drafts": ({"providers": ["p"], "variants": {}}, "providers"),
    "upper case": (
        old({"a": {"nvidia": {"arch": "HAL9000"}}}, {"nvidia": plugin()}),
        "variants.a.nvidia.arch",
    ),
    "empty list": (old({"a": {"nvidia": {"f": []}}}, {"nvidia": plugin()}), "variants.a.nvidia.f"),
    "label": (old({"A b\x07": CUDA}, {"nvidia": plugin()}), "variants.A b\\x07"),
    "null with properties": (old({"null": CUDA}, {"nvidia": plugin()}), "null variant has no properties"),
    "number": (old({"a": {"nvidia": {"f": [1]}}}, {"nvidia": plugin()}), "variants.a.nvidia.f"),
    "no variants": ({"$schema": SCHEMAS + "v0.0.2.json"}, "variants: is missing"),
    "plugin-use": (
        old({"a": CUDA}, {"nvidia": plugin() | {"plugin-use": "often"}}),
        "providers.nvidia.plugin-use",
    ),
    "parts": (old({"a": CUDA}, {"nvidia": plugin()}, feature=["nvidia"]), "2 parts joined by '::'"),
    "part": (old({"a": CUDA}, {"nvidia": plugin()}, values=[["n"]]), "3 parts joined by '::'"),
    "new": (document({"a": CUDA}) | {"x": 1}, "x: is not a known key"),
}


@pytest.mark.parametrize(("content", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_the_others_fail_with_the_reason(content: object, reason: str) -> None:
    assert reason in _refusal(content)
    assert reason in _refusal(content, "0.0.2" if "v0.0.3" in str(content) else "0.0.3")
    with pytest.raises(DocumentError):
        read_document(content if isinstance(content, bytes) else json.dumps(content).encode(), "x")


_JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
_KEYS = ["$schema", "default-priorities", "providers", "static-properties", "variants"]


@given(st.dictionaries(st.sampled_from(_KEYS), _JUNK), st.sampled_from(GENERATIONS))
def test_junk_never_ends_in_a_traceback(changes: dict[str, object], to: Generation) -> None:
    content, _ = PUBLISHED["torch 2.9, a rank from plugin-use none"]
    data = json.dumps(content | changes).encode()
    with contextlib.suppress(DocumentError):
        convert(data, "x", to)
    with contextlib.suppress(DocumentError):
        read_document(data, "x")


def _answers(document: VariantsDocument, machine: dict[str, Any]) -> dict[str, Any]:
    """Return what an installer of plain PEP 825 has to know: the machine's answers and the fixed values."""
    known = dict(machine)
    for namespace, provider in (document.providers or {}).items():
        if provider.static_properties is not None:
            order = provider.feature_order or list(provider.static_properties)
            known[namespace] = {feature: list(provider.static_properties[feature]) for feature in order}
    return known


@given(documents(["plugin", "static"]), supported(), st.sampled_from(GENERATIONS))
@settings(max_examples=150)
def test_the_way_there_and_back_keeps_the_order(
    content: dict[str, Any], machine: dict[str, Any], to: Generation
) -> None:
    data = json.dumps(content).replace("a.b : C", "a.b:C").encode()
    there = convert(data, "x", to)
    original = parse_document(data, "x")
    if to == "825":
        optional = {name for name, provider in (original.providers or {}).items() if provider.optional}
        known = {name: lists for name, lists in _answers(original, machine).items() if name not in optional}
        assert rank_labels(read_document(there.data, "x"), known) == rank_labels(original, machine)
        return
    assert [notice.path for notice in there.notices if notice.path != UV_LOSES] == []
    back = convert(there.data, "x")
    assert rank_labels(parse_document(back.data, "x"), machine) == rank_labels(original, machine)


_MANY = [f"n{number}" for number in range(20_000)]
HUGE: dict[str, dict[str, Any]] = {
    "namespaces": old({"a": {name: {"f": ["1"]} for name in _MANY}, "null": {}}, {}, namespaces=_MANY),
    "variants": old({**{name: {name: {"f": ["1"]}} for name in _MANY}, "null": {}}, {}),
    "unknown keys": old({"null": {}}, {}) | dict.fromkeys(_MANY, 0),
    "features": old(
        {"a": {"nvidia": {name: ["1"] for name in _MANY}}},
        {"nvidia": plugin()},
        feature={"nvidia": _MANY},
        values={"nvidia": {name: ["1"] for name in _MANY}},
    ),
    "values": old(
        {"a": {"rank": {"order": _MANY}}},
        {"rank": {"install-time": False}},
        values={"rank": {"order": _MANY[::-1]}},
        static={"rank": {"order": _MANY}, "gone": {}},
    ),
}


@pytest.mark.parametrize("content", HUGE.values(), ids=HUGE.keys())
@pytest.mark.parametrize("to", ["0.2.0", "0.0.2"])
def test_work_grows_with_the_document_only(content: dict[str, Any], to: Generation) -> None:
    data = json.dumps(content).encode()
    start = time.process_time()
    notices = convert(data, "x", to).notices
    assert time.process_time() - start < 3, "ten times what it takes"
    assert max(len(str(notice)) for notice in notices) < 400
