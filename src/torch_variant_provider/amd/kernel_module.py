"""The amdgpu kernel module: AMD's own (DKMS) has a version, the kernel's does not."""

from __future__ import annotations

from torch_variant_provider.facts import Findings
from torch_variant_provider.files import exists, read_text
from torch_variant_provider.versions import parse_version

__all__ = ["IN_TREE", "NAME", "read"]

NAME = "amdgpu module"
IN_TREE = "in-tree"


def read(root: str) -> Findings:
    """Return `kernel_driver`: the module's version, or `in-tree` for the one of the kernel."""
    version = (read_text(root, "/sys/module/amdgpu/version") or "").strip()
    if parse_version(version, suffix="-~+") is not None:
        return Findings({"kernel_driver": version})
    if exists(root, "/sys/class/kfd/kfd/topology/nodes"):
        return Findings({"kernel_driver": IN_TREE})
    return Findings(notes=[f"{NAME}: not loaded"])
