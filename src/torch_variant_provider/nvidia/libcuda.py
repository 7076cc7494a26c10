"""libcuda's own version: needs the library only, neither devices nor permissions.

The one source of the version where NVML is missing: older Jetsons, some containers.
"""

from __future__ import annotations

import sys

from torch_variant_provider.facts import Findings
from torch_variant_provider.isolation import run_isolated
from torch_variant_provider.library import load
from torch_variant_provider.nvidia.presence import driver_in_sight, unloadable
from torch_variant_provider.versions import cuda_version_text

__all__ = ["NAME", "SONAME", "read"]

NAME = "libcuda"
SONAME = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"

_STUB_LIBRARY = 34  # CUresult: a link stub, as builders without a GPU have it

_SECONDS = 5.0


def read(root: str) -> Findings:
    """Return `cuda_version`: that of the user-mode driver a program here would load."""
    if not driver_in_sight(SONAME, root):
        return Findings(notes=[f"{NAME}: no {SONAME} on this machine"])
    return run_isolated(NAME, lambda _keep: _query(root), _SECONDS)


def _query(root: str) -> Findings:
    import ctypes

    try:
        library = load(SONAME, root)
    except OSError as error:
        return unloadable(NAME, error, root)
    if library is None:
        return Findings(notes=[f"{NAME}: no {SONAME} on this machine"])
    number = ctypes.c_int(0)
    code = library.cuDriverGetVersion(ctypes.byref(number))
    if code == _STUB_LIBRARY:
        return Findings(notes=[f"{NAME}: {SONAME} is a link stub"])
    version = cuda_version_text(number.value)
    if code or version is None:
        return Findings(warnings=[f"{NAME}: it does not tell its version (error {code})"], unanswered=True)
    return Findings({"cuda_version": version})
