"""The loaded kernel driver's own version files, when no driver library answers.

A container that was given no GPU still sees these files of its host, so they count only where a
device node shows that a GPU was given to this environment. Tegra numbers its drivers otherwise, so
there they say nothing.
"""

from __future__ import annotations

from torch_variant_provider.facts import Findings
from torch_variant_provider.files import exists, read_text
from torch_variant_provider.nvidia.driver_table import cuda_of_driver
from torch_variant_provider.nvidia.presence import gpu_nodes
from torch_variant_provider.versions import version_text

__all__ = ["NAME", "driver_version", "is_tegra", "read"]

NAME = "NVIDIA kernel driver"

_TEGRA = ("/etc/nv_tegra_release", "/dev/nvmap")


def read(root: str) -> Findings:
    """Return `kernel_driver`, and `cuda_version` through the driver table."""
    driver = driver_version(root)
    has_gpu = exists(root, "/dev/nvidiactl") or gpu_nodes(root) > 0
    if driver is None:
        if has_gpu:
            return Findings(
                warnings=[
                    f"{NAME}: a GPU was given to this environment, but no driver library and no version"
                ],
                unanswered=True,
            )
        return Findings(notes=[f"{NAME}: not loaded"])
    found = Findings({"kernel_driver": driver})
    cuda = cuda_of_driver(driver)
    if is_tegra(root):
        found.unanswered = has_gpu
        found.notes.append(f"{NAME}: {driver} is a Tegra driver, whose number does not tell the CUDA version")
    elif not has_gpu:
        found.notes.append(f"{NAME}: {driver} is loaded, but no GPU was given to this environment")
    elif cuda is not None:
        found.values["cuda_version"] = version_text(cuda)
        found.warnings.append(
            f"{NAME}: no driver library answered; driver {driver} supports CUDA {version_text(cuda)}"
        )
        found.unanswered = True  # which GPUs there are is still to be said
    return found


def driver_version(root: str) -> str | None:
    """Return the version of the loaded NVIDIA kernel module, None when there is none."""
    direct = read_text(root, "/sys/module/nvidia/version")
    if direct is not None and (version := _leading_version(direct.split())):
        return version
    banner = read_text(root, "/proc/driver/nvidia/version")
    if banner is None:
        return None
    for line in banner.splitlines():
        words = line.split()
        if "Module" in words and (version := _leading_version(words[words.index("Module") + 1 :])):
            return version
    return None


def _leading_version(words: list[str]) -> str | None:
    """Return the first word that is `digits.digits` or `digits.digits.digits`."""
    for word in words:
        parts = word.split(".")
        if len(parts) in (2, 3) and all(
            part.isascii() and part.isdigit() and len(part) < 5 for part in parts
        ):
            return word
    return None


def is_tegra(root: str) -> bool:
    """Tell whether this is a Tegra system, whose driver numbers do not follow the table.

    Containers hide the device tree and often the release file, so the memory device and the number of
    JetPack 6, which no other driver has, tell as well.
    """
    return (
        any(exists(root, sign) for sign in _TEGRA)
        or "tegra" in (read_text(root, "/proc/device-tree/compatible") or "")
        or (driver_version(root) or "").startswith("540.")
    )
