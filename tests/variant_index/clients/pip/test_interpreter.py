"""Which pip is the user's."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import venv
from pathlib import Path

import pip
import pytest
from packaging.version import Version

from variant_index.clients.pip.interpreter import (
    Interpreter,
    InterpreterError,
    find_interpreter,
    interpreter_at,
)

posix_only = pytest.mark.skipif(os.name != "posix", reason="folders as on POSIX")


def test_the_version_of_its_pip(without_pip: Path, tmp_path: Path) -> None:
    assert Interpreter(sys.executable, "own").pip_version() == Version(pip.__version__).release
    assert Interpreter(str(without_pip / "bin" / "python"), "other").pip_version() == ()
    environment = with_pip(tmp_path / "env")
    (module,) = environment.glob("lib/python*/site-packages/pip/__init__.py")
    interpreter = Interpreter(str(environment / "bin" / "python"), "other")
    for text, version in (
        ('__version__ = "22.3.1"', (22, 3, 1)),
        ("a = 1\n__version__ = '26.4.dev0'\n", (26, 4)),
        ('__version__ = "oops"', ()),
    ):
        module.write_text(text)
        assert interpreter.pip_version() == version


@pytest.fixture(scope="module")
def without_pip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bare") / "env"
    venv.create(folder, with_pip=False)
    return folder


def with_pip(folder: Path) -> Path:
    """Make an environment that looks as if it had pip."""
    venv.create(folder, with_pip=False)
    package = next(folder.glob("lib/python*/site-packages")) / "pip"
    package.mkdir()
    (package / "__init__.py").touch()
    return folder


@posix_only
def test_the_active_environment_comes_first(tmp_path: Path) -> None:
    one, two = with_pip(tmp_path / "one"), with_pip(tmp_path / "two")
    found = find_interpreter({"VIRTUAL_ENV": str(one), "CONDA_PREFIX": str(two)})
    assert found == Interpreter(str(one / "bin" / "python"), "VIRTUAL_ENV")
    assert found.prefix() == str(one)
    assert find_interpreter({"CONDA_PREFIX": str(two)}).origin == "CONDA_PREFIX"
    if sys.prefix != sys.base_prefix:  # the tests run in a virtual environment
        base = find_interpreter({"CONDA_PREFIX": str(two), "CONDA_DEFAULT_ENV": "base"})
        assert base.executable == sys.executable
    # A conda environment may be without Python.
    assert find_interpreter({"CONDA_PREFIX": str(tmp_path)}).executable == sys.executable


def test_without_an_environment_it_is_our_own() -> None:
    found = find_interpreter({})
    assert found.executable == sys.executable
    assert found.prefix() == sys.prefix


@posix_only
def test_an_active_environment_without_pip_is_an_error(without_pip: Path, tmp_path: Path) -> None:
    with pytest.raises(InterpreterError, match="ensurepip") as caught:
        find_interpreter({"VIRTUAL_ENV": str(without_pip)})
    assert str(without_pip) in str(caught.value)
    with pytest.raises(InterpreterError, match="holds no Python"):
        find_interpreter({"VIRTUAL_ENV": str(tmp_path)})


@posix_only
def test_the_path_is_the_last_resort(
    without_pip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pip" else own(name))
    good = with_pip(tmp_path / "good") / "bin"
    found = find_interpreter(
        {"PATH": os.pathsep.join(["", str(tmp_path), str(without_pip / "bin"), str(good)])}
    )
    assert found == Interpreter(str(good / "python3"), "PATH")
    with pytest.raises(InterpreterError, match="no Python with pip"):
        find_interpreter({"PATH": str(without_pip / "bin")})


@posix_only
def test_the_prefix_of_any_interpreter(without_pip: Path, tmp_path: Path) -> None:
    linked = tmp_path / "bin" / "python"
    linked.parent.mkdir()
    linked.symlink_to(Path(sys.base_prefix, "bin", "python3"))
    expected = subprocess.run(
        [linked, "-Ic", "import sys; print(sys.prefix)"], capture_output=True, text=True
    )
    assert Interpreter(str(linked), "--python").prefix() == expected.stdout.strip()
    with pytest.raises(InterpreterError, match="does not run"):
        Interpreter(str(tmp_path / "nothing"), "--python").prefix()


@posix_only
def test_pips_python_option(without_pip: Path, tmp_path: Path) -> None:
    executable = str(without_pip / "bin" / "python")
    assert interpreter_at(str(without_pip)) == Interpreter(executable, "--python")
    assert interpreter_at(executable) == Interpreter(executable, "--python")
    assert interpreter_at(str(tmp_path / "missing")) is None
    assert interpreter_at(str(tmp_path)) is None
