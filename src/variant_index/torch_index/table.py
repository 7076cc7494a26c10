"""What PyTorch's builds contain: data only, with its sources.

Sources: pytorch/pytorch `.ci/manywheel/build_env_setup.py` and, before it, `.ci/manywheel/build_cuda.sh` and
`.ci/aarch64_linux/aarch64_ci_build.sh` (compute capabilities); `.ci/docker/manywheel/build.sh` (AMD
architectures); the variants documents of torch 2.9 and 2.10; PyTorch's page on Intel GPUs.
"""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["CUDA_AARCH64", "CUDA_X86", "CURRENT_BACKENDS", "OLDER_BACKENDS", "ROCM", "XPU_DEVICES"]
__all__ += ["CudaBuilds", "Version"]

Version = tuple[int, int]
"""Major and minor number of CUDA, ROCm or torch."""


class CudaBuilds(NamedTuple):
    """The torch builds of one CUDA version.

    Attributes:
        since: the first torch release that these lists hold for.
        real: compute capabilities with compiled code, 8.6 as 86.
        virtual: those with PTX, which newer GPUs compile for themselves.
    """

    since: Version
    real: tuple[int, ...]
    virtual: tuple[int, ...] = ()


_UP_TO_AMPERE: Final = (50, 60, 70, 75, 80, 86)
_UP_TO_HOPPER: Final = (*_UP_TO_AMPERE, 90)
_FROM_TURING: Final = (75, 80, 86, 90, 100, 120)

CUDA_X86: Final[dict[Version, tuple[CudaBuilds, ...]]] = {
    (11, 0): (CudaBuilds((0, 0), (50, 60, 70, 75, 80)),),
    (11, 1): (CudaBuilds((0, 0), _UP_TO_AMPERE),),
    (11, 8): (CudaBuilds((0, 0), _UP_TO_HOPPER),),
    (12, 0): (CudaBuilds((0, 0), _UP_TO_HOPPER),),
    (12, 8): (
        CudaBuilds((2, 11), _FROM_TURING),
        # Volta came back for three releases: pytorch/pytorch#157517.
        CudaBuilds((2, 8), (70, *_FROM_TURING)),
        CudaBuilds((0, 0), _FROM_TURING, (120,)),
    ),
    (12, 9): (CudaBuilds((0, 0), (70, *_FROM_TURING), (120,)),),
    (13, 0): (CudaBuilds((0, 0), _FROM_TURING, (120,)),),
}
"""CUDA version -> its builds for x86-64, newest torch first; one not listed is like the one below it."""

CUDA_AARCH64: Final[dict[Version, tuple[CudaBuilds, ...]]] = {
    (11, 0): (CudaBuilds((0, 0), (90,)),),
    (12, 6): (CudaBuilds((2, 13), (80, 90)), CudaBuilds((0, 0), (90,))),
    (12, 8): (CudaBuilds((0, 0), (90, 100, 120)),),
    (12, 9): (CudaBuilds((0, 0), (80, 90, 100, 120)),),
    (13, 0): (CudaBuilds((0, 0), (80, 90, 100, 110, 120), (120,)),),
}
"""The same for Linux on aarch64."""

_RDNA_1_TO_3: Final = ("gfx1030", "gfx1100", "gfx1101", "gfx1102")
_RDNA_4: Final = ("gfx1200", "gfx1201")
_CDNA: Final = ("gfx908", "gfx90a", "gfx942")
_STRIX: Final = ("gfx1103", "gfx1150", "gfx1151")

ROCM: Final[dict[Version, tuple[str, ...]]] = {
    (3, 0): ("gfx900", "gfx906", "gfx908"),
    (5, 0): ("gfx900", "gfx906", "gfx908", "gfx90a", "gfx1030"),
    (5, 5): ("gfx900", "gfx906", "gfx908", "gfx90a", "gfx1030", "gfx1100"),
    (6, 0): ("gfx900", "gfx906", *_CDNA, "gfx1030", "gfx1100"),
    (6, 2): ("gfx900", "gfx906", *_CDNA, *_RDNA_1_TO_3),
    (6, 3): ("gfx900", "gfx906", *_CDNA, *_RDNA_1_TO_3, *_RDNA_4),
    (7, 0): ("gfx900", "gfx906", *_CDNA, "gfx950", *_RDNA_1_TO_3, *_STRIX, *_RDNA_4),
    (7, 14): (*_CDNA, "gfx950", *_RDNA_1_TO_3, *_STRIX, *_RDNA_4),
}
"""ROCm version -> architectures in its builds; a version not listed is like the one below it."""

XPU_DEVICES: Final = (
    *("12.55.8", "12.56.5", "12.57.0", "12.60.7", "12.70.4", "12.71.4", "12.74.4"),
    *("20.1.0", "20.2.0", "20.4.4", "30.0.4"),
)
"""Device IP versions of the Intel GPUs that xpu builds run on: Arc, Data Center Max, Core Ultra."""

CURRENT_BACKENDS: Final = (
    *("cu132", "cu130", "cu129", "cu128", "cu126"),
    *("rocm7.2", "rocm7.1", "rocm7.0", "rocm6.4"),
    *("xpu", "cpu"),
)
"""Folders that are read on every machine, newest first, because any of their builds may be pinned by name."""

OLDER_BACKENDS: Final = (
    *("cu124", "cu121", "cu118", "cu117", "cu116", "cu115", "cu113", "cu111", "cu110"),
    *("rocm6.3", "rocm6.2.4", "rocm6.2", "rocm6.1", "rocm6.0", "rocm5.7", "rocm5.6", "rocm5.5"),
)
"""Folders that are read where the machine can run their builds, newest first."""
