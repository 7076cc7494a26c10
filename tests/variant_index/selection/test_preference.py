from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from variant_index.selection.preference import held_back, uses_accelerator


def held(**releases: bool) -> dict[str, str]:
    found = held_back({Version(name[1:].replace("_", ".")): uses for name, uses in releases.items()})
    return {str(version): str(better) for version, better in found.items()}


def test_newer_releases_that_leave_the_hardware_idle() -> None:
    assert held(v1=True, v2=True, v3=False, v4=False) == {"3": "2", "4": "2"}


def test_nothing_uses_the_hardware() -> None:
    assert held(v1=False, v2=False) == {}


def test_older_releases_are_not_held_back() -> None:
    assert held(v1=False, v2=True) == {}


def test_a_gap_is() -> None:
    assert held(v1=True, v2=False, v3=True) == {"2": "1"}


def test_prereleases_hold_only_prereleases_back() -> None:
    assert held(v1_0rc1=True, v1_0=False, v2_0rc1=False) == {"2.0rc1": "1.0rc1"}


@given(st.dictionaries(st.sampled_from(["1.0rc1", "1.0", "1.1", "2.0.dev1", "2.0", "2.1"]), st.booleans()))
def test_the_best_release_for_the_hardware_is_always_left(releases: dict[str, bool]) -> None:
    versions = {Version(text): uses for text, uses in releases.items()}
    found = held_back(versions)
    for version, better in found.items():
        assert better < version
        assert versions[better]
        assert not versions[version]
        assert better not in found
        assert version.is_prerelease or not better.is_prerelease


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"nvidia": {"sm_arch": ["90_real"]}}, True),
        ({"x86_64": {"level": ["v3"]}, "amd": {"gfx_arch": ["gfx942"]}}, True),
        ({"x86_64": {"level": ["v3"]}}, False),
        ({"priority": {"order": ["a"]}}, False),
        ({}, False),
    ],
)
def test_what_uses_an_accelerator(properties: dict[str, dict[str, list[str]]], expected: bool) -> None:
    assert uses_accelerator(properties) is expected
