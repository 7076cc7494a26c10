"""`variant-index completion`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner

from variant_index.cli.completion import command
from variant_index.cli.overview import COMMANDS


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(shell: str) -> None:
    result = CliRunner().invoke(command, [shell])
    assert result.exit_code == 0
    assert f"_VARIANT_INDEX_COMPLETE={shell}_complete" in result.output
    assert "variant-index" in result.output


def test_another_shell_is_refused() -> None:
    result = CliRunner().invoke(command, ["tcsh"])
    assert result.exit_code == 2
    assert "'bash', 'zsh', 'fish'" in result.output


def test_help_has_an_example() -> None:
    assert 'eval "$(variant-index completion bash)"' in CliRunner().invoke(command, ["--help"]).output


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash to complete in")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["com"], {"completion"}),
        ([""], set(COMMANDS)),
        (["completion", "z"], {"zsh"}),
        (["completion", "--h"], {"--help"}),
    ],
)
def test_bash_completes_with_it(words: list[str], expected: set[str], tmp_path: Path) -> None:
    program = tmp_path / "variant-index"
    program.write_text(f"#!{sys.executable}\nfrom variant_index.cli import main\nraise SystemExit(main())\n")
    program.chmod(0o755)
    quoted = " ".join(f"'{word}'" for word in ["variant-index", *words])
    script = (
        f'eval "$(variant-index completion bash)"; COMP_WORDS=({quoted}); COMP_CWORD={len(words)};'
        ' _variant_index_completion variant-index; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        env={**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert set(done.stdout.split()) == expected, done.stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["explain", "--pl"], {("plain", "--platform")}),
        (["explain", "--platform", "win"], {("plain", "win_amd64"), ("plain", "win_arm64")}),
        (["explain", "--python-version", "3.12"], {("plain", "3.12")}),
        (["explain", "--implementation", "p"], {("plain", "pp"), ("plain", "py")}),
        (["explain", "--prefer", ""], {("plain", "hardware"), ("plain", "version")}),
        (["explain", "-r", "requ"], {("file", "requ")}),
        (["explain", "-c", ""], {("file", "")}),
        (["explain", "--machine", "gpu"], {("file", "gpu")}),
        (["explain", "--find-links", "./"], {("file", "./")}),
    ],
)
def test_values_are_completed(words: list[str], expected: set[tuple[str, str]]) -> None:
    from variant_index.cli.group import cli

    complete = BashComplete(cli, {}, "variant-index", "_VARIANT_INDEX_COMPLETE")
    found = complete.get_completions(words[:-1], words[-1])
    assert {(item.type, item.value) for item in found} == expected
