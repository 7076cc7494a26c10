"""How the pip of an interpreter is run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from variant_index.clients.process import become

__all__ = ["become_pip", "pip_command"]


def pip_command(python: str) -> list[str]:
    """Return the command that runs an interpreter's pip as its `pip` script does.

    `python -m pip` would look for pip in the working directory first, and so run a stray `pip.py` there.
    """
    program = "import sys; sys.path[:1] == [''] and sys.path.pop(0); import runpy"
    return [python, "-c", f"{program}; runpy.run_module('pip', run_name='__main__', alter_sys=True)"]


def become_pip(python: str, arguments: Sequence[str]) -> NoReturn:
    """Replace this process by pip; where the system cannot do that, run it and exit with its status."""
    become([*pip_command(python), *arguments])
