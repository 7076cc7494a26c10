"""The eight machines of the demonstration, forced through the provider's environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["MACHINES", "Machine"]

_CUDA = "NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION"
_SM = "NV_VARIANT_PROVIDER_FORCE_SM_ARCH"
_ROCM = "AMD_VARIANT_PROVIDER_FORCE_ROCM_VERSION"
_GFX = "AMD_VARIANT_PROVIDER_FORCE_GFX_ARCH"


@dataclass(frozen=True)
class Machine:
    """One forced machine.

    Attributes:
        name: what a person would call it.
        forced: the environment variables that make the provider report it; the other vendor is off.
        expected: the label that fits it best.
    """

    name: str
    forced: Mapping[str, str]
    expected: str


def _machine(
    name: str, expected: str, *, cuda: str = "", sm: str = "", rocm: str = "", gfx: str = ""
) -> Machine:
    forced = {_CUDA: cuda, _SM: sm, _ROCM: rocm, _GFX: gfx}
    return Machine(name, {variable: value or "none" for variable, value in forced.items()}, expected)


MACHINES: tuple[Machine, ...] = (
    _machine("no GPU", "null"),
    _machine("RTX 3090, CUDA 11.8 driver", "null", cuda="11.8", sm="8.6"),
    _machine("GTX 1080 Ti, CUDA 12.4 driver", "cu126", cuda="12.4", sm="6.1"),
    _machine("RTX 4090, CUDA 12.8 driver", "cu128", cuda="12.8", sm="8.9"),
    _machine("V100, CUDA 13.0 driver", "cu128", cuda="13.0", sm="7.0"),
    _machine("H100, CUDA 13.0 driver", "cu130", cuda="13.0", sm="9.0"),
    _machine("RX 7900 XTX, ROCm 6.3", "rocm63", rocm="6.3", gfx="gfx1100"),
    _machine("RX 9070, ROCm 6.4", "rocm64", rocm="6.4", gfx="gfx1201"),
)
