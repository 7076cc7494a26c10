"""Command lines of installers: what is an option, what its value, what a word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from variant_index.clients.command_line import Syntax, read_command_line

SYNTAX = Syntax(
    valued=frozenset({"index", "output", "python"}),
    short={"i": "index", "o": "output", "p": "python", "q": "quiet", "v": "verbose"},
    taken=frozenset({"index", "no-index"}),
)


@pytest.mark.parametrize(
    ("text", "words", "passed"),
    [
        ("pip install x", "pip install x", "pip install x"),
        ("install --index u x", "install x", "install x"),
        ("install --index=u x", "install x", "install x"),
        ("install -i u x", "install x", "install x"),
        ("install -iu x", "install x", "install x"),
        ("install -i=u x", "install x", "install x"),
        ("install -qvi u x", "install x", "install -qv x"),
        ("install -q --no-index x", "install x", "install -q x"),
        ("install -o --index x", "install x", "install -o --index x"),
        ("install --output -i x", "install x", "install --output -i x"),
        ("install -- --index u", "install --index u", "install -- --index u"),
        ("install - x", "install - x", "install - x"),
        ("install --unknown x", "install x", "install --unknown x"),
        ("install --index", "install", "install"),
    ],
)
def test_words_and_what_is_passed(text: str, words: str, passed: str) -> None:
    line = read_command_line(tuple(text.split()), SYNTAX)
    assert line.words == tuple(words.split())
    assert line.passed == tuple(passed.split())


def words_of(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def test_values() -> None:
    line = read_command_line(words_of("-qv --index a -i b --index=c -oz"), SYNTAX)
    assert line.all("index") == ("a", "b", "c")
    assert line.last("index") == "c"
    assert line.last("missing", "output") == "z"
    assert [line.given(name) for name in ("quiet", "verbose", "python")] == [True, True, False]


def test_what_follows_the_last_word_belongs_to_another_program() -> None:
    line = read_command_line(words_of("run -p 3 prog --index u -- x"), SYNTAX, last_word=2)
    assert (line.words, line.rest) == (("run", "prog"), ("--index", "u", "--", "x"))
    assert line.passed == ("run", "-p", "3", "prog", "--index", "u", "--", "x")
    after = read_command_line(words_of("run -- prog --index u"), SYNTAX, last_word=2)
    assert (after.words, after.rest) == (("run", "prog"), ("--index", "u"))


def test_beginnings_of_names() -> None:
    syntax = Syntax(valued=frozenset({"index-url", "python"}), taken=frozenset({"index-url"}), prefixes=True)
    assert read_command_line(("--index", "u", "x"), syntax).passed == ("x",)
    assert read_command_line(("--index", "u", "x"), SYNTAX).words == ("x",)
    exact = Syntax(valued=frozenset({"index-url"}), taken=frozenset({"index-url"}))
    assert read_command_line(("--index", "u", "x"), exact).words == ("u", "x")


WORD = st.sampled_from(
    ["x", "--", "-", "-i", "-iu", "-qi", "--index", "--index=u", "-q", "--other", "-o", ""]
)


@given(st.lists(WORD, max_size=8).map(tuple), st.none() | st.integers(1, 3))
def test_nothing_is_invented(arguments: tuple[str, ...], last_word: int | None) -> None:
    line = read_command_line(arguments, SYNTAX, last_word=last_word)
    rest = iter(arguments)
    for word in line.passed:
        assert any(word in (one, one[: len(word)] if word.startswith("-q") else one) for one in rest)
    assert line.rest == arguments[len(arguments) - len(line.rest) :]


@given(st.lists(WORD, max_size=8).map(tuple))
def test_what_is_taken_is_not_passed(arguments: tuple[str, ...]) -> None:
    passed = read_command_line(arguments, SYNTAX).passed
    assert not read_command_line(passed, SYNTAX).given("index", "no-index")
