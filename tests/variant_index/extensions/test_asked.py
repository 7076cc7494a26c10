"""What a command asks for, project by project."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from variant_index.extensions.asked import Asked, read_asked
from variant_index.model.wishes import Wishes

WINDOWS = {"sys_platform": "win32", "python_version": "3.9", "platform_machine": "AMD64"}


def read(*requirements: str, constraints: tuple[str, ...] = ()) -> Asked:
    return read_asked(Wishes(requirements, constraints), lambda: WINDOWS)


@pytest.mark.parametrize(
    ("requirements", "asked"),
    [
        ([], ""),
        (["torch"], ""),
        (["install", "-U", "torchvision==1.0", "not a requirement"], ""),
        (["torch==2.9.0"], "==2.9.0"),
        (["torch==2.9.0", "torch==1.0; os_name ~= 'a'"], "==2.9.0"),
        (["Torch[x]==2.9.0+cu128 --hash=sha256:00", "numpy"], "==2.9.0+cu128"),
        (["torch<3  # newest", "torch>=2.8"], "<3,>=2.8"),
        (["torch==1.0; python_version < '3'"], ""),
        (["torch==2.8.0; sys_platform == 'win32'", "torch==2.9.0; sys_platform == 'linux'"], "==2.8.0"),
        (["torch==2.8.0; extra == 'gpu'"], ""),
        (["./wheels/torch-2.9.0+cu128-cp312-cp312-linux_x86_64.whl"], "==2.9.0+cu128"),
        (
            ["torch @ https://x.example/torch-2.9.0%2Bcpu-cp312-cp312-linux_x86_64.whl#sha256=0"],
            "==2.9.0+cpu",
        ),
        (["https://x.example/whl/torch-2.9.0-cp312-cp312-linux_x86_64.whl?x=y"], "==2.9.0"),
        (["torch @ git+https://x.example/torch"], ""),
        (["torch==" + "9" * 5000], ""),
        (["torch-2.9.0.whl", "torch" * 2000], ""),
    ],
)
def test_what_a_command_asks_of_torch(requirements: list[str], asked: str) -> None:
    assert read(*requirements).specifier("torch") == SpecifierSet(asked)


def test_constraints_limit_and_name_nothing() -> None:
    asked = read("torchvision", "Foo_Bar>1", constraints=("torch<2.10", "torchvision<0.25", "foo.bar<2"))
    assert asked.named == ("torchvision", "foo-bar")
    assert {name: str(one) for name, one in asked.specifiers.items()} == {
        "torch": "<2.10",
        "torchvision": "<0.25",
        "foo-bar": "<2,>1",
    }


def test_the_target_is_asked_only_for_markers_and_once() -> None:
    calls = []

    def environment() -> Mapping[str, str]:
        calls.append(1)
        return WINDOWS

    read_asked(Wishes(("torch==2.9.0", "numpy")), environment)
    assert calls == []
    read_asked(Wishes(("a; sys_platform == 'x'", "b; sys_platform == 'x'")), environment)
    assert calls == [1]


def test_who_is_upgraded() -> None:
    def upgraded(wishes: Wishes) -> list[str]:
        asked = read_asked(wishes, dict)
        return [name for name in ("torch", "numpy", "other") if asked.is_upgraded(name)]

    named = ("torch", "numpy")
    assert upgraded(Wishes(named)) == []
    assert upgraded(Wishes(named, upgrade="named")) == ["torch", "numpy"]
    assert upgraded(Wishes(named, upgraded=frozenset({"other"}))) == ["other"]


def test_what_a_lock_file_keeps() -> None:
    kept = {"torch": "2.9.0+cu128", "x": "no version", "y": "1" * 200}
    assert read_asked(Wishes(kept=kept), dict).kept == {"torch": Version("2.9.0+cu128")}


@given(st.lists(st.text(max_size=40)), st.lists(st.text(alphabet="torch=<>~!. 0129;'[]@/:+-", max_size=40)))
def test_nothing_written_there_is_a_failure(requirements: list[str], constraints: list[str]) -> None:
    read(*requirements, constraints=tuple(constraints))
