"""Everything known of NVIDIA hardware: forced facts first, then the sources in their order."""

from __future__ import annotations

from torch_variant_provider.facts import NONE, Knowledge
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
    ),
    Source("kernel driver", ("cuda_version", "kernel_driver"), "torch_variant_provider.nvidia.kernel_driver"),
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
    knowledge.unanswered = knowledge.unanswered and "cuda_version" not in knowledge.facts
    return knowledge
