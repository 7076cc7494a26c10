"""Markers of requirements: for which interpreter, and those without an answer."""

from __future__ import annotations

import os

import pytest
from packaging.markers import Marker

from variant_index.model.marker import marker_holds


@pytest.mark.parametrize(
    ("marker", "holds"),
    [
        ("python_version >= '3.8' and os_name == 'none'", True),
        ("python_version < '3.8'", False),
        ("extra == 'x'", False),
        ("os_name ~= 'none'", None),
        ("python_version ~= 'x'", None),
        ("'x' in dependency_groups", None),
    ],
)
def test_the_target_decides(marker: str, holds: bool | None) -> None:
    environment = {"python_version": "3.9", "os_name": "none"}
    assert marker_holds(Marker(marker), environment) is holds


def test_without_an_environment_it_is_this_one() -> None:
    assert marker_holds(None) is True
    assert marker_holds(Marker(f"os_name == '{os.name}'")) is True
    assert marker_holds(Marker("os_name == 'none'")) is False
