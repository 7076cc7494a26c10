"""Reading pip's command line."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from variant_index.clients.pip.arguments import PipArgumentsError, parse_arguments
from variant_index.clients.pip.options import COMMANDS, FLAGS, GENERAL, SHORT, VALUED, resolve

URL = "https://index.example/simple"


@pytest.mark.parametrize(
    ("arguments", "passed", "options"),
    [
        (["-i", URL, "x"], ["x"], {"index-url": (URL,)}),
        ([f"-i{URL}", "x"], ["x"], {"index-url": (URL,)}),
        (["--index-url", URL, "x"], ["x"], {"index-url": (URL,)}),
        ([f"--index-url={URL}", "x"], ["x"], {"index-url": (URL,)}),
        ([f"--pypi-url={URL}", "x"], ["x"], {"index-url": (URL,)}),
        (["--index", URL, "x"], ["x"], {"index-url": (URL,)}),
        ([f"--index={URL}", "x"], ["x"], {"index-url": (URL,)}),
        (["--index-url=", "x"], ["x"], {"index-url": ("",)}),
        (["-i", "first", "-i", "second"], [], {"index-url": ("first", "second")}),
        (["--extra-index-url", "a", "x", "--extra=b"], ["x"], {"extra-index-url": ("a", "b")}),
        (["-f", "a", "-fb", "--find-links=c", "--find", "d"], [], {"find-links": ("a", "b", "c", "d")}),
        (["--no-index", "x"], ["x"], {"no-index": ("",)}),
        (["--no-ind", "x"], ["x"], {"no-index": ("",)}),
        (["-qi", URL, "x"], ["-q", "x"], {"quiet": ("",), "index-url": (URL,)}),
        ([f"-Uqf{URL}", "x"], ["-Uq", "x"], {"upgrade": ("",), "quiet": ("",), "find-links": (URL,)}),
        (["-Ur", "a.txt"], ["-Ur", "a.txt"], {"upgrade": ("",), "requirement": ("a.txt",)}),
        (
            ["-ra.txt", "-c", "b.txt"],
            ["-ra.txt", "-c", "b.txt"],
            {"requirement": ("a.txt",), "constraint": ("b.txt",)},
        ),
        (["--proxy", "p:1", "x"], ["x"], {"proxy": ("p:1",)}),
        (["--default-timeout=3", "x"], ["x"], {"timeout": ("3",)}),
        (["--cert", "c.pem"], ["--cert", "c.pem"], {"cert": ("c.pem",)}),
        (
            ["--platform", "any", "--abi=none"],
            ["--platform", "any", "--abi=none"],
            {"platform": ("any",), "abi": ("none",)},
        ),
        # A value is never an option, whatever it looks like.
        (["--target", "-i", "x"], ["--target", "-i", "x"], {"target": ("-i",)}),
        (["-t", "--no-index", "x"], ["-t", "--no-index", "x"], {"target": ("--no-index",)}),
        (["-e", "-f"], ["-e", "-f"], {"editable": ("-f",)}),
        (["-r", "--index-url"], ["-r", "--index-url"], {"requirement": ("--index-url",)}),
        # After -- nothing is.
        (["x", "--", "-i", "y"], ["x", "--", "-i", "y"], {}),
        # What pip will refuse goes to pip.
        (["x", "--index-url"], ["x", "--index-url"], {}),
        (["x", "-qi"], ["x", "-qi"], {"quiet": ("",)}),
        (["--no-index=yes"], ["--no-index=yes"], {}),
        (["--unknown-to-us", "-", "--"], ["--unknown-to-us", "-", "--"], {}),
        # Two meanings, neither ours.
        (["--no-warn", "x"], ["--no-warn", "x"], {}),
    ],
)
def test_options(arguments: list[str], passed: list[str], options: dict[str, tuple[str, ...]]) -> None:
    parsed = parse_arguments(["install", *arguments])
    assert parsed.command == "install"
    assert list(parsed.passed) == ["install", *passed]
    assert parsed.options == options
    assert parsed.original == ("install", *arguments)


@pytest.mark.parametrize("abbreviation", ["--in", "--i", "--no-in", "--no-i", "--p", "--f"])
def test_an_abbreviation_that_may_be_ours_is_refused(abbreviation: str) -> None:
    with pytest.raises(PipArgumentsError, match="write the option in full") as caught:
        parse_arguments(["install", abbreviation, "x"])
    assert abbreviation in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "command", "passed"),
    [
        ([], None, []),
        (["--version"], None, ["--version"]),
        (["list"], "list", ["list"]),
        (["-v", "--log", "install", "list"], "list", ["-v", "--log", "install", "list"]),
        (["--proxy=p", "-qq", "install", "x"], "install", ["-qq", "install", "x"]),
        (["--", "install", "-i", "x"], "install", ["--", "install", "-i", "x"]),
        # pip knows no -i before its command.
        (["-i", "install", "x"], "install", ["-i", "install", "x"]),
        (["--index-url", "install", "x"], "install", ["--index-url", "install", "x"]),
    ],
)
def test_command(arguments: list[str], command: str | None, passed: list[str]) -> None:
    parsed = parse_arguments(arguments)
    assert parsed.command == command
    assert list(parsed.passed) == passed


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["install", "x"], True),
        (["index", "versions", "x"], True),
        (["lock"], True),
        (["install", "--help"], False),
        (["install", "-qh"], False),
        (["help", "install"], False),
        (["list", "install"], False),
        ([], False),
    ],
)
def test_which_commands_need_an_index(arguments: list[str], expected: bool) -> None:
    assert parse_arguments(arguments).needs_index is expected


def test_isolated_is_the_exact_word() -> None:
    assert parse_arguments(["install", "--isolated", "x"]).isolated
    assert not parse_arguments(["install", "--isolate", "x"]).isolated  # as in pip


_WORD = st.text("abz019./:=-", min_size=1, max_size=8).filter(lambda text: not text.startswith("-"))
_OURS = st.one_of(
    st.builds(lambda url: ["-i", url], _WORD),
    st.builds(lambda url: [f"-f{url}"], _WORD),
    st.builds(lambda url: [f"--index-url={url}"], _WORD),
    st.builds(lambda url: ["--extra-index-url", url], _WORD),
    st.just(["--no-index"]),
)
_OTHERS = st.one_of(
    st.builds(lambda word: [word], _WORD),
    st.builds(
        lambda name, word: [f"--{name}", word],
        st.sampled_from(sorted(VALUED - {"index-url"})),
        st.text(max_size=5),
    ),
    st.builds(lambda name: [f"--{name}"], st.sampled_from(sorted(FLAGS))),
    st.builds(lambda letter: [f"-{letter}"], st.sampled_from("IUqv")),
).filter(
    lambda words: (
        words[0]
        not in {
            *("--pypi-url", "--extra-index-url", "--find-links", "--no-index", "--proxy"),
            *("--timeout", "--default-timeout"),
        }
    )
)


@given(st.lists(st.one_of(_OTHERS.map(lambda w: (False, w)), _OURS.map(lambda w: (True, w)))))
def test_everything_but_sources_is_passed_in_order(parts: list[tuple[bool, list[str]]]) -> None:
    arguments = [word for _, words in parts for word in words]
    parsed = parse_arguments(["install", *arguments])
    assert list(parsed.passed) == ["install", *(word for ours, words in parts if not ours for word in words)]


@given(st.lists(st.text(max_size=12), max_size=8))
def test_any_line_is_read_or_refused(arguments: list[str]) -> None:
    try:
        parsed = parse_arguments(arguments)
    except PipArgumentsError:
        return
    remaining = iter(arguments)
    if not parsed.options:
        assert list(parsed.passed) == arguments
    else:  # in order; a cluster may have lost its end
        assert all(any(word.startswith(kept) for word in remaining) for kept in parsed.passed)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_the_option_table_is_that_of_this_pip(command: str) -> None:
    """The tests may look into pip; the product does not."""
    script = """if True:
        import json, sys
        from pip._internal.commands import create_command
        options = create_command(sys.argv[1]).parser.option_list_all
        print(json.dumps([[s, o.takes_value()] for o in options for s in o._short_opts + o._long_opts]))
    """
    done = subprocess.run([sys.executable, "-c", script, command], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"this pip has no command {command}")
    for name, takes_value in json.loads(done.stdout):
        known = SHORT.get(name[1]) if not name.startswith("--") else name[2:]
        assert known in (VALUED if takes_value else FLAGS), name


def test_resolve() -> None:
    assert resolve("index-url") == ("index-url",)
    assert resolve("target") == ("target",)
    assert resolve("") == ()
    assert resolve("index-url", general=True) == ()
    assert GENERAL <= VALUED | FLAGS
    assert not VALUED & FLAGS
    assert set(SHORT.values()) <= VALUED | FLAGS


def test_a_run_without_cache_is_seen_and_passed_on() -> None:
    arguments = parse_arguments(["install", "--no-cache-dir", "x"])
    assert arguments.given("no-cache-dir")
    assert arguments.passed == ("install", "--no-cache-dir", "x")
