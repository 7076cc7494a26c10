"""`--only-binary` and `--no-binary`, against pip's own reading."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pip._internal.models.format_control import FormatControl

from variant_index.clients.pip.arguments import parse_arguments
from variant_index.clients.pip.configuration import PipConfiguration
from variant_index.clients.pip.formats import FORMAT_OPTIONS, Formats, pip_formats, read_formats
from variant_index.clients.pip.requirements import read_requirements
from variant_index.clients.pip.requirements_line import Option

_WORDS = st.sampled_from([":all:", ":none:", "a", "B.b", "c_c", ""])
_VALUES = st.lists(_WORDS, min_size=1, max_size=5).map(",".join)
_GIVEN = st.lists(st.tuples(st.sampled_from(FORMAT_OPTIONS), _VALUES), max_size=5)


@given(_GIVEN)
def test_any_options_mean_what_they_mean_to_pip(given_options: list[tuple[str, str]]) -> None:
    control = FormatControl()
    for name, value in given_options:
        sets = control.only_binary, control.no_binary
        target, other = sets if name == "only-binary" else sets[::-1]
        FormatControl.handle_mutual_excludes(value, target, other)
    found = read_formats(Option(name, value) for name, value in given_options)
    assert found == Formats(frozenset(control.only_binary), frozenset(control.no_binary))
    for name in ("a", "b-b", "c-c", "d"):
        allowed: frozenset[str] = control.get_allowed_formats(name)
        assert found.wheels_only(name) == ("source" not in allowed)
        assert found.sources_only(name) == ("binary" not in allowed)


@pytest.mark.parametrize(
    ("options", "wheels_only"),
    [
        ([], ""),
        ([("only-binary", "a")], "a"),
        ([("only-binary", ":all:"), ("no-binary", "a")], "b"),
        ([("only-binary", ":all:"), ("no-binary", ":all:")], ""),
        ([("only-binary", "a,b"), ("only-binary", ":none:")], ""),
        ([("pre", ""), ("only-binary", "A,b")], "ab"),
    ],
)
def test_examples(options: list[tuple[str, str]], wheels_only: str) -> None:
    found = read_formats(Option(name, value) for name, value in options)
    assert [name for name in "ab" if found.wheels_only(name)] == list(wheels_only)


def test_configuration_command_line_and_files_of_pip(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text("--only-binary=c --no-binary=d\n--no-binary e")
    found = read_requirements([str(tmp_path / "r.txt")], {})
    configuration = PipConfiguration({"install.no-binary": ":all:"}, {"only-binary": "a"})
    arguments = parse_arguments(["install", "--no-binary", "b", "--only-binary=d", "x"])
    assert arguments.passed == arguments.original
    formats = pip_formats(arguments, configuration, found)
    assert [name for name in "abcdef" if formats.sources_only(name)] == list("abdef")
    assert [name for name in "abcdef" if formats.wheels_only(name)] == ["c"]
