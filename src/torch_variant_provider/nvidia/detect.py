"""Everything known of NVIDIA hardware: forced facts first, then the sources in their order."""

from __future__ import annotations

from torch_variant_provider.facts import NONE, Fact, Knowledge
from torch_variant_provider.overrides import nvidia_overrides
from torch_variant_provider.sources import Source, gather

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SOURCES", "detect"]

SOURCES = (
    Source(
        "NVML",
        ("cuda_version", "compute_capability", "kernel_driver"),
        "torch_variant_provider.nvidia.nvml",
        wakes=True,
    ),
    Source("libcuda", ("cuda_version",), "torch_variant_provider.nvidia.libcuda"),
    Source(
        "libcuda devices",
        ("compute_capability",),
        "torch_variant_provider.nvidia.libcuda_devices",
        wakes=True,
    ),
    Source(
        "NVIDIA kernel driver",
        ("cuda_version", "kernel_driver"),
        "torch_variant_provider.nvidia.kernel_driver",
    ),
    Source(
        "nvidia-smi",
        ("cuda_version", "compute_capability", "kernel_driver"),
        "torch_variant_provider.nvidia.nvidia_smi",
        wakes=True,
    ),
)
"""Best first."""

_WANTED = ("cuda_version", "compute_capability")


def detect(environ: Mapping[str, str], root: str = "/") -> Knowledge:
    """Return what is known of this machine's NVIDIA hardware.

    Facts: `cuda_version` (what the driver supports), `compute_capability` (of all GPUs, highest
    first), `kernel_driver`.

    Args:
        environ: the environment variables, for overrides.
        root: prefix of every file that is read.
    """
    knowledge = nvidia_overrides(environ)
    if knowledge.text("cuda_version") == NONE:
        return knowledge  # "no driver" needs no look at the hardware
    gather(SOURCES, knowledge, _WANTED, root)
    if knowledge.facts.pop("library_mismatch", None) is not None:
        _settle_mismatch(knowledge, root)
    _settle_version(knowledge, root)
    if all(name in knowledge.facts for name in _WANTED):
        knowledge.unanswered = None  # another source knew
    return knowledge


def _settle_version(knowledge: Knowledge, root: str) -> None:
    """Where GPUs answered and nothing told the CUDA version, the driver's own version tells it."""
    from torch_variant_provider.nvidia.driver_table import cuda_of_driver
    from torch_variant_provider.nvidia.kernel_driver import is_tegra
    from torch_variant_provider.versions import version_text

    gpus = knowledge.facts.get("compute_capability")
    answered = gpus is not None and bool(gpus.value) and gpus.source in (source.name for source in SOURCES)
    if "cuda_version" in knowledge.facts or not answered:
        return
    driver = knowledge.facts.get("kernel_driver")
    version = None if driver is None or is_tegra(root) else cuda_of_driver(str(driver.value))
    if driver is not None and version is not None:
        source = f"{driver.source}, driver table"
        knowledge.facts["cuda_version"] = Fact(version_text(version), source)
        knowledge.warnings.append(
            f"{driver.source}: no source tells the CUDA version; driver {driver.value} supports "
            f"CUDA {version_text(version)}"
        )
    elif knowledge.unanswered is None:
        knowledge.unanswered = "the driver does not tell which CUDA version it supports"


def _settle_mismatch(knowledge: Knowledge, root: str) -> None:
    """After an upgrade without a restart, the older of libraries and kernel driver decides."""
    from torch_variant_provider.nvidia.driver_table import cuda_of_driver
    from torch_variant_provider.nvidia.kernel_driver import NAME, driver_version
    from torch_variant_provider.versions import parse_version, version_text

    fact = knowledge.facts.get("cuda_version")
    of_driver = cuda_of_driver(driver_version(root) or "")
    if fact is None or fact.source != "libcuda" or of_driver is None:
        return
    of_library = parse_version(str(fact.value))
    if of_library is None or of_driver < of_library:
        knowledge.facts["cuda_version"] = Fact(version_text(of_driver), NAME)
