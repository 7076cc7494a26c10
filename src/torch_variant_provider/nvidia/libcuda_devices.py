"""The GPUs as libcuda sees them, where NVML cannot tell: initialising it may be slow, hang or crash."""

from __future__ import annotations

import os

from torch_variant_provider.facts import Findings
from torch_variant_provider.isolation import run_isolated
from torch_variant_provider.library import load
from torch_variant_provider.nvidia.libcuda import SONAME
from torch_variant_provider.nvidia.presence import driver_in_sight, gpu_nodes

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ctypes

__all__ = ["NAME", "read"]

NAME = "libcuda devices"

# CUresult and CUdevice_attribute
_NO_DEVICE = 100
_MEANINGS = {
    803: "the NVIDIA libraries do not belong to the loaded kernel driver; restart the machine",
    804: "these GPUs do not run the compatibility libraries (cuda-compat) that come first here",
}
_MAJOR, _MINOR = 75, 76

_SECONDS, _SECONDS_PER_GPU = 10.0, 3.0


def read(root: str) -> Findings:
    """Return `compute_capability` of all GPUs, those hidden by CUDA_VISIBLE_DEVICES included.

    That variable is about one run of one program, an installation is about all of them.
    """
    if not driver_in_sight(SONAME, root):
        return Findings()
    return run_isolated(NAME, lambda: _query(root), _SECONDS + _SECONDS_PER_GPU * gpu_nodes(root))


def _query(root: str) -> Findings:
    library, _ = load(SONAME, root)
    if library is None:
        return Findings()  # libcuda, asked for its version, has said so
    hidden = os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    try:
        code = library.cuInit(0)
    finally:
        if hidden is not None:  # where this is not a process of its own
            os.environ["CUDA_VISIBLE_DEVICES"] = hidden
    if code == _NO_DEVICE:
        return Findings({"compute_capability": ()}, notes=[f"{NAME}: no GPU"])
    if code:
        reason = _MEANINGS.get(code, f"CUDA does not start (error {code})")
        return Findings(warnings=[f"{NAME}: {reason}"], unanswered=True)
    return _capabilities(library)


def _capabilities(library: ctypes.CDLL) -> Findings:
    import ctypes

    found = Findings()
    count = ctypes.c_int(0)
    code = library.cuDeviceGetCount(ctypes.byref(count))
    if code:
        found.warnings.append(f"{NAME}: the driver does not say how many GPUs there are (error {code})")
        return found
    capabilities = set()
    for index in range(count.value):
        device, major, minor = ctypes.c_int(0), ctypes.c_int(0), ctypes.c_int(0)
        code = (
            library.cuDeviceGet(ctypes.byref(device), index)
            or library.cuDeviceGetAttribute(ctypes.byref(major), _MAJOR, device)
            or library.cuDeviceGetAttribute(ctypes.byref(minor), _MINOR, device)
        )
        if code:
            found.warnings.append(f"{NAME}: GPU {index}: error {code}")
        else:
            capabilities.add((major.value, minor.value))
    if capabilities or not count.value:
        ordered = sorted(capabilities, reverse=True)
        found.values["compute_capability"] = tuple(f"{major}.{minor}" for major, minor in ordered)
    return found
