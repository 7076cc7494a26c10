from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from variantlib.models.variant import VariantDescription, VariantProperty

from variant_index.model.properties import (
    Property,
    PropertyError,
    collect_properties,
    each_property,
    hash_label,
)

_NAMES = st.from_regex(r"[a-z0-9_]{1,6}", fullmatch=True)
_PROPERTIES = st.builds(Property, _NAMES, _NAMES, st.from_regex(r"[a-z0-9_.]{1,6}", fullmatch=True))


def test_blanks_around_the_colons_do_not_matter() -> None:
    expected = Property("nvidia", "sm_arch", "90_real")
    for text in (
        "nvidia :: sm_arch :: 90_real",
        "nvidia::sm_arch::90_real",
        "  nvidia ::sm_arch::  90_real ",
    ):
        assert Property.parse(text) == expected
    assert str(expected) == "nvidia :: sm_arch :: 90_real"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("nvidia :: sm_arch", "not of the form"),
        ("a :: b :: c :: d", "not of the form"),
        ("a : b : c", "not of the form"),
        ("", "not of the form"),
        ("A :: b :: c", "namespace 'A'"),
        ("a.b :: b :: c", "namespace 'a.b'"),
        (" :: b :: c", "namespace ''"),
        ("a :: b.c :: c", "feature 'b.c'"),
        ("a :: b-c :: c", "feature 'b-c'"),
        ("a :: b :: C", "value 'C'"),
        ("a :: b :: ", "value ''"),
        ("a :: b :: c d", "value 'c d'"),
        ("a :: b :: \u0663", "value '\u0663'"),
        ("a :: b\x1b[31m :: c", r"feature 'b\\x1b"),
        ("a :: b :: c\nd", r"value 'c\\nd'"),
    ],
)
def test_what_is_no_property_says_which_rule_it_breaks(text: str, rule: str) -> None:
    with pytest.raises(PropertyError, match=rule) as caught:
        Property.parse(text)
    assert str(caught.value).isprintable()


@given(_PROPERTIES)
def test_reading_goes_round(item: Property) -> None:
    assert Property.parse(str(item)) == item


def test_check_values_of_hash_labels() -> None:
    assert hash_label([Property("x86_64", "level", "v3")]) == "fa7c1393"
    assert hash_label([Property("nvidia", "cuda_version_lower_bound", "12.8")]) == "f839a2dd"
    assert hash_label([]) == "null"


@given(st.lists(_PROPERTIES, max_size=6))
def test_hash_labels_as_variantlib_computes_them(items: list[Property]) -> None:
    theirs = VariantDescription([VariantProperty(*item) for item in set(items)])
    assert hash_label(items) == hash_label(reversed(items)) == theirs.label
    assert not items or theirs.hexdigest == theirs.label


@given(st.lists(_PROPERTIES, max_size=8))
def test_nesting_goes_round_and_sorts(items: list[Property]) -> None:
    nested = collect_properties(items)
    assert list(each_property(nested)) == sorted(set(items))
    assert nested == collect_properties(reversed(items))
