"""The kernel's list of graphics cards, and the architecture of those that are Intel's.

The PCI numbers are those of the kernel's `include/drm/intel/pciids.h`. Not checked on hardware.
"""

from __future__ import annotations

import os

from torch_variant_provider.facts import Findings
from torch_variant_provider.files import below, exists, read_text
from torch_variant_provider.intel.device_ip import device_ip_order

__all__ = ["NAME", "intel_cards", "read"]

NAME = "PCI"

_CARDS = "/sys/class/drm"
_INTEL = 0x8086

_ARCHITECTURES: dict[str, tuple[int, ...]] = {
    "30.0.4": (0xB080, 0xB081, 0xB082, 0xB083, 0xB08F, 0xB090, 0xB0A0, 0xB0B0),
    "30.1.0": (0xB084, 0xB085, 0xB086, 0xB087),
    "30.3.1": (0xFD80, 0xFD81),
    "20.4.4": (0x6420, 0x64A0, 0x64B0),
    "20.2.0": (0xE220, 0xE221, 0xE222, 0xE223),
    "20.1.0": (0xE202, 0xE209, 0xE20B, 0xE20C, 0xE20D, 0xE210, 0xE211, 0xE212, 0xE215, 0xE216),
    "12.74.4": (0x7D51, 0x7DD1),
    "12.71.4": (0x7D55, 0x7DD5),
    "12.70.4": (0x7D40, 0x7D41, 0x7D45, 0x7D60, 0x7D67, 0xB640),
    "12.60.7": (0x0B69, 0x0B6E, *range(0x0BD4, 0x0BDC)),
    "12.57.0": (0x5696, 0x5697, 0x56A3, 0x56A4, 0x56B2, 0x56B3),
    "12.56.5": (
        *(0x5693, 0x5694, 0x5695, 0x56A5, 0x56A6, 0x56B0, 0x56B1),
        *(0x56BA, 0x56BB, 0x56BC, 0x56BD, 0x56C1),
    ),
    "12.55.8": (0x5690, 0x5691, 0x5692, 0x56A0, 0x56A1, 0x56A2, 0x56BE, 0x56BF, 0x56C0, 0x56C2),
}

# The user-mode driver; without it no program can use the GPU, whatever the kernel lists.
_DRIVERS = ("libze_intel_gpu.so.1", "libze_intel_gpu_legacy1.so.1")


def intel_cards(root: str) -> list[int]:
    """Return the PCI device number of each Intel graphics card that this environment may see."""
    try:
        entries = os.listdir(below(root, _CARDS))  # noqa: PTH208 - pathlib is slow to import
    except OSError:
        return []
    cards = []
    for entry in sorted(entries):
        number = entry.removeprefix("card")
        if number == entry or not number.isdigit():  # `card0-HDMI-A-1` is a connector
            continue
        if _number(root, f"{_CARDS}/{entry}/device/vendor") == _INTEL:
            device = _number(root, f"{_CARDS}/{entry}/device/device")
            if device is not None:
                cards.append(device)
    return cards


def read(root: str) -> Findings:
    """Return `device_ip` of the cards in the table, newest first, where their user-mode driver is there."""
    cards = intel_cards(root)
    if not cards:
        return Findings()
    from torch_variant_provider.library import in_sight

    if not any(in_sight(library, root) for library in _DRIVERS):
        return Findings(notes=[f"{NAME}: an Intel GPU, but no Level Zero driver ({_DRIVERS[0]})"])
    found = {version for version, devices in _ARCHITECTURES.items() if not set(devices).isdisjoint(cards)}
    if not found:
        return Findings(notes=[f"{NAME}: no Intel GPU whose architecture is known"])
    if not exists(root, "/dev/dri"):
        return Findings(notes=[f"{NAME}: an Intel GPU, but it was not given to this environment"])
    return Findings({"device_ip": tuple(sorted(found, key=device_ip_order, reverse=True))})


def _number(root: str, path: str) -> int | None:
    """Return the number in a file such as `0x8086`; None when there is none."""
    digits = (read_text(root, path) or "").strip().removeprefix("0x")
    if not digits or len(digits) > 4 or any(digit not in "0123456789abcdefABCDEF" for digit in digits):
        return None
    return int(digits, 16)
