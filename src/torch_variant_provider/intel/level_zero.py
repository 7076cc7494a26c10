"""Level Zero, Intel's compute driver: the device IP version of every GPU, as Intel's own provider asks it."""

from __future__ import annotations

import os
import sys

from torch_variant_provider.facts import Findings
from torch_variant_provider.files import exists
from torch_variant_provider.intel.device_ip import device_ip_of_number, device_ip_order
from torch_variant_provider.intel.graphics_cards import intel_cards
from torch_variant_provider.isolation import run_isolated
from torch_variant_provider.library import in_sight, load

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ctypes
    from typing import Any

__all__ = ["NAME", "read"]

NAME = "Level Zero"

_SONAME = "ze_loader.dll" if sys.platform == "win32" else "libze_loader.so.1"
_SECONDS = 10.0
_INTEL = 0x8086

# Which devices one run of one program sees; an installation is about all of them.
_PER_RUN = "ZE_AFFINITY_MASK"

# ze_result_t, ze_structure_type_t and ze_init_driver_type_flag_t
_UNINITIALIZED, _UNSUPPORTED = 0x78000001, 0x78000003
_DEVICE_PROPERTIES, _INIT_DRIVER_DESC, _IP_VERSION = 0x3, 0x00020021, 0x1000F
_GPU = 1


def read(root: str) -> Findings:
    """Return `device_ip` of all Intel GPUs, newest first."""
    if sys.platform != "win32" and not exists(root, "/dev/dxg") and not intel_cards(root):
        return Findings(notes=[f"{NAME}: no Intel GPU on this machine"])
    if not in_sight(_SONAME, root):
        return Findings(notes=[f"{NAME}: no {_SONAME} on this machine"])
    return run_isolated(NAME, lambda _keep: _query(root), _SECONDS)


def _query(root: str) -> Findings:
    try:
        library = load(_SONAME, root)
    except OSError as error:
        return Findings(warnings=[f"{NAME}: {error}"])
    if library is None:
        return Findings(notes=[f"{NAME}: no {_SONAME} on this machine"])
    hidden = os.environ.pop(_PER_RUN, None)
    try:
        return _devices(library)
    finally:
        if hidden is not None:  # where this is not a process of its own
            os.environ[_PER_RUN] = hidden


def _devices(library: ctypes.CDLL) -> Findings:
    import ctypes

    drivers, code = _drivers(library, ctypes)
    if code:
        # A loader without a GPU driver below it says "uninitialized": an ordinary machine without Intel GPU.
        ordinary = code in (_UNINITIALIZED, _UNSUPPORTED)
        remark = [f"{NAME}: it does not start (error {code:#x})"]
        return Findings(notes=remark) if ordinary else Findings(warnings=remark, unanswered=True)
    found = Findings()
    versions: set[str] = set()
    for driver in drivers:
        devices, code = _handles(
            lambda count, array, of=driver: library.zeDeviceGet(of, count, array), ctypes
        )
        if code:
            found.warnings.append(f"{NAME}: a driver does not list its GPUs (error {code:#x})")
        for device in devices:
            vendor, number, code = _properties(library, device, ctypes)
            if code:
                found.warnings.append(f"{NAME}: GPU: error {code:#x}")
            elif vendor == _INTEL and number:
                versions.add(device_ip_of_number(number))
    if versions or not found.warnings:
        found.values["device_ip"] = tuple(sorted(versions, key=device_ip_order, reverse=True))
    return found


def _drivers(library: ctypes.CDLL, c: Any) -> tuple[list[Any], int]:
    class Description(c.Structure):  # type: ignore[misc] # ctypes is imported only where there is a driver
        _fields_ = (("type", c.c_uint32), ("next", c.c_void_p), ("flags", c.c_uint32))

    if hasattr(library, "zeInitDrivers"):  # Level Zero 1.10 and newer
        description = Description(_INIT_DRIVER_DESC, None, _GPU)
        return _handles(
            lambda count, array: library.zeInitDrivers(count, array, c.byref(description)),
            c,
        )
    code = library.zeInit(_GPU)
    return ([], code) if code else _handles(library.zeDriverGet, c)


def _handles(call: Any, c: Any) -> tuple[list[Any], int]:
    """Return what a function lists that is called twice: for the number, and for the handles."""
    count = c.c_uint32(0)
    code = call(c.byref(count), None)
    if code or not count.value:
        return [], code & 0xFFFFFFFF
    array = (c.c_void_p * count.value)()
    code = call(c.byref(count), array)
    return ([] if code else [c.c_void_p(handle) for handle in array]), code & 0xFFFFFFFF


def _properties(library: ctypes.CDLL, device: Any, c: Any) -> tuple[int, int, int]:
    """Return a device's vendor, device IP number and the error code."""

    class IpVersion(c.Structure):  # type: ignore[misc]
        _fields_ = (("type", c.c_uint32), ("next", c.c_void_p), ("version", c.c_uint32))

    class Properties(c.Structure):  # type: ignore[misc]
        # Type, next, kind, vendor; what follows is 360 bytes in version 1.13 and is not read.
        _fields_ = (
            ("type", c.c_uint32),
            ("next", c.c_void_p),
            ("kind", c.c_uint32),
            ("vendor", c.c_uint32),
            ("rest", c.c_uint64 * 128),
        )

    version = IpVersion(_IP_VERSION, None, 0)
    properties = Properties(_DEVICE_PROPERTIES, c.cast(c.pointer(version), c.c_void_p))
    code = library.zeDeviceGetProperties(device, c.byref(properties))
    return properties.vendor, version.version, code & 0xFFFFFFFF
