"""A program that is run within a time limit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.variant_index.providers.processes import is_running, wait_for
from variant_index.providers.child import Ran, run_within


def run(program: str, folder: Path, seconds: float = 60, **options: Any) -> Ran:
    command = [sys.executable, "-c", program]
    return run_within(
        seconds, command, **{"folder": folder, "variables": os.environ, "limit": 1000, **options}
    )


def test_what_it_writes_and_how_it_ends(tmp_path: Path) -> None:
    program = "import os; os.write(1, b'out'); os.write(2, b'err'); os._exit(3)"
    assert run(program, tmp_path) == (3, b"out", b"err")
    assert run(program, tmp_path, together=True) == (3, b"outerr", b"")
    assert run(program, tmp_path, limit=1) == (3, b"o", b"e")
    assert run("import sys; print(repr(sys.stdin.read()))", tmp_path).output.strip() == b"''"
    assert run("import os; print(os.getcwd())", tmp_path).output.strip() == bytes(tmp_path.resolve())
    with pytest.raises(OSError, match="No such file"):
        run_within(1, [str(tmp_path / "none")], folder=tmp_path, variables={}, limit=1)


@pytest.mark.skipif(os.name != "posix", reason="needs process groups")
@pytest.mark.parametrize("how", ["time", "error"])
def test_it_ends_with_all_that_it_started(tmp_path: Path, how: str) -> None:
    child = subprocess.list2cmdline([sys.executable, "-c", "import time; time.sleep(600)"])
    program = (
        f"import subprocess, time; child = subprocess.Popen({child!r}, shell=True); "
        "open('pid.new', 'w').write(str(child.pid)); import os; os.rename('pid.new', 'pid'); time.sleep(600)"
    )
    place = tmp_path / "pid"

    def fail_when_started() -> None:
        wait_for(place.exists)
        if how == "error":
            raise ValueError("no")

    if how == "time":
        assert run(program, tmp_path, 0.1, meanwhile=fail_when_started).status is None
    else:
        with pytest.raises(ValueError, match="no"):
            run(program, tmp_path, meanwhile=fail_when_started)
    wait_for(lambda: not is_running(int(place.read_text())))
