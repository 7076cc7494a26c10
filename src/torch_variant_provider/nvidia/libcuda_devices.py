"""The GPUs as libcuda sees them, where NVML cannot tell: initialising it may be slow, hang or crash."""

from __future__ import annotations

import os

from torch_variant_provider.facts import Findings
from torch_variant_provider.isolation import run_isolated
from torch_variant_provider.library import load
from torch_variant_provider.nvidia.capability import Capability, capability_of_driver
from torch_variant_provider.nvidia.libcuda import SONAME
from torch_variant_provider.nvidia.presence import driver_in_sight, gpu_nodes
from torch_variant_provider.versions import version_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ctypes
    from collections.abc import Callable

    Keep = Callable[[Findings], None]

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
_MOST_GPUS = 1024  # a count that is larger is not one


def read(root: str) -> Findings:
    """Return `compute_capability` of all GPUs, those hidden by CUDA_VISIBLE_DEVICES included.

    That variable is about one run of one program, an installation is about all of them.
    """
    if not driver_in_sight(SONAME, root):
        return Findings()
    return run_isolated(NAME, lambda keep: _query(root, keep), _SECONDS + _SECONDS_PER_GPU * gpu_nodes(root))


def _query(root: str, keep: Keep) -> Findings:
    try:
        library = load(SONAME, root)
    except OSError:
        library = None
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
    return _capabilities(library, keep)


def _capabilities(library: ctypes.CDLL, keep: Keep) -> Findings:
    import ctypes

    found = Findings()
    count = ctypes.c_int(0)
    code = library.cuDeviceGetCount(ctypes.byref(count))
    if code:
        found.warnings.append(f"{NAME}: the driver does not say how many GPUs there are (error {code})")
        found.unanswered = True
        return found
    if not count.value:
        found.values["compute_capability"] = ()
    capabilities: set[Capability] = set()
    for index in range(min(count.value, _MOST_GPUS)):
        device, major, minor = ctypes.c_int(0), ctypes.c_int(0), ctypes.c_int(0)
        code = (
            library.cuDeviceGet(ctypes.byref(device), index)
            or library.cuDeviceGetAttribute(ctypes.byref(major), _MAJOR, device)
            or library.cuDeviceGetAttribute(ctypes.byref(minor), _MINOR, device)
        )
        if code:
            found.warnings.append(f"{NAME}: GPU {index}: error {code}")
            continue
        capability = capability_of_driver(major.value, minor.value)
        if capability is not None and capability not in capabilities:
            capabilities.add(capability)
            found.values["compute_capability"] = tuple(map(version_text, sorted(capabilities, reverse=True)))
            keep(found)
    found.unanswered = "compute_capability" not in found.values
    return found
