"""Everything known of AMD hardware: forced facts first, then the sources in their order."""

from __future__ import annotations

from torch_variant_provider.facts import Knowledge
from torch_variant_provider.overrides import DISABLE_AMD, amd_overrides
from torch_variant_provider.sources import Source, gather

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SOURCES", "detect"]

SOURCES = (
    Source("KFD", ("gfx_arch",), "torch_variant_provider.amd.kfd"),
    Source("amdgpu module", ("kernel_driver",), "torch_variant_provider.amd.kernel_module"),
)
"""Best first."""


def detect(environ: Mapping[str, str], root: str = "/") -> Knowledge:
    """Return what is known of this machine's AMD hardware.

    Facts: `gfx_arch` (of all GPUs, largest first), `kernel_driver` (the amdgpu module's version, or
    `in-tree`), and `rocm_version` where it is forced.

    Args:
        environ: the environment variables, for overrides.
        root: prefix of every file that is read.
    """
    knowledge, enabled = amd_overrides(environ)
    if not enabled:
        knowledge.notes.append(f"AMD hardware is not looked for: {DISABLE_AMD} is set")
        return knowledge
    wanted = ("gfx_arch",) if "rocm_version" in knowledge.facts else ("gfx_arch", "kernel_driver")
    gather(SOURCES, knowledge, wanted, root)
    return knowledge
