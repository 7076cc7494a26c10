"""The provider in a child process: a driver library that crashes or hangs cannot take the tool with it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import torch_variant_provider
from torch_variant_provider.__main__ import UNANSWERED, WARNING
from variant_index.detection.failure import DetectionError
from variant_index.errors import printable
from variant_index.model.machine import MachineProfile, ProfileError, parse_profile
from variant_index.providers.child import run_within

__all__ = ["examine_gpus"]

_SOURCE = "torch_variant_provider"

_LIMIT = 16 * 1024 * 1024

_GRACE = 5.0
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
    status, output, errors = run_within(
        timeout + _GRACE,
        [sys.executable, "-m", _SOURCE, "--json", "--timeout", str(timeout)],
        # Python puts the working directory first on the module path: it must not be the user's, where a
        # stray json.py would be run. PYTHONSAFEPATH (3.11) leaves it out altogether.
        folder=Path(torch_variant_provider.__file__).parent.parent,
        variables={**os.environ, "PYTHONSAFEPATH": "1"},
        limit=_LIMIT,
        meanwhile=meanwhile,
    )
    if status is None:
        raise DetectionError(f"GPU detection did not answer in {timeout:g} s")
    lines = errors.decode("utf-8", "replace").splitlines()
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
