"""The shim as a process of its own, as users run it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.variant_index.shim.serving import Shim
from variant_index.shim.journal import Journal


@dataclass
class ShimProcess(Shim):
    """A running `variant-index shim`."""

    process: subprocess.Popen[str] | None = None
    errors: Path = Path()

    def said(self) -> str:
        """Return what it wrote to stderr so far."""
        return self.errors.read_text()

    def memory(self, what: str = "VmRSS") -> int:
        """Return the kB it takes now, or took at most (`VmHWM`)."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split(f"{what}:")[1].split()[0])


@contextmanager
def shim_process(
    folder: Path, *arguments: str, variables: Mapping[str, str] | None = None
) -> Iterator[ShimProcess]:
    """Run `variant-index shim` with an empty home folder for a machine with CUDA 12.8."""
    errors = folder / "shim.err"
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    environment = {
        **own,
        "HOME": str(folder),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "PIP_CONFIG_FILE": os.devnull,
        "NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION": "12.8",
        "NV_VARIANT_PROVIDER_FORCE_SM_ARCH": "9.0",
        **(variables or {}),
    }
    command = [sys.executable, "-m", "variant_index.cli", "shim", "--torch-index", "off", *arguments]
    with (
        errors.open("w") as stderr,
        subprocess.Popen(
            command, env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=stderr, text=True
        ) as process,
    ):
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            assert url, errors.read_text()
            yield ShimProcess(url, Journal(), process=process, errors=errors)
            assert process.poll() is None, "the shim ended by itself"
        finally:
            process.terminate()
            process.wait(60)
