"""Hypothesis strategies for variants documents and for what machines support."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

__all__ = ["documents", "supported"]

NAMESPACES = ["na", "nb", "nc"]
FEATURES = ["fa", "fb", "fc"]
VALUES = ["1", "2", "3", "4"]

Nested = dict[str, dict[str, list[str]]]


def _lists(items: Sequence[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(items), min_size=1, unique=True)


def _features() -> st.SearchStrategy[dict[str, list[str]]]:
    return st.dictionaries(st.sampled_from(FEATURES), _lists(VALUES), min_size=1)


def supported() -> st.SearchStrategy[Nested]:
    """Return what a machine supports: namespaces may be missing, features and values are in order."""
    return st.dictionaries(st.sampled_from(NAMESPACES), _features())


@st.composite
def _provider(draw: st.DrawFn, shapes: Sequence[str]) -> dict[str, Any]:
    shape = draw(st.sampled_from(shapes))
    provider: dict[str, Any]
    if shape == "static":
        features = draw(_features())
        provider = {"static-properties": features}
        if len(features) > 1 or draw(st.booleans()):
            provider["feature-order"] = draw(st.permutations(list(features)))
    elif shape == "builtin":
        provider = {"builtin": "some-logic"}
    else:
        provider = {"requires": ["some-provider>=1; python_version >= '3'"]}
        if draw(st.booleans()):
            provider["plugin-api"] = draw(st.sampled_from(["a.b:C.d", "a.b", "a.b : C"]))
    if shape != "static":
        provider |= draw(st.sampled_from([{}, {}, {"optional": True}, {"optional": False}]))
    return provider


@st.composite
def documents(draw: st.DrawFn, shapes: Sequence[str] = ("plugin", "static", "builtin")) -> dict[str, Any]:
    """Draw a valid document whose providers have these shapes."""
    namespaces = draw(_lists(NAMESPACES))
    variants: dict[str, Nested] = draw(
        st.dictionaries(
            st.from_regex(r"[0-9a-z_.]{1,3}", fullmatch=True),
            st.dictionaries(st.sampled_from(namespaces), _features(), min_size=1),
            max_size=8,
        )
    )
    variants.pop("null", None)
    if draw(st.booleans()):
        variants["null"] = {}
    return {
        "$schema": "https://variants-schema.wheelnext.dev/peps/850/v0.2.0.json",
        "default-priorities": {"namespace": namespaces},
        "providers": {namespace: draw(_provider(shapes)) for namespace in namespaces},
        "variants": variants,
    }
