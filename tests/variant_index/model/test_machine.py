from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from tests.documents import supported
from variant_index.model.machine import Fact, MachineProfile, ProfileError, parse_profile

_PROFILE: dict[str, Any] = {
    "properties": {"nvidia": {"sm_arch": ["90_real"], "cuda_version_lower_bound": ["12.8", "12.7"]}},
    "feature_order": {"nvidia": ["cuda_version_lower_bound", "sm_arch"]},
    "facts": {"nvidia": {"driver": {"value": "570.1", "source": "NVML"}}},
    "notes": ["no AMD GPU"],
}


def test_features_come_in_their_order() -> None:
    profile = parse_profile(json.dumps(_PROFILE).encode(), "m.json")
    assert list(profile.supported()["nvidia"]) == ["cuda_version_lower_bound", "sm_arch"]
    assert profile.facts["nvidia"]["driver"] == Fact(value="570.1", source="NVML")
    assert parse_profile(profile.model_dump_json().encode(), "m.json") == profile


def test_facts_and_notes_may_be_missing() -> None:
    assert parse_profile(b'{"properties": {}, "feature_order": {}}', "m") == MachineProfile(
        properties={}, feature_order={}
    )


@given(supported())
def test_a_profile_goes_round(properties: dict[str, dict[str, list[str]]]) -> None:
    profile = MachineProfile(
        properties=properties, feature_order={namespace: list(f) for namespace, f in properties.items()}
    )
    assert parse_profile(profile.model_dump_json().encode(), "m").supported() == properties


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"x": 1}, "x: is not a known key"),
        ({"properties": 1}, "properties: must be a table"),
        ({"properties": {"NV": {}}}, "may hold only|must be"),
        ({"properties": {"nvidia": {"sm_arch": []}}}, "must not be empty"),
        ({"properties": {"nvidia": {"sm-arch": ["1"]}}}, "may hold only|must be"),
        ({"properties": {"nvidia": {"sm_arch": ["a b"]}}}, "may hold only|must be"),
        (
            {"properties": {"nvidia": {"sm_arch": ["1", "1"]}}, "feature_order": {"nvidia": ["sm_arch"]}},
            "twice",
        ),
        ({"feature_order": {"nvidia": ["sm_arch"]}}, "each feature of properties.nvidia once"),
        ({"feature_order": {}}, "each feature of properties.nvidia once"),
        ({"feature_order": {"nvidia": ["sm_arch"] * 3}}, "each feature of properties.nvidia once"),
        ({"facts": {"nvidia": {"driver": "570"}}}, "facts.nvidia.driver"),
        ({"\x1b[31m": 1}, r"\\x1b"),
    ],
)
def test_every_rule(change: dict[str, Any], rule: str) -> None:
    with pytest.raises(ProfileError, match=f"^m.json: not a machine profile: .*{rule}") as caught:
        parse_profile(json.dumps({**_PROFILE, **change}).encode(), "m.json")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b"[" * 100_000, b"null", b'{"properties": {}}'])
def test_what_is_no_profile_gives_one_line(data: bytes) -> None:
    with pytest.raises(ProfileError) as caught:
        parse_profile(data, "a\nb")
    assert str(caught.value).isprintable()
