"""The table of uv's options against uv's own help."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from variant_index.clients.uv.options import RUN_SYNTAX, SYNTAX

COMMANDS = ["pip install", "pip sync", "pip compile", "run", "tool run"]


@pytest.mark.parametrize("command", COMMANDS)
def test_options(command: str) -> None:
    asked = [sys.executable, "-m", "uv", *command.split(), "--help"]
    text = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    found = re.findall(r"^ +(?:-(\w), )?--([a-z-]+)(?:\.\.\.)?( <| \[<)?", text, re.MULTILINE)
    assert len(found) > 30
    syntax = SYNTAX if command.startswith("pip") else RUN_SYNTAX
    for letter, name, value in found:
        assert (name in syntax.valued) == bool(value), name
        if letter and (value or name in ("quiet", "help")):
            assert syntax.short.get(letter) == name, letter
