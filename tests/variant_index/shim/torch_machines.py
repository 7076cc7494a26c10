"""A small PyTorch index over four years, with the traps of the real one, and machines by variables."""

from __future__ import annotations

import sysconfig
from pathlib import Path

from tests.variant_index.torch_index.fake_torch import FakeTorch

PYTHON = f"cp{sysconfig.get_python_version().replace('.', '')}"
TAGS = f"{PYTHON}-{PYTHON}-linux_x86_64"
AARCH64 = f"{PYTHON}-{PYTHON}-manylinux_2_28_aarch64"

RELEASES = {
    ("2.9.0", "0.24.0"): ["cpu", "cu126", "cu128", "cu130", "rocm6.4"],
    ("2.14.1", "0.29.1"): ["cpu", "cu126", "cu130", "cu132", "rocm7.1", "xpu"],
    ("2.15.0", "0.30.0"): ["cpu", "cu130", "cu132", "rocm7.2"],
}
FOLDERS = sorted({folder for folders in RELEASES.values() for folder in folders})

_NO_AMD = {"AMD_VARIANT_PROVIDER_FORCE_GFX_ARCH": "none"}
_NO_NVIDIA = {"NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION": "none"}


def nvidia(cuda: str, capability: str) -> dict[str, str]:
    """Return the variables that force a machine with one NVIDIA GPU."""
    return {
        **_NO_AMD,
        "NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION": cuda,
        "NV_VARIANT_PROVIDER_FORCE_SM_ARCH": capability,
    }


def amd(gfx: str, rocm: str) -> dict[str, str]:
    """Return the variables that force a machine with one AMD GPU."""
    return {
        **_NO_NVIDIA,
        "AMD_VARIANT_PROVIDER_FORCE_GFX_ARCH": gfx,
        "AMD_VARIANT_PROVIDER_FORCE_ROCM_VERSION": rocm,
    }


CPU = {**_NO_NVIDIA, **_NO_AMD}
V100 = nvidia("12.8", "7.0")

MACHINES: dict[str, tuple[dict[str, str], str]] = {
    "Ada, CUDA 13.2 driver": (nvidia("13.2", "8.9"), "2.15.0+cu132"),
    "Ada, CUDA 13.0 driver": (nvidia("13.0", "8.9"), "2.15.0+cu132"),
    "Ada, CUDA 12.4 driver": (nvidia("12.4", "8.9"), "2.14.1+cu126"),
    "V100, CUDA 12.8 driver": (V100, "2.14.1+cu126"),
    "V100, CUDA 13.0 driver": (nvidia("13.0", "7.0"), "2.14.1+cu126"),
    "RTX 50, CUDA 12.8 driver": (nvidia("12.8", "12.0"), "2.9.0+cu128"),
    "CUDA 11 driver": (nvidia("11.8", "8.0"), "2.15.0+cpu"),
    "MI300, ROCm 7.1": (amd("gfx942", "7.1"), "2.14.1+rocm7.1"),
    "gfx1031": (amd("gfx1031", "7.2"), "2.15.0+cpu"),
    "no GPU": (CPU, "2.15.0+cpu"),
}
"""Name -> variables, and the torch that is to be installed."""


def add_torch_family(torch: FakeTorch) -> None:
    """Serve torch and torchvision in every release, triton at the root, and one name in all folders."""
    for (version, vision), folders in RELEASES.items():
        for folder in folders:
            torch.add(
                folder,
                f"torch-{version}+{folder}-{TAGS}.whl",
                requires_dist=["triton", "sympy"] if folder != "cpu" else ["sympy"],
            )
            torch.add(
                folder, f"torchvision-{vision}+{folder}-{TAGS}.whl", requires_dist=[f"torch=={version}"]
            )
            torch.add(folder, f"torchvision-{vision}-{AARCH64}.whl")
            # No local version: the same name in every folder, with other bytes.
            torch.add(folder, f"xformers-0.0.{version.split('.')[1]}-{TAGS}.whl", requires_dist=["torch"])
    torch.add("cpu", f"torch-2.15.0-{PYTHON}-none-macosx_11_0_arm64.whl")
    torch.add("", f"torch-2.0.1-{TAGS}.whl")
    torch.add("", "triton-3.9.0-py3-none-any.whl")
    # PyTorch's index lists ordinary projects too; nobody may get them from there.
    torch.add("cpu", "sympy-99.0-py3-none-any.whl")
    torch.publish(FOLDERS)


def installed(folder: Path, module: str = "torch") -> str:
    """Return where an installed module came from, as `folder/filename`."""
    return (folder / f"{module}.py").read_text().partition("'")[2].partition("'")[0]
