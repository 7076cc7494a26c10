from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.tags import sys_tags

from variant_index.model.filename import WheelFilename
from variant_index.selection.choice import TargetTags
from variant_index.shim.target import TargetError, ask_target, tags_of

OWN = WheelFilename.parse(f"a-1-{next(iter(sys_tags()))}.whl")


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_an_interpreter_tells_version_and_tags() -> None:
    target = ask_target(sys.executable)
    assert target.tags.python_version == ".".join(map(str, sys.version_info[:3]))
    assert target.environment == {
        name: value for name, value in default_environment().items() if name != "extra"
    }
    assert target.tags.position(OWN) is not None
    own = tags_of(sys.executable)
    assert (own.position(OWN), own.python_version) == (0, target.tags.python_version)


def test_an_environment_without_pip_and_packaging(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "env")], check=True)
    assert isinstance(tags_of(tmp_path / "env" / "bin" / "python"), TargetTags)
    assert ask_target(tmp_path / "env" / "bin" / "python").tags.position(OWN) is not None


def test_modules_in_the_current_folder_are_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("packaging.py", "pip.py", "json.py", "platform.py"):
        (tmp_path / name).write_text("raise SystemExit('ran a stray module')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert ask_target(sys.executable).environment


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("exit 3", "did not tell its tags: no message"),
        ("echo oops >&2; exit 1", "did not tell its tags: oops"),
        ("echo hello", "is not a Python interpreter"),
        ("echo '{}'", "is not a Python interpreter"),
        ("echo '[]'", "is not a Python interpreter"),
        ("""echo '{"environment": [], "tags": []}'""", "is not a Python interpreter"),
        (
            """echo '{"environment": {"python_full_version": "x"}, "tags": []}'""",
            "is not a Python interpreter",
        ),
    ],
)
def test_what_is_no_interpreter(tmp_path: Path, text: str, rule: str) -> None:
    with pytest.raises(TargetError, match=rule):
        ask_target(script(tmp_path / "python", text))


def test_a_missing_interpreter_and_one_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TargetError, match="cannot be run as Python"):
        ask_target(tmp_path / "none")
    monkeypatch.setattr("variant_index.shim.target._TIMEOUT_SECONDS", 0.2)
    with pytest.raises(TargetError, match=r"did not tell its tags in 0.2 s"):
        ask_target(script(tmp_path / "python", "exec sleep 5"))
