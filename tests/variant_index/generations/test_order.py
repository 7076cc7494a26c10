"""The order of variants stays: ours after the conversion against variantlib's with the old priorities.

variantlib 0.2.2 still takes the priorities of features and properties that PEP 817's documents hold.
"""

from __future__ import annotations

import contextlib
import json
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st
from variantlib.models.variant import VariantDescription, VariantProperty
from variantlib.resolver.lib import sort_and_filter_supported_variants

from tests.documents import FEATURES, VALUES, Nested
from tests.variant_index.generations.samples import old, plugin
from torch_variant_provider.facts import Fact, Knowledge
from torch_variant_provider.nvidia.properties import supported_properties
from variant_index.generations.convert import convert
from variant_index.generations.read import read_document
from variant_index.model.document import DocumentError, parse_document
from variant_index.selection.ordering import rank_labels

_FIXED, _ASKED = ["na", "nb"], ["nc", "nvidia"]
_NVIDIA: Nested = {
    "features": {
        "cuda_version_lower_bound": ["12", "12.0", "12.6", "12.8", "13.0"],
        "sm_arch": ["80_real", "86_real", "86_virtual", "90_real"],
    }
}


def _values_of(namespace: str) -> dict[str, list[str]]:
    return _NVIDIA["features"] if namespace == "nvidia" else dict.fromkeys(FEATURES, VALUES)


def _some(items: list[str], least: int = 1) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(items), min_size=least, unique=True)


@st.composite
def _lists(draw: st.DrawFn, namespace: str, least: int = 1) -> dict[str, list[str]]:
    known = _values_of(namespace)
    return {feature: draw(_some(known[feature])) for feature in draw(_some(list(known), least))}


@st.composite
def old_documents(draw: st.DrawFn) -> tuple[dict[str, Any], str]:
    """Draw a PEP 817 document and its generation; plugins may have their order overruled."""
    generation = draw(st.sampled_from(["0.0.2", "0.0.3"]))
    namespaces = draw(_some([*_FIXED, *_ASKED]))
    overruled = draw(st.booleans())
    providers: dict[str, Any] = {}
    feature: dict[str, list[str]] = {}
    values: dict[str, Any] = {}
    static: dict[str, Any] = {}
    for namespace in namespaces:
        if namespace in _FIXED:
            fixed = {"plugin-use": draw(st.sampled_from(["none", "build"]))}
            providers[namespace] = fixed if generation == "0.0.2" else {"install-time": False}
            if generation == "0.0.3" and draw(st.booleans()):
                static[namespace] = draw(_lists(namespace))
            values[namespace] = draw(_lists(namespace, 0))
            feature[namespace] = draw(_some(FEATURES, 0))
        else:
            providers[namespace] = plugin()
            if overruled or namespace == "nvidia":
                feature[namespace] = draw(_some(list(_values_of(namespace)), 0))
                values[namespace] = draw(_lists(namespace, 0))
        if draw(st.integers(0, 5)) == 0:
            providers[namespace]["optional"] = True
    variants = {
        label: {namespace: draw(_lists(namespace)) for namespace in draw(_some(namespaces))}
        for label in draw(st.lists(st.from_regex(r"[a-z]{1,3}", fullmatch=True), unique=True, max_size=7))
        if label != "null"
    }
    if draw(st.booleans()):
        variants["null"] = {}
    content = old(
        variants,
        providers,
        schema=f"v{generation}.json",
        feature=feature,
        values=values,
        static=static or None,
    )
    return content, generation


@st.composite
def _machines(draw: st.DrawFn) -> dict[str, dict[str, list[str]]]:
    facts = {
        "cuda_version": Fact(draw(st.sampled_from(["12.6", "12.9", "13.0"])), "test"),
        "compute_capability": Fact(tuple(draw(_some(["8.0", "8.6", "9.0"]))), "test"),
    }
    machine = {"nvidia": supported_properties(Knowledge(facts, []))}
    if draw(st.booleans()):
        machine["nc"] = draw(_lists("nc"))
    return machine


def _as_variantlib_orders(content: dict[str, Any], machine: dict[str, Any]) -> list[str]:
    priorities = content["default-priorities"]
    supported: list[VariantProperty] = []
    for namespace, provider in content["providers"].items():
        if provider.get("optional"):
            continue
        lists = machine.get(namespace, {})
        if namespace in _FIXED:
            lists = content.get("static-properties", {}).get(namespace) or priorities["property"][namespace]
        supported += [VariantProperty(namespace, name, value) for name in lists for value in lists[name]]
    variants = [
        VariantDescription(
            [VariantProperty(n, f, v) for n in properties for f in properties[n] for v in properties[n][f]],
            label,
        )
        for label, properties in content["variants"].items()
    ]
    ranked = sort_and_filter_supported_variants(
        variants,
        supported,
        namespace_priorities=priorities["namespace"],
        feature_priorities=priorities["feature"],
        property_priorities=priorities["property"],
    )
    return [variant.label for variant in ranked if variant.label in content["variants"]]


@given(old_documents(), _machines())
@settings(max_examples=250)
def test_the_order_is_kept_unless_a_notice_says_so(
    drawn: tuple[dict[str, Any], str], machine: dict[str, Any]
) -> None:
    content, _ = drawn
    data = json.dumps(content).encode()
    expected = _as_variantlib_orders(content, machine)
    converted = None
    with contextlib.suppress(DocumentError):
        converted = convert(data, "x")
    if converted is None:
        event("nothing left")
        assert expected == []
        return
    overruled = [
        notice.path
        for notice in converted.notices
        if notice.path.startswith("default-priorities.") and notice.message.startswith("dropped")
    ]
    event(f"orders lost: {min(len(overruled), 1)}")
    assert not [path for path in overruled if path.split(".")[2] in _FIXED]
    for document in (parse_document(converted.data, "x", strict=True), read_document(data, "x")):
        ranked = rank_labels(document, machine)
        assert sorted(ranked) == sorted(expected)
        if not overruled:
            assert ranked == expected
