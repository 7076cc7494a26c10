"""The kernel's own list of AMD compute devices (KFD topology): needs no ROCm and no process."""

from __future__ import annotations

import os

from torch_variant_provider.amd.gfx import gfx_number, gfx_of_target_version
from torch_variant_provider.facts import Findings
from torch_variant_provider.files import below, read_text

__all__ = ["NAME", "read"]

NAME = "KFD"

_AMD = 0x1002

# The second is where the first leads; a copy of the tree may lack the link.
_NODES = ("/sys/class/kfd/kfd/topology/nodes", "/sys/devices/virtual/kfd/kfd/topology/nodes")


def read(root: str) -> Findings:
    """Return `gfx_arch` of all GPU nodes that may be read, largest first, each once."""
    folder, nodes = _nodes(root)
    if folder is None:
        return Findings(notes=[f"{NAME}: no AMD compute driver on this machine"])
    found = Findings()
    gpus = 0
    names: set[str] = set()
    for node in sorted(nodes, key=int):
        text = read_text(root, f"{folder}/{node}/properties")
        if text is None:
            found.notes.append(f"{NAME}: node {node} may not be read: it is not given to this environment")
            continue
        properties = _properties(text)
        if not properties.get("simd_count") or properties.get("vendor_id", _AMD) != _AMD:
            continue  # a CPU, or another vendor's
        gpus += 1
        name = gfx_of_target_version(properties.get("gfx_target_version", 0))
        if name is not None:
            names.add(name)
        elif "gfx_target_version" not in properties:
            found.warnings.append(f"{NAME}: this kernel does not name the architecture of GPU node {node}")
        elif properties["gfx_target_version"]:
            number = properties["gfx_target_version"]
            found.warnings.append(f"{NAME}: GPU node {node} has an unknown architecture ({number})")
    if names:
        found.values["gfx_arch"] = tuple(sorted(names, key=gfx_number, reverse=True))
    elif not gpus:
        found.notes.append(f"{NAME}: the AMD compute driver has no GPU for this environment")
    return found


def _nodes(root: str) -> tuple[str | None, list[str]]:
    """Return the folder of the nodes and their numbers; None where there is none."""
    for folder in _NODES:
        try:
            names = os.listdir(below(root, folder))  # noqa: PTH208 - pathlib is slow to import
        except OSError:
            continue
        return folder, [name for name in names if name.isascii() and name.isdigit()]
    return None, []


def _properties(text: str) -> dict[str, int]:
    """Read lines of `key number`; lines that are anything else are left out."""
    properties: dict[str, int] = {}
    for line in text.splitlines():
        key, _, number = line.strip().partition(" ")
        number = number.strip()
        if number.isascii() and number.isdigit() and len(number) <= 20:
            properties[key] = int(number)
    return properties
