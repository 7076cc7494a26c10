"""From every generation to every other, by every third: what a step keeps, the next one finds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests.documents import documents
from tests.variant_index.generations.samples import SCHEMAS, plugin
from tests.variant_index.generations.test_convert import PUBLISHED, UV_LOSES
from tests.variant_index.generations.test_order import old_documents
from variant_index.generations.convert import GENERATIONS, Converted, Generation, convert
from variant_index.generations.read import read_document
from variant_index.model.document import DocumentError

# One for each of the newest two forms, whose providers and priorities are of every kind that a form has.
NEWEST: dict[str, dict[str, Any]] = {
    "plain PEP 825": {
        "$schema": f"{SCHEMAS}peps/825/v0.1.1.json",
        "default-priorities": {"namespace": ["nvidia", "x86_64"]},
        "variants": {
            "null": {},
            "cu126": {"nvidia": {"cuda_version_lower_bound": ["12.6"]}},
            "avx512": {"x86_64": {"level": ["v4"]}},
        },
    },
    "with providers": {
        "$schema": f"{SCHEMAS}peps/850/v0.2.0.json",
        "default-priorities": {"namespace": ["nvidia", "amd", "rank"]},
        "providers": {
            "nvidia": plugin(),
            "amd": plugin("amd-variant-provider", "amd_variant_provider.plugin:AMDVariantPlugin"),
            "rank": {"static-properties": {"order": ["first", "second"]}},
        },
        "variants": {
            "null": {},
            "cu130": {"nvidia": {"cuda_version_lower_bound": ["13.0"]}, "rank": {"order": ["first"]}},
            "cu126": {"nvidia": {"cuda_version_lower_bound": ["12.0"]}, "rank": {"order": ["second"]}},
            "rocm71": {"amd": {"rocm_version": ["7.1"], "gfx_arch": ["gfx1100", "gfx942"]}},
        },
    },
}
ALL = {**NEWEST, **{name: content for name, (content, _) in PUBLISHED.items()}}


def _step(data: bytes, to: Generation) -> tuple[Converted | None, bool]:
    """Convert; return the outcome, None when nothing could be kept, and whether all was kept."""
    refusal = None
    try:
        converted = convert(data, "x", to)
    except DocumentError as error:
        refusal = str(error)
    if refusal is not None:
        assert refusal.startswith("x: none of its variants can be kept: variants."), "with the reason"
        return None, False
    return converted, not [notice for notice in converted.notices if notice.path != UV_LOSES]


def _by_way_of(content: dict[str, Any], middle: Generation, to: Generation) -> str:
    """Check both ways to a form, and return what came of them."""
    data = json.dumps(content).encode()
    first, kept = _step(data, middle)
    if first is None:
        return "nothing kept"
    direct, _ = _step(data, to)
    second, _ = _step(first.data, to)
    if not kept:
        lost = {notice.path for notice in first.notices}
        assert second is None or direct is None or _labels(second) <= _labels(direct) | {"null"}, lost
        return "something lost on the way"
    assert (second is None) == (direct is None)
    if second is not None and direct is not None:
        assert _meaning(second) == _meaning(direct)
    return "the same"


def _labels(converted: Converted) -> set[str]:
    return {*json.loads(converted.data)["variants"]}


def _meaning(converted: Converted) -> object:
    """Return what an installer reads, without what is spelled in several ways."""
    document = read_document(converted.data, "x")
    providers = {}
    for namespace, provider in (document.providers or {}).items():
        static = provider.static_properties or {}
        features = provider.feature_order or list(static)
        fixed = [(feature, list(static[feature])) for feature in features]
        api = "".join((provider.plugin_api or "").split())
        providers[namespace] = fixed, provider.requires, api, bool(provider.optional)
    return (
        document.default_priorities.namespace,
        providers,
        {
            label: {
                (namespace, feature): sorted(values)
                for namespace, features in properties.items()
                for feature, values in features.items()
            }
            for label, properties in document.variants.items()
        },
    )


@pytest.mark.parametrize("to", GENERATIONS)
@pytest.mark.parametrize("middle", GENERATIONS)
def test_published_documents(middle: Generation, to: Generation) -> None:
    outcomes = {name: _by_way_of(content, middle, to) for name, content in ALL.items()}
    assert set(outcomes.values()) <= {"the same", "something lost on the way"}
    assert "the same" in outcomes.values() or middle == "825"


@given(
    documents() | old_documents().map(lambda drawn: drawn[0]),
    st.sampled_from(GENERATIONS),
    st.sampled_from(GENERATIONS),
)
@settings(max_examples=300, deadline=None)
def test_any_document(content: dict[str, Any], middle: Generation, to: Generation) -> None:
    event(_by_way_of(content, middle, to))
