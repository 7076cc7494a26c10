"""Runs a program within a time limit, and ends with it all that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

__all__ = ["Ran", "run_within"]


class Ran(NamedTuple):
    """How a program went.

    Attributes:
        status: its exit status, negative for a signal; None where it did not end in time.
        output: what it wrote to standard output.
        errors: what it wrote to standard error.
    """

    status: int | None
    output: bytes
    errors: bytes


def run_within(
    seconds: float,
    command: Sequence[str],
    *,
    folder: str | Path,
    variables: Mapping[str, str],
    limit: int,
    together: bool = False,
    meanwhile: Callable[[], object] = lambda: None,
) -> Ran:
    """Run a program without input and wait for its end; what it leaves running is not waited for.

    Args:
        seconds: how long it may take; then it is killed, with its process group where there are such.
        command: the program and its arguments.
        folder: where it runs.
        variables: all its environment variables.
        limit: how many bytes of what it writes are read, of each kind.
        together: whether standard error goes to standard output.
        meanwhile: called while it runs; an error of it kills the program too.

    Raises:
        OSError: it cannot be started.
    """
    # Files, not pipes: what the program leaves running may hold them open.
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(
            command,
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if together else errors,
            start_new_session=os.name == "posix",
        )
        status: int | None = None
        try:
            meanwhile()
            with suppress(subprocess.TimeoutExpired):
                status = child.wait(seconds)
        finally:
            if child.returncode is None:
                _kill(child)
        output.seek(0)
        errors.seek(0)
        return Ran(status, output.read(limit), errors.read(limit))


def _kill(child: subprocess.Popen[bytes]) -> None:
    if os.name == "posix":
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
    else:
        child.kill()
    with suppress(subprocess.TimeoutExpired):  # a process that hangs in the kernel cannot be killed
        child.wait(2)
