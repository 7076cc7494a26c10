"""AMD SMI's binding (the extra `amd`), where the kernel lists its GPUs without their architectures.

It prints to standard output and raises anything at import, so it runs apart and its failures are
only noted.
"""

from __future__ import annotations

from torch_variant_provider.amd.gfx import gfx_number, normal_gfx
from torch_variant_provider.facts import Findings
from torch_variant_provider.files import exists
from torch_variant_provider.isolation import run_isolated

__all__ = ["NAME", "read"]

NAME = "AMD SMI"

_SECONDS = 5.0


def read(root: str) -> Findings:
    """Return `gfx_arch` of all GPUs that answer, largest first."""
    if not exists(root, "/sys/module/amdgpu") and not exists(root, "/sys/class/kfd"):
        return Findings()
    return run_isolated(NAME, lambda _keep: _query(), _SECONDS)


def _query() -> Findings:
    try:
        import amdsmi
    except ModuleNotFoundError:
        return Findings()
    except Exception as error:  # noqa: BLE001 - without its library it raises KeyError and others
        return Findings(notes=[f"{NAME}: {type(error).__name__}: {error}"])
    found = Findings()
    names: set[str] = set()
    try:
        amdsmi.amdsmi_init()
        for index, device in enumerate(amdsmi.amdsmi_get_processor_handles()):
            try:
                text = str(amdsmi.amdsmi_get_gpu_asic_info(device)["target_graphics_version"])
            except Exception as error:  # noqa: BLE001 - one bad GPU hides no other
                found.notes.append(f"{NAME}: GPU {index}: {type(error).__name__}: {error}")
                continue
            if (name := normal_gfx(text)) is not None:
                names.add(name)
    except Exception as error:  # noqa: BLE001 - a hint that fails is no reason to fail
        found.notes.append(f"{NAME}: {type(error).__name__}: {error}")
    if names:
        found.values["gfx_arch"] = tuple(sorted(names, key=gfx_number, reverse=True))
    return found
