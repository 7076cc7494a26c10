"""Everything known of Intel GPUs: forced facts first, then the sources in their order."""

from __future__ import annotations

from torch_variant_provider.overrides import intel_overrides
from torch_variant_provider.sources import Source, gather

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch_variant_provider.facts import Knowledge

__all__ = ["SOURCES", "detect"]

SOURCES = (
    Source("Level Zero", ("device_ip",), "torch_variant_provider.intel.level_zero", wakes=True),
    Source("PCI", ("device_ip",), "torch_variant_provider.intel.graphics_cards"),
)
"""Best first."""


def detect(environ: Mapping[str, str], root: str = "/") -> Knowledge:
    """Return what is known of this machine's Intel GPUs: `device_ip` of all of them, newest first.

    Args:
        environ: the environment variables, for overrides.
        root: prefix of every file that is read.
    """
    knowledge = intel_overrides(environ)
    gather(SOURCES, knowledge, ("device_ip",), root)
    if "device_ip" in knowledge.facts:
        knowledge.unanswered = None  # another source knew
    return knowledge
