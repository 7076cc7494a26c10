"""NVML, through NVIDIA's own binding (`pynvml` of nvidia-ml-py): versions and all GPUs.

The binding is imported only where there is a driver, in the process that calls the library.
"""

from __future__ import annotations

import sys

from torch_variant_provider.facts import Findings
from torch_variant_provider.isolation import APART, run_isolated
from torch_variant_provider.library import load
from torch_variant_provider.nvidia.presence import driver_in_sight, gpu_nodes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["NAME", "read"]

NAME = "NVML"

_SONAME = "nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1"

# nvmlReturn_t
_DRIVER_NOT_LOADED, _LIBRARY_NOT_FOUND, _MISMATCH = 9, 12, 18

# A cold GPU without persistence mode takes one to three seconds.
_SECONDS, _SECONDS_PER_GPU = 10.0, 3.0


def read(root: str) -> Findings:
    """Return `cuda_version`, `compute_capability` and `kernel_driver` as NVML knows them.

    Args:
        root: prefix of the files and known library folders; the loader's own search is the machine's.
    """
    if not driver_in_sight(_SONAME, root):
        return Findings(notes=[f"{NAME}: no {_SONAME} on this machine"])
    return run_isolated(NAME, lambda: _query(root), _SECONDS + _SECONDS_PER_GPU * gpu_nodes(root))


def _query(root: str) -> Findings:
    library, reason = load(_SONAME, root)
    if library is None:
        return Findings(notes=[f"{NAME}: {reason}"])
    import contextlib

    pynvml = _binding()
    pynvml.nvmlLib = library  # its own search knows fewer places
    try:
        _initialise(pynvml)
    except pynvml.NVMLError as error:
        return _not_initialised(error)
    found = Findings()
    try:
        _read_versions(pynvml, found)
        _read_capabilities(pynvml, found)
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


def _not_initialised(error: Any) -> Findings:
    code = error.value
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
    version = 0
    try:
        version = pynvml.nvmlSystemGetCudaDriverVersion_v2()
    except pynvml.NVMLError as error:
        try:
            version = pynvml.nvmlSystemGetCudaDriverVersion()
        except pynvml.NVMLError:
            found.warnings.append(
                f"{NAME}: the driver does not say which CUDA version it supports: {_meaning(error)}"
            )
        else:
            if not isinstance(error, pynvml.NVMLError_FunctionNotFound):
                found.warnings.append(
                    f"{NAME}: libcuda is not usable here ({_meaning(error)}); the driver supports CUDA "
                    f"{version // 1000}.{version % 1000 // 10}"
                )
    if version >= 1000:
        found.values["cuda_version"] = f"{version // 1000}.{version % 1000 // 10}"
    try:
        driver = pynvml.nvmlSystemGetDriverVersion()
    except (pynvml.NVMLError, UnicodeDecodeError):
        return  # only reported, never decided by
    found.values["kernel_driver"] = driver if isinstance(driver, str) else driver.decode("ascii", "replace")


def _read_capabilities(pynvml: Any, found: Findings) -> None:
    """Add the capabilities of all GPUs that answer; one bad GPU does not hide the others."""
    try:
        count = pynvml.nvmlDeviceGetCount()
    except pynvml.NVMLError as error:
        found.warnings.append(f"{NAME}: the driver does not say how many GPUs there are: {_meaning(error)}")
        return
    capabilities = set()
    silent = 0
    for index in range(count):
        try:
            device = pynvml.nvmlDeviceGetHandleByIndex(index)
            capabilities.add(pynvml.nvmlDeviceGetCudaComputeCapability(device))
        except pynvml.NVMLError as error:  # noqa: PERF203 - each GPU may fail on its own
            found.warnings.append(f"{NAME}: GPU {index}: {_meaning(error)}")
            silent += 1
    if capabilities or not silent:
        ordered = sorted(capabilities, reverse=True)
        found.values["compute_capability"] = tuple(f"{major}.{minor}" for major, minor in ordered)
    if not count:
        found.notes.append(f"{NAME}: there is a driver but no GPU")
