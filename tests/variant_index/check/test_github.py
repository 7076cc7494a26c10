from __future__ import annotations

from variant_index.check.github import workflow_commands
from variant_index.model.check_report import check_report
from variant_index.model.rules import RULES, Finding


def line(code: str, message: str, path: str = "") -> str:
    (command,) = workflow_commands(check_report(1, [Finding(code, message, path)]))
    return command


def test_each_severity_has_a_command() -> None:
    remedy = RULES["WHL101"].remedy
    assert (
        line("WHL101", "x: bad", "dist/x.whl") == f"::error file=dist/x.whl,title=WHL101::x: bad ({remedy})"
    )
    assert line("REL101", "x 1").startswith("::warning title=REL101::x 1 (")
    assert line("REL112", "x 1").startswith("::notice title=REL112::x 1 (")


def test_nothing_ends_a_command_early() -> None:
    hostile = "100%,a:b::c\n::error::pwn\r"
    command = line("WHL101", hostile, hostile)
    assert "\n" not in command
    assert "\r" not in command
    assert command.startswith(
        "::error file=100%25%2Ca%3Ab%3A%3Ac\\n%3A%3Aerror%3A%3Apwn\\r,title=WHL101::100%25,a:b::c%0A"
    )
