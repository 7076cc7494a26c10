"""A wheel's own document beside its release's: what contradicts it, and what must not count."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.making import document
from variant_index.generations.agreement import disagreement
from variant_index.generations.convert import GENERATIONS, convert
from variant_index.generations.read import read_document
from variant_index.model.document import DocumentError

CU128 = {"nvidia": {"cuda_version_lower_bound": ["12.8"], "sm_arch": ["90_real", "100_real"]}}
CU126 = {"nvidia": {"cuda_version_lower_bound": ["12.6"]}}
RELEASE = document({"cu126": CU126, "cu128": CU128, "null": {}})


def compare(
    own: Mapping[str, Any] | bytes, label: str = "cu128", release: Mapping[str, Any] | bytes = RELEASE
) -> str | None:
    data, others = (one if isinstance(one, bytes) else json.dumps(one).encode() for one in (own, release))
    return disagreement(data, label, read_document(others, "sidecar"), "w.whl")


def test_what_the_release_says_is_no_difference() -> None:
    for label, properties in (("cu126", CU126), ("cu128", CU128), ("null", {})):
        assert compare(document({label: properties}), label) is None
    turned = {"nvidia": {"sm_arch": ["100_real", "90_real"], "cuda_version_lower_bound": ["12.8"]}}
    assert compare(document({"cu128": turned})) is None


@pytest.mark.parametrize(
    ("own", "difference"),
    [
        (
            {"cu128": {"nvidia": {"cuda_version_lower_bound": ["13.0"]}}},
            "has nvidia :: cuda_version_lower_bound :: 13.0",
        ),
        (
            {"cu128": {"nvidia": {"cuda_version_lower_bound": ["12.8"]}}},
            "does not have nvidia :: sm_arch :: 100_real and 1 more",
        ),
        ({"cu128": {}}, "does not have nvidia :: cuda_version_lower_bound :: 12.8 and 2 more"),
        ({"cu126": CU128}, "describes label cu126, not the cu128 of its name"),
        ({"cu126": CU126}, "describes label cu126, not the cu128 of its name"),
        ({"null": {}}, "describes label null, not the cu128 of its name"),
        ({"cu128": CU128, "null": {}}, "describes 2 variants, not the one of its name"),
        ({}, "describes 0 variants, not the one of its name"),
    ],
)
def test_differences(own: Mapping[str, Any], difference: str) -> None:
    assert compare(document(own)) == difference


@pytest.mark.parametrize(
    ("own", "agrees"),
    [
        (["nvidia", "amd"], True),
        (["nvidia"], True),
        (["nvidia", "amd", "x86_64"], True),
        (["amd", "nvidia"], False),
        (["nvidia", "x86_64"], False),
    ],
)
def test_namespaces_are_equal_or_one_begins_with_the_other(own: list[str], agrees: bool) -> None:
    provider = {"x86_64": {"requires": ["x86-64-variant-provider"]}}
    found = compare(document({"cu128": CU128}, own, provider))
    assert found == (None if agrees else f"orders namespaces as {', '.join(own)}")


@pytest.mark.parametrize(
    ("provider", "agrees"),
    [
        ({"requires": ["nvidia-variant-provider"]}, True),  # relaxed by whoever runs the index
        ({"static-properties": {"cuda_version_lower_bound": ["12.8"]}}, False),
        ({"requires": ["nvidia-variant-provider>=0.0.1,<1.0.0"], "optional": True}, False),
        ({"builtin": "nvidia"}, False),
    ],
)
def test_who_answers_for_a_namespace(provider: Mapping[str, Any], agrees: bool) -> None:
    found = compare(document({"cu128": CU128}, providers={"nvidia": provider}))
    assert found == (None if agrees else "has another provider for nvidia")
    # It is no matter of a wheel that has no property of the namespace.
    assert compare(document({"null": {}}, providers={"nvidia": provider}), "null") is None


@pytest.mark.parametrize("wheel", GENERATIONS)
@pytest.mark.parametrize("sidecar", GENERATIONS)
def test_every_generation_agrees_with_every_other(wheel: Any, sidecar: Any) -> None:
    release = convert(json.dumps(RELEASE).encode(), "sidecar", sidecar).data
    for label, properties in (("cu126", CU126), ("cu128", CU128), ("null", {})):
        own = convert(json.dumps(document({label: properties})).encode(), "wheel", wheel).data
        assert compare(own, label, release) is None
    other = convert(json.dumps(document({"cu128": CU126})).encode(), "wheel", wheel).data
    assert compare(
        other, "cu128", release
    ) == "does not have nvidia :: cuda_version_lower_bound :: 12.8 and 2 more" or (
        compare(other, "cu128", release) == "has nvidia :: cuda_version_lower_bound :: 12.6"
    )


def old(variants: Mapping[str, Any], namespaces: list[str], **more: Any) -> dict[str, Any]:
    return {
        "$schema": "https://variants-schema.wheelnext.dev/v0.0.3.json",
        "default-priorities": {"namespace": namespaces},
        "providers": {"nvidia": {"requires": ["nvidia-variant-provider"]}},
        "variants": variants,
        **more,
    }


def test_old_wheels_are_not_refused_for_what_only_they_can_say() -> None:
    # A namespace without a provider, which documents brought up to date leave out or fill in.
    own = old({"cu128": CU128}, ["abi_dependency", "nvidia", "amd"])
    assert compare(own) is None
    assert compare(old({"cu128": CU128}, ["amd", "nvidia"])) == "orders namespaces as amd, nvidia"
    assert compare({**own, "providers": {}}) is None
    optional = {"nvidia": {"requires": ["nvidia-variant-provider"], "optional": True}}
    assert compare({**own, "providers": optional}) is None
    # The first drafts called the variant without properties so.
    assert compare(old({"00000000": {}}, ["nvidia"]), "null") is None
    assert compare(old({"00000000": CU128}, ["nvidia"]), "null") is not None
    assert compare(old({"cu126": CU128}, ["nvidia"])) == "describes label cu126, not the cu128 of its name"
    assert compare(document({"00000000": {}}), "null") is not None


def test_what_is_no_document_is_an_error() -> None:
    for data in (b"", b"[]", b"{}", b"\xff", b'{"variants": 1}', b"[" * 100_000):
        with pytest.raises(DocumentError, match=r"w\.whl"):
            compare(data)


_PROPERTIES = st.dictionaries(
    st.sampled_from(["nvidia", "amd"]),
    st.dictionaries(
        st.sampled_from(["a", "b"]),
        st.lists(st.sampled_from("123"), min_size=1, max_size=3, unique=True),
        min_size=1,
    ),
)


@given(mine=_PROPERTIES, theirs=_PROPERTIES)
def test_properties_are_compared_as_sets(mine: Any, theirs: Any) -> None:
    def as_set(properties: Any) -> set[tuple[str, str, str]]:
        return {
            (namespace, feature, value)
            for namespace, features in properties.items()
            for feature, values in features.items()
            for value in values
        }

    found = compare(document({"x": mine}), "x", document({"x": theirs}))
    assert (found is None) is (as_set(mine) == as_set(theirs))
