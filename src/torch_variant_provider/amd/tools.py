"""ROCm's tools, where the kernel's topology does not tell: WSL2, Windows, kernels that name no GPUs."""

from __future__ import annotations

import os
import sys

from torch_variant_provider.amd.gfx import gfx_number, normal_gfx
from torch_variant_provider.facts import Findings
from torch_variant_provider.files import below
from torch_variant_provider.programs import find_program, run_program

__all__ = ["NAME", "parse_architectures", "read"]

NAME = "ROCm tools"

# Windows has only the HIP SDK's tool (not checked on a real machine).
_TOOLS = ("hipinfo",) if sys.platform == "win32" else ("rocm_agent_enumerator", "rocminfo")
_TARGET = "amdgcn-amd-amdhsa--"


def read(root: str) -> Findings:
    """Return `gfx_arch` as `rocm_agent_enumerator`, `rocminfo` or `hipinfo` prints it, largest first."""
    found = Findings()
    folders = (os.path.join(os.environ.get("HIP_PATH", ""), "bin"), below(root, "/opt/rocm/bin"))  # noqa: PTH118
    for tool in _TOOLS:
        path = find_program(tool, folders)
        if path is None:
            continue
        ran = run_program(path)
        if architectures := parse_architectures(ran.text):
            found.values["gfx_arch"] = architectures
            break
        if ran.hung:  # so would be the other tool
            found.warnings.append(f"{NAME}: {tool}: {ran.problem}")
            found.unanswered = found.hung = True
            break
        if ran.problem:
            found.notes.append(f"{NAME}: {tool}: {ran.problem}")
    return found


def parse_architectures(text: str) -> tuple[str, ...]:
    """Return every architecture named in a tool's output, largest first, each once.

    A name is a whole word (`gfx942`) or the end of a target (`amdgcn-amd-amdhsa--gfx942:xnack-`);
    generic targets (`gfx9-4-generic`) and the CPU's `gfx000` are none.
    """
    words = (word.removeprefix(_TARGET) for word in _without_colours(text).split())
    names = {name for word in words if word.startswith("gfx") and (name := normal_gfx(word)) is not None}
    return tuple(sorted(names, key=gfx_number, reverse=True))


def _without_colours(text: str) -> str:
    """Return text without ANSI escape sequences (ESC, `[`, parameters, one letter)."""
    first, *parts = text.split("\x1b[")
    return first + "".join(part.lstrip("0123456789;?")[1:] for part in parts)
