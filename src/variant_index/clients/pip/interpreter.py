"""Which pip is the user's: that of the active environment, and which interpreter it installs for."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from variant_index.errors import InputError, printable

__all__ = ["Interpreter", "InterpreterError", "find_interpreter", "interpreter_at"]

_WINDOWS = os.name == "nt"

_PIP_VERSION = re.compile(r"""^__version__ = ["']([0-9][^"']{0,40})["']""", re.MULTILINE)


class InterpreterError(InputError):
    """There is no Python with pip to run."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python that can be run.

    Attributes:
        executable: its path.
        origin: what named it, for messages: a variable, an option, `PATH`, or `variant-pip's own`.
    """

    executable: str
    origin: str

    def pip_version(self) -> tuple[int, ...]:
        """Return the version of its pip, empty where that does not tell; runs it only where no file does."""
        text = None
        if (module := _pip_module(self.executable)) is not None:
            with contextlib.suppress(OSError):
                found = _PIP_VERSION.search(module.read_text("utf-8", "replace"))
                text = found[1] if found else None
        if text is None:
            text = _ask(self.executable, "import pip; print(pip.__version__)")
        release = re.match(r"\d{1,6}(?:\.\d{1,6}){0,2}", text or "", re.ASCII)
        return tuple(map(int, release[0].split("."))) if release else ()

    def prefix(self) -> str:
        """Return its `sys.prefix`; asks the interpreter only where the folder does not tell."""
        if self.executable == sys.executable:
            return sys.prefix
        folder = Path(self.executable).absolute().parent.parent
        if (folder / "pyvenv.cfg").is_file() or (folder / "conda-meta").is_dir():
            return str(folder)
        if _WINDOWS and (folder / "Scripts" / "conda.exe").is_file():
            return str(Path(self.executable).parent)
        answer = _ask(self.executable, "import sys; print(sys.prefix)")
        if answer is None:
            raise InterpreterError(f"{printable(self.executable)} ({self.origin}) does not run")
        return answer


def find_interpreter(environment: Mapping[str, str]) -> Interpreter:
    """Return the interpreter whose pip a user in this environment means.

    That is the active environment's (`VIRTUAL_ENV`, then `CONDA_PREFIX`), else the one that runs this
    program, else the first Python on `PATH` that has pip. conda's base environment is active in every shell
    of many users, so it does not outdo a virtual environment whose variant-pip was called by its path.

    Raises:
        InterpreterError: there is none, or the active environment has no pip.
    """
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        folder = environment.get(variable)
        if not folder or (variable == "CONDA_PREFIX" and _is_base(environment) and _in_virtual_environment()):
            continue
        found = _python_in(Path(folder))
        if found is None and variable == "VIRTUAL_ENV":
            raise InterpreterError(
                f"{variable} is {printable(folder)}, which holds no Python: activate another"
            )
        if found is not None:
            if not _has_pip(found):
                raise InterpreterError(
                    f"the active environment {printable(folder)} ({variable}) has no pip:"
                    f" install it with `{printable(found)} -m ensurepip`"
                )
            return Interpreter(found, variable)
    if importlib.util.find_spec("pip") is not None:
        return Interpreter(sys.executable, "variant-pip's own")
    for folder in environment.get("PATH", os.defpath).split(os.pathsep):
        for name in ("python3", "python"):
            executable = shutil.which(name, path=folder) if folder else None
            if executable and _has_pip(executable):
                return Interpreter(executable, "PATH")
    raise InterpreterError("no Python with pip found: activate an environment that has pip")


def interpreter_at(place: str) -> Interpreter | None:
    """Return the interpreter that pip's `--python` names, an executable or an environment; None if none."""
    path = Path(place)
    if path.is_dir():
        found = _python_in(path)
        return None if found is None else Interpreter(found, "--python")
    return Interpreter(str(path.absolute()), "--python") if path.exists() else None


def _is_base(environment: Mapping[str, str]) -> bool:
    return environment.get("CONDA_DEFAULT_ENV") in ("base", "root")


def _in_virtual_environment() -> bool:
    return sys.prefix != sys.base_prefix and importlib.util.find_spec("pip") is not None


def _python_in(folder: Path) -> str | None:
    names = ("Scripts/python.exe", "python.exe") if _WINDOWS else ("bin/python", "bin/python3")
    return next((str(folder / name) for name in names if os.access(folder / name, os.X_OK)), None)


def _pip_module(executable: str) -> Path | None:
    """Return the file of an interpreter's pip where it can be told without running anything."""
    if executable == sys.executable:
        spec = importlib.util.find_spec("pip")
        return Path(spec.origin) if spec is not None and spec.origin is not None else None
    folder = Path(executable).absolute().parent.parent
    # The last is Debian's.
    folders = ("lib/python*/site-packages", "Lib/site-packages", "lib/python3/dist-packages")
    places = [f"{place}/pip/__init__.py" for place in folders]
    return next((found for pattern in places for found in folder.glob(pattern)), None)


def _has_pip(executable: str) -> bool:
    if executable == sys.executable:
        return importlib.util.find_spec("pip") is not None
    if _pip_module(executable) is not None:
        return True
    question = "import importlib.util as u; print('pip' if u.find_spec('pip') else '')"
    return bool(_ask(executable, question))


def _ask(executable: str, question: str) -> str | None:
    try:
        done = subprocess.run(
            [executable, "-I", "-c", question],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=30,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return os.fsdecode(done.stdout).rstrip("\r\n")
