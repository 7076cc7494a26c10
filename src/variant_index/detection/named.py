"""Machines by name: `cpu`, `cuda12.8-sm90`, `rocm6.4-gfx942`, ... for quick tests; pure.

A name is a list of parts joined by `-`, in any order, each once:

    cpu                no GPU
    cuda12.8           the CUDA version that the driver supports
    sm90, sm75,86      the GPUs' compute capabilities
    rocm6.4            the newest ROCm release that the driver runs
    gfx942,gfx1100     AMD architectures
    xpu20.1.0          Intel device IP versions
    x86_64_v3, armv8.2a  the processor

What a part may say is what the environment variables that force the same fact accept, and the answer
comes from the provider's own rules. What is not named is not there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from variant_index.errors import InputError, printable

if TYPE_CHECKING:
    from variant_index.model.machine import MachineProfile

__all__ = ["MachineNameError", "forced_by_name", "is_name", "named_machine"]

_CUDA = "NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION"
_SM = "NV_VARIANT_PROVIDER_FORCE_SM_ARCH"
_ROCM = "AMD_VARIANT_PROVIDER_FORCE_ROCM_VERSION"
_GFX = "AMD_VARIANT_PROVIDER_FORCE_GFX_ARCH"
_XPU = "INTEL_VARIANT_PROVIDER_FORCE_DEVICE_IP"
_LEVEL = "X86_64_VARIANT_PROVIDER_FORCE_LEVEL"
_VERSION = "AARCH64_VARIANT_PROVIDER_FORCE_VERSION"

# Prefix -> the variable that forces the fact, and what of the part is its value.
_PARTS: tuple[tuple[str, str, bool], ...] = (
    ("cuda", _CUDA, False),
    ("sm", _SM, False),
    ("rocm", _ROCM, False),
    ("gfx", _GFX, True),
    ("xpu", _XPU, False),
    ("x86_64", _LEVEL, True),
    ("armv", _VERSION, True),
)
_NOTHING = dict.fromkeys((_CUDA, _SM, _ROCM, _GFX, _XPU, _LEVEL, _VERSION), "none")
_GPUS = (_CUDA, _SM, _ROCM, _GFX, _XPU)
_EXAMPLES = "cpu, cuda12.8-sm90 or rocm6.4-gfx942"


class MachineNameError(InputError):
    """A machine's name has a part that says nothing."""


def is_name(text: str) -> bool:
    """Whether a text looks like a machine's name rather than a file's: every part begins like one."""
    return all(
        part == "cpu" or any(part.startswith(prefix) and part != prefix for prefix, _, _ in _PARTS)
        for part in text.lower().split("-")
    ) and not text.lower().endswith(".json")


def forced_by_name(name: str) -> dict[str, str]:
    """Return the environment variables that make any machine answer as the named one.

    Raises:
        MachineNameError: a part is unknown or stands twice, or `cpu` stands beside a GPU.
    """
    forced = dict(_NOTHING)
    parts = name.lower().split("-")
    for part in parts:
        if part == "cpu":
            continue
        for prefix, variable, whole in _PARTS:
            if part.startswith(prefix) and part != prefix:
                if forced[variable] != "none":
                    raise MachineNameError(f"machine {printable(name)!r}: {printable(part)!r} says it twice")
                forced[variable] = part if whole else part[len(prefix) :].removeprefix("_")
                break
        else:
            raise MachineNameError(
                f"machine {printable(name)!r}: {printable(part)!r} is no part of a name such as {_EXAMPLES}"
            )
    if "cpu" in parts and any(forced[variable] != "none" for variable in _GPUS):
        raise MachineNameError(f"machine {printable(name)!r}: cpu is a machine without GPU")
    return forced


def named_machine(name: str) -> MachineProfile:
    """Return the profile of a named machine.

    Raises:
        MachineNameError: a part is unknown, stands twice, or names no version or architecture.
    """
    from variant_index.detection.forced import forced_profile

    profile, warnings = forced_profile(forced_by_name(name), {}, name)
    if warnings:
        rule = warnings[0].partition(": ")[2].removesuffix("; it is ignored")
        raise MachineNameError(f"machine {printable(name)!r}: {printable(rule)}")
    facts = {
        namespace: {fact: found.model_copy(update={"source": name}) for fact, found in of_namespace.items()}
        for namespace, of_namespace in profile.facts.items()
    }
    return profile.model_copy(update={"facts": facts})
