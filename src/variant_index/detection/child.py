"""Detection in a child process: a driver library that crashes or hangs cannot take the tool with it.

A machine whose driver is there but does not answer is an error and never "no GPU": silently
installing CPU builds on a GPU machine is what users notice last and resent most.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch_variant_provider
from torch_variant_provider.__main__ import UNANSWERED
from variant_index.errors import VariantIndexError, printable
from variant_index.model.machine import MachineProfile, ProfileError, parse_profile

__all__ = ["DetectionError", "detect_machine"]

_SOURCE = "torch_variant_provider"
_REMEDY = (
    "check the driver, or say what to assume: NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION=12.8, or =none "
    "for no NVIDIA GPU"
)


class DetectionError(VariantIndexError):
    """The machine could not be examined; nothing is assumed about it."""

    exit_code = 2


def detect_machine(timeout: float = 20.0, warn: Callable[[str], None] | None = None) -> MachineProfile:
    """Return what this machine supports.

    The environment variables that force facts work as in the provider.

    Args:
        timeout: seconds to wait for the child process.
        warn: takes each line that detection wrote to standard error; None writes them to ours.

    Raises:
        DetectionError: the child crashed, did not answer in time, or found a driver that did not say
            what it supports.
    """
    status, output, lines = _run(timeout)
    for line in lines:
        (warn or _pass_on)(line)
    if status == UNANSWERED:
        said = lines[-1] if lines else "no reason given"
        raise DetectionError(
            f"a GPU driver is present but did not say what it supports ({printable(said)}); {_REMEDY}"
        )
    if status < 0:
        raise DetectionError(f"NVIDIA/AMD detection crashed (signal {-status}); {_REMEDY}")
    if status:
        said = lines[-1] if lines else "it printed nothing"
        raise DetectionError(f"NVIDIA/AMD detection failed (status {status}): {printable(said)}; {_REMEDY}")
    try:
        return parse_profile(output, _SOURCE)
    except ProfileError as error:
        raise DetectionError(f"{error}; {_REMEDY}") from None


def _run(timeout: float) -> tuple[int, bytes, list[str]]:
    child = subprocess.Popen(
        [sys.executable, "-m", _SOURCE, "--json"],
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
        output, errors = child.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        raise DetectionError(f"NVIDIA/AMD detection did not answer in {timeout:g} s; {_REMEDY}") from None
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


def _pass_on(line: str) -> None:
    sys.stderr.write(f"{printable(line)}\n")
