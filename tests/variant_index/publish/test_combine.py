"""The combined document: PEP 825's rules, in any order, and as variantlib merges where it accepts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from variantlib.errors import ValidationError
from variantlib.variants_json import VariantsJson

from tests.making import AMD_PROVIDER, NVIDIA_PROVIDER, document
from variant_index.model.document import SCHEMA_URL, VariantsDocument, parse_document, write_document
from variant_index.publish.combine import PLAIN_SCHEMA_URL, CombineError, combine, difference

# The first draw of a text prepares tables, which a busy machine takes seconds for.

CU128 = {"nvidia": {"cuda_version_lower_bound": ["12.8"]}}
CU130 = {"nvidia": {"cuda_version_lower_bound": ["13.0"], "sm_arch": ["90_real", "80_real"]}}


def make(
    variants: Mapping[str, Mapping[str, Mapping[str, Sequence[str]]]],
    namespaces: Sequence[str] = ("nvidia",),
    **providers: object,
) -> VariantsDocument:
    return parse_document(json.dumps(document(variants, namespaces, providers)).encode(), "test")


def plain(variants: Mapping[str, object], namespaces: Sequence[str] = ("nvidia",)) -> VariantsDocument:
    content = {
        "$schema": PLAIN_SCHEMA_URL,
        "default-priorities": {"namespace": list(namespaces)},
        "variants": variants,
    }
    return parse_document(json.dumps(content).encode(), "test")


def test_labels_are_united_and_the_longest_namespace_list_counts() -> None:
    combined = combine(
        [
            ("c.whl", make({"null": {}}, ["nvidia", "amd"])),
            ("a.whl", make({"cu130": CU130})),
            ("b.whl", make({"cu128": CU128})),
        ]
    )
    assert list(combined.variants) == ["cu128", "cu130", "null"]
    assert combined.default_priorities.namespace == ["nvidia", "amd"]
    assert list(combined.providers or {}) == ["nvidia", "amd"]
    assert combined.variants["cu130"]["nvidia"]["sm_arch"] == ("80_real", "90_real")


def test_the_same_properties_in_another_order_agree() -> None:
    other = {"nvidia": {"sm_arch": ["80_real", "90_real"], "cuda_version_lower_bound": ["13.0"]}}
    combine([("a.whl", make({"cu130": CU130})), ("b.whl", make({"cu130": other}))])


@pytest.mark.parametrize(
    ("first", "second", "what"),
    [
        (make({"x": CU128}), make({"x": CU130}), "label 'x' has other properties"),
        (
            make({"x": CU128}, ["nvidia", "amd"]),
            make({"y": {}}, ["amd", "nvidia"]),
            "namespace order",
        ),
        (
            make({"x": CU128}),
            make({"y": CU130}, nvidia={"requires": ["other"]}),
            "namespace 'nvidia' has another provider",
        ),
        (make({"x": CU128}), plain({"y": {}}), "only one of them has a providers table"),
    ],
)
def test_a_disagreement_names_both_wheels(
    first: VariantsDocument, second: VariantsDocument, what: str
) -> None:
    third = ("0.whl", first)
    for pair in ([third, ("a.whl", first), ("b.whl", second)], [("b.whl", second), ("a.whl", first), third]):
        with pytest.raises(CombineError) as caught:
            combine(pair)
        assert what in str(caught.value)
        assert str(caught.value).startswith("0.whl and b.whl disagree: ")


def test_wheels_without_providers_combine_to_a_document_without_them() -> None:
    combined = combine([("a.whl", plain({"null": {}})), ("b.whl", plain({"x": CU128}))])
    assert combined.providers is None
    assert combined.schema_url == PLAIN_SCHEMA_URL
    assert combine([("a.whl", make({"x": CU128}))]).schema_url == SCHEMA_URL


_STATIC = {"static-properties": {"order": ["first", "second"]}}
_PROPERTIES = st.fixed_dictionaries(
    {},
    optional={
        "nvidia": st.fixed_dictionaries(
            {"cuda_version_lower_bound": st.lists(st.sampled_from(["12.8", "13.0"]), min_size=1, unique=True)}
        ),
        "rank": st.fixed_dictionaries({"order": st.just(["first"])}),
    },
)


@st.composite
def _documents(draw: st.DrawFn) -> list[VariantsDocument]:
    count = draw(st.integers(1, 4))
    documents = []
    for _ in range(count):
        namespaces = draw(
            st.sampled_from([["nvidia"], ["nvidia", "amd"], ["nvidia", "amd", "rank"], ["amd", "nvidia"]])
        )
        properties = {
            namespace: features
            for namespace, features in draw(_PROPERTIES).items()
            if namespace in namespaces
        }
        label = draw(st.sampled_from(["a", "b", "c"])) if properties else "null"
        nvidia = draw(st.sampled_from([NVIDIA_PROVIDER, NVIDIA_PROVIDER, AMD_PROVIDER]))
        documents.append(make({label: properties}, namespaces, rank=_STATIC, nvidia=nvidia))
    return documents


def _attempt(documents: Sequence[tuple[str, VariantsDocument]]) -> bytes | str:
    try:
        return write_document(combine(documents))
    except CombineError as error:
        return str(error)


@given(_documents(), st.randoms(use_true_random=False))
def test_the_result_does_not_depend_on_the_order(documents: list[VariantsDocument], random: object) -> None:
    named = [(f"{number}.whl", document) for number, document in enumerate(documents)]
    shuffled = list(named)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert _attempt(named) == _attempt(shuffled)


@settings(max_examples=300)
@given(_documents())
def test_what_variantlib_merges_we_merge_alike(documents: list[VariantsDocument]) -> None:
    theirs = [VariantsJson(json.loads(write_document(one))) for one in documents]
    try:
        for one in theirs[1:]:
            theirs[0].merge(one)
    except ValidationError:
        with pytest.raises(CombineError):
            combine((f"{number}.whl", one) for number, one in enumerate(documents))
        return
    ours = combine((f"{number}.whl", one) for number, one in enumerate(documents))
    again = json.loads(VariantsJson(json.loads(write_document(ours))).to_str())
    assert again == json.loads(theirs[0].to_str())


@pytest.mark.parametrize(
    ("theirs", "what"),
    [
        (make({"x": CU128}), "misses label 'null'"),
        (make({"x": CU128, "null": {}, "y": {}}), "label 'y' is on no wheel"),
        (make({"x": CU130, "null": {}}), "label 'x' has other properties"),
        (make({"x": CU128, "null": {}}, ["nvidia", "amd"]), "order of namespaces"),
        (make({"x": CU128, "null": {}}, nvidia={"requires": ["other"]}), "providers"),
    ],
)
def test_a_sidecar_that_differs_is_told_how(theirs: VariantsDocument, what: str) -> None:
    ours = make({"x": CU128, "null": {}})
    assert what in (difference(ours, theirs) or "")
    assert "no wheel of the release has a label" in (difference(None, theirs) or "")


def test_the_order_of_labels_and_values_is_no_difference() -> None:
    other = {"nvidia": {"sm_arch": ["80_real", "90_real"], "cuda_version_lower_bound": ["13.0"]}}
    assert difference(make({"x": CU130, "null": {}}), make({"null": {}, "x": other})) is None
