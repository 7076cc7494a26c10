"""Waiting for processes to end."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path


def wait_for(condition: Callable[[], bool]) -> None:
    """Return once a condition holds."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_running(process: int) -> bool:
    """Tell whether a process still runs."""
    status = Path(f"/proc/{process}/status")
    try:
        os.kill(process, 0)
        # Ended, and collected by nobody where there is no init.
        return not (status.exists() and "State:\tZ" in status.read_text())
    except (ProcessLookupError, FileNotFoundError):
        return False
