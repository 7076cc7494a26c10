"""Everything known of AMD hardware: forced facts first, then the sources in their order."""

from __future__ import annotations

from torch_variant_provider.facts import Fact, Knowledge
from torch_variant_provider.overrides import DISABLE_AMD, HSA_OVERRIDE, amd_overrides, hsa_override
from torch_variant_provider.sources import Source, gather

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SOURCES", "detect"]

SOURCES = (
    Source("KFD", ("gfx_arch",), "torch_variant_provider.amd.kfd"),
    Source("AMD SMI", ("gfx_arch",), "torch_variant_provider.amd.amd_smi", wakes=True),
    Source("ROCm tools", ("gfx_arch",), "torch_variant_provider.amd.tools", wakes=True),
    Source("amdgpu module", ("kernel_driver",), "torch_variant_provider.amd.kernel_module"),
    Source("ROCm installation", ("installed_rocm",), "torch_variant_provider.amd.installed"),
)
"""Best first."""


def detect(environ: Mapping[str, str], root: str = "/") -> Knowledge:
    """Return what is known of this machine's AMD hardware.

    Facts: `gfx_arch` (of all GPUs, largest first; before them the one that HSA_OVERRIDE_GFX_VERSION
    makes of them), `kernel_driver` (the amdgpu module's version, or `in-tree`), `rocm_version` where it
    is forced, and `installed_rocm` where no kernel driver tells.

    Args:
        environ: the environment variables, for overrides.
        root: prefix of every file that is read.
    """
    knowledge, enabled = amd_overrides(environ)
    override, warnings = hsa_override(environ)
    knowledge.warnings += warnings
    if not enabled:
        knowledge.notes.append(f"AMD hardware is not looked for: {DISABLE_AMD} is set")
        return knowledge
    forced = "gfx_arch" in knowledge.facts
    wanted = ("gfx_arch",) if "rocm_version" in knowledge.facts else ("gfx_arch", "kernel_driver")
    gather(SOURCES, knowledge, wanted, root)
    if "gfx_arch" in knowledge.facts:
        knowledge.unanswered = None  # another source knew
    if not knowledge.texts("gfx_arch"):
        return knowledge
    if "rocm_version" not in knowledge.facts and "kernel_driver" not in knowledge.facts:
        gather(SOURCES, knowledge, ("installed_rocm",), root)
    if override is not None and not forced:
        # What the user makes ROCm assume comes before what is there.
        real = knowledge.facts["gfx_arch"]
        others = tuple(name for name in knowledge.texts("gfx_arch") if name != override)
        knowledge.facts["gfx_arch"] = Fact((override, *others), f"{HSA_OVERRIDE}, {real.source}")
    return knowledge
