"""From AMD facts to the features of namespace `amd`; pure."""

from __future__ import annotations

from torch_variant_provider.amd.gfx import every_gfx, normal_gfx
from torch_variant_provider.amd.releases import every_release, from_driver, from_gfx, up_to
from torch_variant_provider.facts import NONE, Knowledge
from torch_variant_provider.versions import Version, parse_version, version_text

__all__ = ["FEATURES", "all_properties", "supported_properties"]

GFX, ROCM = "gfx_arch", "rocm_version"

FEATURES: dict[str, bool] = {GFX: True, ROCM: False}
"""Feature -> whether a variant may list several values; most important first."""


def supported_properties(knowledge: Knowledge) -> dict[str, list[str]]:
    """Return feature -> supported values, best first, for the features that something is known about.

    `gfx_arch` is the union over all GPUs. `rocm_version` lists every release that the kernel driver
    runs: wheels carry their own user space, so what is installed under /opt/rocm does not matter.
    """
    names = (normal_gfx(text) for text in knowledge.texts("gfx_arch"))
    architectures = tuple(dict.fromkeys(name for name in names if name is not None))
    properties = {
        GFX: list(architectures),
        ROCM: [version_text(version) for version in _releases(knowledge, architectures)],
    }
    return {feature: values for feature, values in properties.items() if values}


def all_properties() -> dict[str, list[str]]:
    """Return feature -> every value that `supported_properties` can ever return."""
    return {GFX: every_gfx(), ROCM: [version_text(version) for version in every_release()]}


def _releases(knowledge: Knowledge, architectures: tuple[str, ...]) -> list[Version]:
    forced = knowledge.text("rocm_version")
    if forced is not None:
        version = parse_version(forced) if forced != NONE else None
        return up_to(version) if version is not None else []
    driver = knowledge.text("kernel_driver")
    if not architectures:
        return []  # a loaded amdgpu module is no GPU
    if driver is not None:
        return from_driver(driver) or from_gfx(architectures)
    installed = parse_version(knowledge.text("installed_rocm") or "")
    return up_to(installed) if installed is not None else []
