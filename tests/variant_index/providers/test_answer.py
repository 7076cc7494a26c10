from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from variant_index.model.machine import parse_profile
from variant_index.providers.answer import MAX_ANSWER_BYTES, parse_answer, without_answer
from variant_index.providers.failure import ProviderFailure
from variant_index.providers.remembered import TrustedProvider

ACME = TrustedProvider.model_validate(
    {
        "name": "acme",
        "version": "1.2",
        "namespaces": {"acme": "m:P"},
        "pins": [{"name": "acme", "version": "1.2", "hashes": [f"sha256:{'a' * 64}"]}],
        "environment": "0" * 32,
        "loader": "1" * 32,
    }
)


def _feature(name: object = "speed", values: object = ("fast",), multi_value: object = False) -> object:
    return {"name": name, "values": values, "multi_value": multi_value}


def test_an_answer_becomes_a_profile() -> None:
    profile = parse_answer(json.dumps({"acme": [_feature(), _feature("size", ["1.0", "2"])]}).encode(), ACME)
    assert profile.supported() == {"acme": {"speed": ["fast"], "size": ["1.0", "2"]}}
    assert parse_profile(profile.model_dump_json().encode(), "x") == profile


@pytest.mark.parametrize(
    "answer",
    [
        {"nvidia": [_feature()]},
        {"acme": [_feature()], "other": []},
        {"acme": [_feature(), _feature()]},
        {"acme": [_feature(values=["a", "a"])]},
        {"acme": [_feature(values=[])]},
        {"acme": [_feature(values=["a\n"])]},
        {"acme": [_feature(values=["A"])]},
        {"acme": [_feature(values=[1])]},
        {"acme": [_feature(values="fast")]},
        {"acme": [_feature(name="Speed")]},
        {"acme": [_feature(multi_value="no")]},
        {"acme": [{**_feature(), "more": 1}]},  # type: ignore[dict-item]
        {"acme": [_feature(f"f{n}") for n in range(257)]},
        {"acme": {}},
        [],
        None,
    ],
)
def test_other_answers_are_none(answer: object) -> None:
    with pytest.raises(ProviderFailure) as failure:
        parse_answer(json.dumps(answer).encode(), ACME)
    assert str(failure.value).isprintable()


def test_what_is_too_long_or_deep() -> None:
    long = b'{"acme": []}' + b" " * MAX_ANSWER_BYTES
    for data in (long, b"[" * 200_000, b"\xff", b"", b'{"acme": NaN}'):
        with pytest.raises(ProviderFailure):
            parse_answer(data, ACME)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_none(data: bytes) -> None:
    with suppress(ProviderFailure):
        parse_answer(data, ACME)


def test_no_answer_supports_nothing_and_says_so() -> None:
    profile = without_answer(ACME, "it hangs")
    assert (profile.properties, list(profile.facts)) == ({}, ["acme"])
    assert profile.notes == [
        "provider acme 1.2 gave no answer for acme: it hangs; builds for acme are not chosen "
        "(`variant-index providers forget acme` stops asking it)"
    ]
