"""Signs of an NVIDIA driver and of GPUs: names of files only, nothing is opened or loaded."""

from __future__ import annotations

import os

from torch_variant_provider.facts import Findings
from torch_variant_provider.files import below, exists
from torch_variant_provider.library import in_sight

__all__ = ["driver_in_sight", "gpu_nodes", "kernel_in_sight", "unloadable"]

_SIGNS = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg", "/proc/driver/nvidia/version")


def driver_in_sight(soname: str, root: str) -> bool:
    """Whether asking the loader for one of the driver's libraries can succeed."""
    return in_sight(soname, root, _SIGNS)


def kernel_in_sight(root: str) -> bool:
    """Whether the driver's kernel part is evidently there."""
    return any(exists(root, sign) for sign in _SIGNS)


def unloadable(name: str, error: OSError, root: str) -> Findings:
    """Return what a source says whose library is there but cannot be loaded.

    With a kernel driver that is a driver that does not answer; without one, a leftover.
    """
    return Findings(warnings=[f"{name}: {error}"], unanswered=kernel_in_sight(root))


def gpu_nodes(root: str) -> int:
    """Return how many GPUs have a device node (`/dev/nvidia0`, ...)."""
    try:
        names = os.listdir(below(root, "/dev"))  # noqa: PTH208 - pathlib is slow to import
    except OSError:
        return 0
    return sum(1 for name in names if name.startswith("nvidia") and name[len("nvidia") :].isdigit())
