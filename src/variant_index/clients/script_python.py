"""Which interpreter runs an installed command, such as `pip-compile` or `pipx`."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

__all__ = ["python_of_script"]


def python_of_script(program: str) -> str:
    """Return the interpreter of the environment that a script was installed into.

    That is the one in its folder; for a script elsewhere the one in its first line, and if nothing tells it,
    the one that runs this program.
    """
    found = shutil.which(program)
    if found is None:
        return sys.executable
    script = Path(found).resolve()
    for name in ("python.exe",) if os.name == "nt" else ("python", "python3"):
        if os.access(script.parent / name, os.X_OK) and (script.parent.parent / "pyvenv.cfg").is_file():
            return str(script.parent / name)
    with script.open("rb") as file:
        first = file.readline(1024)
    if first.startswith(b"#!"):
        interpreter = os.fsdecode(first[2:]).strip().partition(" ")[0]
        if Path(interpreter).name.startswith("python") and os.access(interpreter, os.X_OK):
            return interpreter
    return sys.executable
