"""Real installers, run with an environment that holds none of this machine's settings."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import uv

__all__ = ["client_environment", "installed_file", "pip_install", "uv_install"]

_FOREIGN = ("PIP_", "UV_", "NV_", "AMD_", "ROCM_", "HTTP", "http", "ALL_PROXY", "all_proxy")


def client_environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment in which only what a test says decides."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN)}
    own = {
        "HOME": str(home),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_CACHE_DIR": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "UV_NO_CONFIG": "1",
        "UV_NO_CACHE": "1",
    }
    return {**kept, **own, **(extra or {})}


def pip_install(
    index: str, requirement: str, folder: Path, *options: str, python: str = sys.executable
) -> subprocess.CompletedProcess[str]:
    """Install into `folder` with the pip of `python`."""
    return subprocess.run(
        [
            python,
            "-m",
            "pip",
            "install",
            "--index-url",
            index,
            "--target",
            str(folder),
            *options,
            requirement,
        ],
        env=client_environment(folder.parent),
        capture_output=True,
        text=True,
        timeout=120,
    )


def uv_install(
    index: str, requirement: str, folder: Path, *options: str, extra: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Install into `folder` with uv."""
    return subprocess.run(
        [
            uv.find_uv_bin(), "pip", "install", "--python", sys.executable, "--default-index", index,
            "--target", str(folder), *options, requirement,
        ],
        env=client_environment(folder.parent, extra),
        capture_output=True,
        text=True,
        timeout=120,
    )  # fmt: skip


def installed_file(folder: Path, module: str) -> str:
    """Return the name of the wheel that a module of `tests.making` came from."""
    text = (folder / f"{module}.py").read_text()
    return text.split("=", 1)[1].strip().strip("'")
