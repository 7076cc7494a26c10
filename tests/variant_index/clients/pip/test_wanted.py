"""What files and command lines ask for, project by project."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.markers import default_environment
from packaging.specifiers import SpecifierSet

from variant_index.clients.pip.requirements import read_requirements
from variant_index.clients.pip.wanted import (
    RequirementLine,
    Wanted,
    WantedError,
    merge,
    pin_hints,
    requirement_lines,
)
from variant_index.errors import VariantIndexError
from variant_index.shim.present import Chosen

ENVIRONMENT = {**{name: str(value) for name, value in default_environment().items()}, "sys_platform": "linux"}
A, B, C = (f"sha256:{letter * 64}" for letter in "abc")


def wanted(*lines: str | RequirementLine) -> dict[str, Wanted]:
    known = [line if isinstance(line, RequirementLine) else RequirementLine(line) for line in lines]
    return {one.name: one for one in merge(known, ENVIRONMENT)[0]}


def test_lines_of_one_project_are_one_wish() -> None:
    found = wanted("Foo_Bar>=1", "other[x]", "foo.bar<3; python_version > '3'", "foo-bar>=1")
    assert list(found) == ["foo-bar", "other"]
    assert found["foo-bar"].specifier == SpecifierSet(">=1,<3")
    assert found["foo-bar"].text == "Foo_Bar>=1, foo.bar<3, foo-bar>=1"
    assert found["other"].specifier == SpecifierSet()


def test_numbers_that_python_does_not_read() -> None:
    with pytest.raises(WantedError, match=r"r\.txt, line 3: 'a>=9+…': a number has more than 1000 digits"):
        wanted(RequirementLine("a>=" + "9" * 5000, "r.txt, line 3"))


def test_markers_are_those_of_the_target() -> None:
    found = wanted("a; sys_platform == 'win32'", "b==1; sys_platform == 'win32'", "b==2", "c; extra == 'x'")
    assert found["a"].ignored == 'its marker sys_platform == "win32" is false for this interpreter'
    assert (found["b"].ignored, found["b"].specifier) == (None, SpecifierSet("==2"))
    assert found["c"].ignored is not None


def test_markers_without_an_answer_are_refused() -> None:
    with pytest.raises(WantedError, match=r"r\.txt, line 3: .* its marker compares what cannot be compared"):
        wanted(RequirementLine("a; os_name ~= 'x'", "r.txt, line 3"))


def test_constraints_limit_and_ask_for_nothing() -> None:
    found = wanted(
        RequirementLine("a<2", "c.txt, line 1", constraint=True),
        RequirementLine("a<1; sys_platform == 'win32'", "c.txt, line 2", constraint=True),
        RequirementLine("b<2", "c.txt, line 3", constraint=True),
        "A>=1",
    )
    assert list(found) == ["a"]
    assert found["a"].specifier == SpecifierSet(">=1,<2")
    assert found["a"].places == ("c.txt, line 1",)
    assert found["a"].text == "A>=1, a<2 (constraint)"


def test_hashes_of_all_lines_must_hold() -> None:
    one, two = RequirementLine("a==1", "f", frozenset({A, B})), RequirementLine("a", "g", frozenset({B, C}))
    assert wanted(one, two)["a"].hashes == {B}
    assert wanted(one, "a")["a"].hashes == {A, B}


@pytest.mark.parametrize("text", ["-e .", "./a.whl", "https://h/a.whl", "a @ https://h/a.whl", "C:\\a"])
def test_what_names_a_file_is_left_out(text: str) -> None:
    found, left_out = merge([RequirementLine(text, "r.txt, line 3")], ENVIRONMENT)
    assert found == ()
    (line,) = left_out
    assert line.startswith("r.txt, line 3: ")
    assert "names a file, a folder or a URL" in line


@pytest.mark.parametrize("text", ["a==", "a b", "a; nonsense == 1", "a\x1b[31m=="])
def test_what_is_no_requirement_names_its_line(text: str) -> None:
    with pytest.raises(WantedError) as caught:
        merge([RequirementLine(text, "r.txt, line 3")], ENVIRONMENT)
    assert str(caught.value).startswith("r.txt, line 3: ")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("text", ["a @ https://h/a.whl", "./a.whl", "a=="])
def test_the_command_line_must_name_projects(text: str) -> None:
    with pytest.raises(WantedError):
        merge([RequirementLine(text)], ENVIRONMENT)


def test_files_are_read_with_those_they_include(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "r.txt").write_text(
        "# first\n-r inner/more.txt\n-c inner/limit.txt\n"
        f"a==1 \\\n    --hash={A} \\\n    --hash sha256:{'B' * 64}\n"
        "${NAME}>=2 ; sys_platform != 'win32'  # why\n--pre\n-e ./here\n"
    )
    (tmp_path / "inner" / "more.txt").write_text("c\n-r ../r.txt\n")
    (tmp_path / "inner" / "limit.txt").write_text("a<3\n-r more.txt\n")
    variables = {"NAME": "b"}
    name = str(tmp_path / "r.txt")
    lines = list(requirement_lines(read_requirements([name], variables), [name], [], variables))
    at = str(tmp_path)
    assert lines == [
        RequirementLine("c", f"{at}/inner/more.txt, line 1"),
        RequirementLine("c", f"{at}/inner/more.txt, line 1", constraint=True),
        RequirementLine("a<3", f"{at}/inner/limit.txt, line 1", constraint=True),
        RequirementLine("a==1", f"{at}/r.txt, line 4", frozenset({A, B})),
        RequirementLine("b>=2 ; sys_platform != 'win32'", f"{at}/r.txt, line 7"),
        RequirementLine("-e ./here", f"{at}/r.txt, line 9"),
    ]


@pytest.mark.parametrize("text", ["a==1 --hash=nonsense", "a==1 --hash", "a --hash='"])
def test_a_bad_hash_names_its_line(text: str, tmp_path: Path) -> None:
    name = str(tmp_path / "r.txt")
    (tmp_path / "r.txt").write_text(text)
    with pytest.raises(WantedError, match=r"r\.txt, line 1: "):
        list(requirement_lines(read_requirements([name], {}), [name], [], {}))


def chosen(version: str = "1.0", label: str = "cu128", sha256: str = "c" * 64) -> Chosen:
    return Chosen("a", version, label, "why", "a.whl", hashes={"sha256": sha256, "md5": "0" * 32})


def test_pins_that_miss_a_choice() -> None:
    pinned = Wanted("a", "a==1.0", SpecifierSet("==1.0"), frozenset({A, B}), ("r.txt, line 1",))
    (hint,) = pin_hints([pinned], [chosen(), chosen(), chosen("2.0")])
    assert hint == (
        "a 1.0: cu128 is chosen for this machine, but its sha256 is not among the pinned hashes"
        f" (r.txt, line 1); add --hash={C}"
    )
    assert pin_hints([pinned], [chosen(sha256="A" * 64)]) == []
    assert pin_hints([Wanted("a", "a", SpecifierSet())], [chosen()]) == []
    assert pin_hints([Wanted("b", "b", SpecifierSet(), frozenset({A}))], [chosen()]) == []


@given(text=st.text(max_size=60), constraint=st.booleans())
def test_any_line_is_read_or_refused_in_one_line(text: str, constraint: bool) -> None:
    try:
        _, left_out = merge([RequirementLine(text, "r.txt, line 1", constraint=constraint)], ENVIRONMENT)
    except VariantIndexError as error:
        left_out = (str(error),)
    assert all(line.isprintable() for line in left_out)
