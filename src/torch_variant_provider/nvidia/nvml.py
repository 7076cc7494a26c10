"""NVML, through NVIDIA's own binding (`pynvml` of nvidia-ml-py): versions and all GPUs.

The binding is imported only where there is a driver, in the process that calls the library.
"""

from __future__ import annotations

import sys

from torch_variant_provider.facts import Findings
from torch_variant_provider.isolation import APART, run_isolated
from torch_variant_provider.library import load
from torch_variant_provider.nvidia.capability import Capability, capability_of_driver
from torch_variant_provider.nvidia.presence import driver_in_sight, gpu_nodes, kernel_in_sight, unloadable
from torch_variant_provider.versions import cuda_version_text, version_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Keep = Callable[[Findings], None]

__all__ = ["NAME", "read"]

NAME = "NVML"

_SONAME = "nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1"

# nvmlReturn_t
_DRIVER_NOT_LOADED, _LIBRARY_NOT_FOUND, _MISMATCH = 9, 12, 18

# A cold GPU without persistence mode takes one to three seconds.
_SECONDS, _SECONDS_PER_GPU = 10.0, 3.0

_MOST_GPUS = 1024  # a count that is larger is not one


def read(root: str) -> Findings:
    """Return `cuda_version`, `compute_capability` and `kernel_driver` as NVML knows them.

    Args:
        root: prefix of the files and known library folders; the loader's own search is the machine's.
    """
    if not driver_in_sight(_SONAME, root):
        return Findings(notes=[f"{NAME}: no {_SONAME} on this machine"])
    return run_isolated(NAME, lambda keep: _query(root, keep), _SECONDS + _SECONDS_PER_GPU * gpu_nodes(root))


def _query(root: str, keep: Keep) -> Findings:
    try:
        library = load(_SONAME, root)
    except OSError as error:
        return unloadable(NAME, error, root)
    if library is None:
        return Findings(notes=[f"{NAME}: no {_SONAME} on this machine"])
    import contextlib

    pynvml = _binding()
    pynvml.nvmlLib = library  # its own search knows fewer places
    try:
        _initialise(pynvml)
    except pynvml.NVMLError as error:
        return _not_initialised(error, root)
    found = Findings()
    try:
        _read_versions(pynvml, found)
        keep(found)
        _read_capabilities(pynvml, found, keep)
        keep(found)
    finally:
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()
    return found


def _binding() -> Any:
    """Import the binding, without what only its own search for the library needs.

    For that it imports `ctypes.util`, which takes as long as the rest of the query: compilers,
    processes and temporary files. In a process of its own an empty stand-in is enough.
    """
    if APART and "ctypes.util" not in sys.modules:
        stand_in = type(sys)("ctypes.util")
        stand_in.find_library = lambda _name: None  # type: ignore[attr-defined]
        sys.modules["ctypes.util"] = stand_in
        try:
            return __import__("pynvml")
        except Exception:  # noqa: BLE001 - a binding that wants more of it gets the real one
            del sys.modules["ctypes.util"]
    return __import__("pynvml")


def _initialise(pynvml: Any) -> None:
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError_FunctionNotFound:  # drivers before R396 have no nvmlInitWithFlags
        function = pynvml._nvmlGetFunctionPointer("nvmlInit_v2")
        pynvml._nvmlCheckReturn(function())


def _not_initialised(error: Any, root: str) -> Findings:
    code = error.value
    if code == _DRIVER_NOT_LOADED and kernel_in_sight(root) and gpu_nodes(root):
        # The kernel contradicts it: a GPU was given to this environment, but not what it takes to use it.
        return Findings(warnings=[f"{NAME}: {_meaning(error)}, although it is"], unanswered=True)
    if code in (_DRIVER_NOT_LOADED, _LIBRARY_NOT_FOUND):
        return Findings(notes=[f"{NAME}: {_meaning(error)}"], conclusive=code == _DRIVER_NOT_LOADED)
    if code == _MISMATCH:
        return Findings(
            values={"library_mismatch": "yes"},
            warnings=[
                f"{NAME}: the NVIDIA libraries were upgraded but the old kernel driver is loaded; "
                "CUDA does not work before the next restart"
            ],
            unanswered=True,
        )
    return Findings(warnings=[f"{NAME}: {_meaning(error)}"], unanswered=True)


def _meaning(error: Any) -> str:
    """Return the error's name and number; its text would be one more call into a library that fails."""
    name = type(error).__name__.removeprefix("NVMLError").removeprefix("_")
    return f"{name or 'error'} (code {error.value})"


def _read_versions(pynvml: Any, found: Findings) -> None:
    version = None
    try:
        version = cuda_version_text(pynvml.nvmlSystemGetCudaDriverVersion_v2())
    except pynvml.NVMLError as error:
        try:
            version = cuda_version_text(pynvml.nvmlSystemGetCudaDriverVersion())
        except pynvml.NVMLError:
            found.warnings.append(
                f"{NAME}: the driver does not say which CUDA version it supports: {_meaning(error)}"
            )
        else:
            if not isinstance(error, pynvml.NVMLError_FunctionNotFound):
                found.warnings.append(
                    f"{NAME}: libcuda is not usable here ({_meaning(error)}); "
                    f"the driver supports CUDA {version}"
                )
    if version is not None:
        found.values["cuda_version"] = version
    try:
        driver = pynvml.nvmlSystemGetDriverVersion()
    except (pynvml.NVMLError, UnicodeDecodeError):
        return  # only reported, never decided by
    found.values["kernel_driver"] = driver if isinstance(driver, str) else driver.decode("ascii", "replace")


def _read_capabilities(pynvml: Any, found: Findings, keep: Keep) -> None:
    """Add the capabilities of all GPUs that answer; one bad GPU does not hide the others."""
    try:
        count = pynvml.nvmlDeviceGetCount()
    except pynvml.NVMLError as error:
        found.warnings.append(f"{NAME}: the driver does not say how many GPUs there are: {_meaning(error)}")
        found.unanswered = True
        return
    if not count:
        found.values["compute_capability"] = ()
        found.notes.append(f"{NAME}: there is a driver but no GPU")
    capabilities: set[Capability] = set()
    for index in range(min(count, _MOST_GPUS)):
        try:
            device = pynvml.nvmlDeviceGetHandleByIndex(index)
            capability = capability_of_driver(*pynvml.nvmlDeviceGetCudaComputeCapability(device))
        except pynvml.NVMLError as error:
            found.warnings.append(f"{NAME}: GPU {index}: {_meaning(error)}")
            continue
        if capability is not None and capability not in capabilities:
            capabilities.add(capability)
            found.values["compute_capability"] = tuple(map(version_text, sorted(capabilities, reverse=True)))
            keep(found)
    found.unanswered = "compute_capability" not in found.values
