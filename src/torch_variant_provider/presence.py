"""Whether a GPU driver is evidently there: names of files only, nothing is opened or loaded."""

from __future__ import annotations

import sys

from torch_variant_provider.files import exists
from torch_variant_provider.nvidia.presence import driver_in_sight

__all__ = ["driver_present"]


def driver_present(root: str = "/") -> bool:
    """Whether a machine has a driver that should know of a GPU.

    True for a machine with driver libraries and no GPU as well: it takes the driver to tell.

    Args:
        root: prefix of every file that is looked for.
    """
    libraries = (
        ("nvml.dll", "nvcuda.dll") if sys.platform == "win32" else ("libnvidia-ml.so.1", "libcuda.so.1")
    )
    return exists(root, "/dev/kfd") or any(driver_in_sight(library, root) for library in libraries)
