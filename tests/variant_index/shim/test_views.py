"""Which machine a path is for, and that not everyone who asks makes the shim larger."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.variant_index.shim.family import ANY, cpu_machine
from variant_index.model.machine import MachineProfile
from variant_index.selection.choice import TargetTags
from variant_index.shim.catalog import Catalog
from variant_index.shim.file_table import FileTable
from variant_index.shim.target import tags_of, tags_of_version
from variant_index.shim.views import Targets, View, Views


def view() -> View:
    return View(cast("Catalog", object()), FileTable("../../f/", b"key"))


def views(made: list[View], *, targets: bool = True) -> Views:
    def make(_machine: Callable[[], MachineProfile] | None, _tags: Callable[[], TargetTags] | None) -> View:
        made.append(view())
        return made[-1]

    known = Targets(lambda name: cpu_machine if name.startswith("k") else None, lambda _version: ANY)
    return Views(view(), make, lambda former: former, known if targets else None)


def test_each_pair_has_one_view() -> None:
    made: list[View] = []
    found = views(made)
    default, rest = found.find(["simple", "x", ""])
    assert (default is not None, rest, made) == (True, ["simple", "x", ""], [])
    for path in (["m", "k"], ["py3.12"], ["m", "k", "py3.12"]):
        first, rest = found.find([*path, "simple", ""])
        assert rest == ["simple", ""]
        assert first is made[-1]
        assert found.find([*path, "f", "id", "name"]) == (first, ["f", "id", "name"])
    assert len(made) == 3
    assert len(found) == 4


@pytest.mark.parametrize("name", ["unknown", "", ".", "..", "k" * 101, "k/", "k\n", "kä", "-k"])
def test_unknown_machines(name: str) -> None:
    made: list[View] = []
    assert views(made).find(["m", name, "simple", ""])[0] is None
    assert made == []


def test_nothing_to_name_without_targets() -> None:
    found = views([], targets=False)
    for path in (["m", "k", "simple", ""], ["py3.12", "simple", ""]):
        assert found.find(path)[1] == path


def test_the_ones_used_last_are_kept() -> None:
    made: list[View] = []
    found = views(made)
    first = found.find(["m", "k0", "simple"])[0]
    for number in range(1, 32):
        found.find(["m", f"k{number}", "simple"])
    assert found.find(["m", "k0", "simple"])[0] is first
    found.find(["m", "k32", "simple"])
    assert len(found) == 33
    assert found.find(["m", "k0", "simple"])[0] is first
    assert len(made) == 33
    found.find(["m", "k1", "simple"])
    assert len(made) == 34


@given(st.lists(st.text(max_size=5) | st.sampled_from(["m", "k", "py3.12", "simple", ""]), max_size=6))
def test_any_path(parts: list[str]) -> None:
    found, rest = views([]).find(parts)
    assert list(rest) == parts[len(parts) - len(rest) :]
    assert found is None or isinstance(found, View)


def test_tags_of_a_version_are_those_of_its_interpreter() -> None:
    import platform
    import sys

    own = tags_of(sys.executable)
    version = ".".join(platform.python_version_tuple()[:2])
    described = tags_of_version(version)
    assert list(described._positions) == list(own._positions)
    assert described.refusal(f"=={version}.*") is None
    assert described.refusal("<3.8") is not None
