"""The entry point of `variant-index`: dispatch, errors, exit codes."""

from __future__ import annotations

import importlib
import subprocess
import sys

import click
import pytest

from variant_index import __version__
from variant_index.cli import group
from variant_index.cli.main import main
from variant_index.cli.overview import COMMANDS, overview
from variant_index.errors import InputError, NoAnswerError, UpstreamError, VariantIndexError


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == main(["-h"]) == 0
    assert capsys.readouterr().out == overview() * 2
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"variant-index {__version__}\n"


def test_help_starts_without_click() -> None:
    program = (
        "import sys; from variant_index.cli import main; main(['--help']); sys.exit('click' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_nothing_asked_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Commands:" in captured.err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_exists_and_shows_how(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = importlib.import_module(f"variant_index.cli.{name.replace('-', '_')}")
    assert isinstance(module.command, click.Command)
    assert main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"Usage: variant-index {name}")
    assert "Examples:" in text


def test_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nonsense"]) == 2
    assert "nonsense" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (VariantIndexError("m"), 2),
        (InputError("m"), 2),
        (NoAnswerError("m"), 1),
        (UpstreamError("m"), 3),
        (FileNotFoundError(2, "No such file", "f"), 2),
        (click.UsageError("m"), 2),
        (click.exceptions.Abort(), 130),
    ],
)
def test_errors_become_one_line_and_a_status(
    error: Exception, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def command() -> None:
        raise error

    monkeypatch.setitem(COMMANDS, "fails", "Fails.")
    monkeypatch.setattr(group.cli, "get_command", lambda *_: command)
    assert main(["fails"]) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    assert captured.err


def test_a_command_may_answer_no(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def command() -> int:
        return 1

    monkeypatch.setattr(group.cli, "get_command", lambda *_: command)
    assert main(["no"]) == 1
