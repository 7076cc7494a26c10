"""`nvidia-smi`, the last resort: its text has changed before and will again."""

from __future__ import annotations

import os

from torch_variant_provider.facts import Findings
from torch_variant_provider.files import below
from torch_variant_provider.nvidia.capability import parse_capability
from torch_variant_provider.programs import find_program, run_program
from torch_variant_provider.versions import parse_version, version_text

__all__ = ["NAME", "parse_capabilities", "parse_query", "read"]

NAME = "nvidia-smi"

# WSL2 has it here, and loses it from PATH under sudo and cron.
_WSL = "/usr/lib/wsl/lib"

# R610 and newer have both, the old one with a remark; the new one is the user-mode driver's.
_CUDA_LABELS = ("CUDA UMD Version", "CUDA Version")


def read(root: str) -> Findings:
    """Return `cuda_version`, `kernel_driver` and `compute_capability` as the tool prints them."""
    path = find_program(NAME, (below(root, _WSL), os.environ.get("WINDIR", "C:\\Windows") + "\\System32"))
    if path is None:
        return Findings()
    text, reason = run_program(path, "-q")
    if text is None:
        return Findings(notes=[f"{NAME}: {reason}"])
    found = Findings(dict(parse_query(text)))
    text, reason = run_program(path, "--query-gpu=compute_cap", "--format=csv,noheader")
    if text is None:  # before R495 there is no such query
        found.notes.append(f"{NAME}: asked for compute capabilities, {reason}")
    elif capabilities := parse_capabilities(text):
        found.values["compute_capability"] = capabilities
    return found


def parse_query(text: str) -> dict[str, str]:
    """Return the facts in the output of `nvidia-smi -q`; `N/A` in any form is not known."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        label, _, value = line.partition(":")
        found.setdefault(label.strip(), value.strip())
    facts: dict[str, str] = {}
    for label in _CUDA_LABELS:
        words = found.get(label, "").split()
        version = parse_version(words[0]) if words else None
        if version is not None:
            facts["cuda_version"] = version_text(version)
            break
    driver = found.get("Driver Version", "")
    if parse_version(driver) is not None:
        facts["kernel_driver"] = driver
    return facts


def parse_capabilities(text: str) -> tuple[str, ...]:
    """Return the compute capabilities of all lines that hold one, highest first, each once."""
    capabilities = {
        capability
        for line in text.splitlines()
        if "." in line and (capability := parse_capability(line)) is not None
    }
    return tuple(version_text(capability) for capability in sorted(capabilities, reverse=True))
