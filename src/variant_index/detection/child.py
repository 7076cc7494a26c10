"""The provider in a child process: a driver library that crashes or hangs cannot take the tool with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch_variant_provider
from torch_variant_provider.__main__ import UNANSWERED, WARNING
from variant_index.detection.failure import DetectionError
from variant_index.errors import printable
from variant_index.model.machine import MachineProfile, ProfileError, parse_profile

__all__ = ["examine_gpus"]

_SOURCE = "torch_variant_provider"

_GRACE = 2.0
"""Seconds that the child has beyond the limit to report which source did not answer within it."""


def examine_gpus(
    timeout: float, warn: Callable[[str], None], meanwhile: Callable[[], None]
) -> MachineProfile:
    """Return what the provider says of this machine's GPUs.

    Args:
        timeout: seconds that all sources together may take.
        warn: takes each of the provider's warnings, one line.
        meanwhile: runs while the child does.

    Raises:
        DetectionError: the child crashed, failed, or did not answer in time; one line that says which.
    """
    status, output, lines = _run(timeout, meanwhile)
    for line in lines:
        if line.startswith(WARNING):  # other lines are a driver library's
            warn(printable(line.removeprefix(WARNING), 400))
    if status < 0:
        raise DetectionError(f"GPU detection crashed (signal {-status})")
    if status not in (0, UNANSWERED):
        said = lines[-1] if lines else "it printed nothing"
        raise DetectionError(f"GPU detection failed (status {status}): {printable(said)}")
    try:
        return parse_profile(output, _SOURCE)
    except ProfileError as error:
        raise DetectionError(str(error)) from None


def _run(timeout: float, meanwhile: Callable[[], None]) -> tuple[int, bytes, list[str]]:
    child = subprocess.Popen(
        [sys.executable, "-m", _SOURCE, "--json", "--timeout", str(timeout)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Python puts the working directory first on the module path: it must not be the user's, where a
        # stray json.py would be run. PYTHONSAFEPATH (3.11) leaves it out altogether.
        cwd=Path(torch_variant_provider.__file__).parent.parent,
        env={**os.environ, "PYTHONSAFEPATH": "1"},
        start_new_session=os.name == "posix",
    )
    try:
        meanwhile()
        output, errors = child.communicate(timeout=timeout + _GRACE)
    except subprocess.TimeoutExpired:
        raise DetectionError(f"GPU detection did not answer in {timeout:g} s") from None
    finally:
        _end(child)
    return child.returncode, output, errors.decode("utf-8", "replace").splitlines()


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the child and of the processes it started."""
    if child.returncode is None:
        if os.name == "posix":
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()
        with suppress(subprocess.TimeoutExpired):  # a process that hangs in the kernel cannot be killed
            child.wait(1)
    for stream in (child.stdout, child.stderr):
        if stream is not None:
            stream.close()
