"""Stand-ins for a keyring: a `keyring` program on PATH, and a `keyring` package."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

_PROGRAM = """#!{python}
import json, sys
known = {known!r}
words = sys.argv[1:]
with open({log!r}, "a") as log:
    print(*words, file=log)
creds = "--mode=creds" in words
words = [word for word in words if not word.startswith("--")]
service, user = words[1], (words[2] if len(words) > 2 else "")
password = known.get(json.dumps([service, user]))
if password is None:
    sys.exit(1)
print(json.dumps({{"username": user or "user", "password": password}}) if creds else password)
"""


def make_program(folder: Path, monkeypatch: pytest.MonkeyPatch, known: Mapping[tuple[str, str], str]) -> Path:
    """Put a keyring program first on PATH, and return the file where it writes what it is asked.

    Args:
        folder: holds the program.
        monkeypatch: restores PATH.
        known: service and user -> password; the user is `""` for who asks without one.
    """
    log = write_program(folder, known)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return log


def write_program(folder: Path, known: Mapping[tuple[str, str], str]) -> Path:
    """Write the program, and return the file where it writes what it is asked."""
    folder.mkdir(parents=True)
    log = folder / "asked"
    by_key = {json.dumps(key): password for key, password in known.items()}
    program = folder / "keyring"
    program.write_text(_PROGRAM.format(python=sys.executable, known=by_key, log=str(log)))
    program.chmod(0o755)
    return log
