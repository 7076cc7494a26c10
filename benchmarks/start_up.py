"""How long our processes take to start, against Python doing nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from benchmarks.figure import Figure, interleaved

__all__ = ["measure", "script"]

_QUERY = "from torch_variant_provider.plugin import NvidiaPlugin; NvidiaPlugin.get_supported_configs()"
_FORCED = {
    "NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION": "12.8",
    "NV_VARIANT_PROVIDER_FORCE_SM_ARCH": "9.0",
}
_RUNS = 31


def measure() -> Iterator[Figure]:
    """Yield `variant-index --help`, and the provider's import with a forced query."""
    bare = [sys.executable, "-c", "pass"]
    for name, command, environment, target in (
        ("variant-index --help", [str(script("variant-index")), "--help"], {}, 2.5),
        ("provider import and forced query", [sys.executable, "-c", _QUERY], _FORCED, 2.0),
    ):
        problem = _problem(command, environment)
        if problem is not None:
            yield Figure(name, target, faster=False, skipped=problem)
            continue
        a, b = interleaved(partial(_run, command, environment), partial(_run, bare, {}), runs=_RUNS)
        yield Figure(name, target, faster=False, ours=a, peer=b)


def script(name: str) -> Path:
    """Return where this environment's console script `name` is."""
    return Path(sys.executable).with_name(name)


def _run(command: Sequence[str], environment: Mapping[str, str]) -> None:
    subprocess.run(command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, check=True)


def _problem(command: Sequence[str], environment: Mapping[str, str]) -> str | None:
    try:
        answer = subprocess.run(
            command, env={**os.environ, **environment}, capture_output=True, text=True, check=False
        )
    except OSError as error:
        return f"{Path(command[0]).name}: {error.strerror}"
    lines = answer.stderr.strip().splitlines()
    return None if answer.returncode == 0 else (lines or [f"exit status {answer.returncode}"])[-1]
