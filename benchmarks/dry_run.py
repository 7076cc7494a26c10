"""A dry run of a large package set: `variant-pip` against pip alone, with pip's own configuration."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.figure import Figure, interleaved
from benchmarks.start_up import script

__all__ = ["PROJECTS", "measure", "problem_of", "run"]

_NAME = "variant-pip install, dry run of 90+ packages"
_TARGET = 1.10
PROJECTS = ["jupyterlab", "pandas", "scikit-learn", "matplotlib", "sphinx", "fastapi", "httpx", "sqlalchemy"]
_ARGUMENTS = ["install", "--dry-run", "--ignore-installed", "--quiet", "--only-binary", ":all:", *PROJECTS]
_RUNS = 5
_TIMEOUT_S = 300


def measure() -> Iterator[Figure]:
    """Yield the figure; skipped with the reason when no registry answers."""
    alone = [sys.executable, "-m", "pip", *_ARGUMENTS]
    ours = [str(script("variant-pip")), *_ARGUMENTS]
    problem = _problem(alone)
    if problem is None:
        problem = _problem(ours)
    if problem is not None:
        yield Figure(_NAME, _TARGET, faster=False, skipped=problem)
        return
    a, b = interleaved(lambda: run(ours), lambda: run(alone), runs=_RUNS)
    yield Figure(_NAME, _TARGET, faster=False, ours=a, peer=b)


def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, whatever that is."""
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)


def problem_of(command: Sequence[str]) -> str | None:
    """Try a command once, which also fills caches, and return why it cannot be measured."""
    try:
        answer = run(command)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{Path(command[0]).name}: {error}"
    lines = answer.stderr.strip().splitlines()
    return None if answer.returncode == 0 else (lines or [f"exit status {answer.returncode}"])[-1]


def _problem(command: Sequence[str]) -> str | None:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        if (problem := problem_of([*command, "--report", str(report)])) is not None:
            return problem
        found = len(json.loads(report.read_bytes())["install"])
    return None if found >= 90 else f"only {found} packages were resolved"
