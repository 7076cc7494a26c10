"""Google's TPUs, in the namespace `tpu`, as the provider that uv has built in answers.

The PCI numbers are those that uv 0.13.8 looks for. Not checked on hardware.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from variant_index.model.machine import Fact, MachineProfile

__all__ = ["FORCE_PRESENT", "detect_tpu"]

FORCE_PRESENT = "TPU_VARIANT_PROVIDER_FORCE_PRESENT"
"""`1`, `true` or `yes`: there is one; `0`, `false` or `no`: there is none."""

_DEVICES = "sys/bus/pci/devices"
_GOOGLE = "0x1ae0"
_TPUS = frozenset(("0x0027", "0x0056", "0x005e", "0x0062", "0x0063", "0x006f", "0x0076", "0x007c", "0x0083"))
_YES, _NO = ("1", "true", "yes"), ("0", "false", "no")


def detect_tpu(environ: Mapping[str, str] | None = None, root: Path = Path("/")) -> MachineProfile:
    """Return `tpu :: present :: true` where there is a TPU, else nothing.

    Args:
        environ: the environment variables, for the override; None for those of this process.
        root: the folder that holds `sys`.
    """
    forced = (os.environ if environ is None else environ).get(FORCE_PRESENT, "").strip().lower()
    notes = []
    if forced and forced not in (*_YES, *_NO):
        notes.append(f"{FORCE_PRESENT}: {forced[:60]!a} is not 1 or 0; it is ignored")
        forced = ""
    if forced in _NO or not (forced or _is_there(root)):
        return MachineProfile(properties={}, feature_order={}, notes=notes)
    return MachineProfile(
        properties={"tpu": {"present": ["true"]}},
        feature_order={"tpu": ["present"]},
        facts={"tpu": {"present": Fact(value="true", source=FORCE_PRESENT if forced else "PCI")}},
        notes=notes,
    )


def _is_there(root: Path) -> bool:
    try:
        devices = list(root.joinpath(_DEVICES).iterdir())
    except OSError:
        return False
    return any(
        _read(device / "vendor") == _GOOGLE and _read(device / "device") in _TPUS for device in devices
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip().lower()
    except OSError:
        return ""
