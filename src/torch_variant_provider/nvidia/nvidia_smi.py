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
_DRIVER_LABELS = ("Driver Version", "KMD Version")


def read(root: str) -> Findings:
    """Return `cuda_version`, `kernel_driver` and `compute_capability` as the tool prints them."""
    path = find_program(NAME, (below(root, _WSL), os.environ.get("WINDIR", "C:\\Windows") + "\\System32"))
    if path is None:
        return Findings()
    text, reason = run_program(path, "-q")
    if text is None:
        return Findings(notes=[f"{NAME}: {reason}"])
    found = Findings(dict(parse_query(text)))
    if "cuda_version" not in found.values:
        text, _ = run_program(path)  # the banner of a tool whose long page has no such line
        found.values = {**parse_query(text or ""), **found.values}
    text, reason = run_program(path, "--query-gpu=compute_cap", "--format=csv,noheader")
    if text is None:  # before R495 there is no such query
        found.notes.append(f"{NAME}: asked for compute capabilities, {reason}")
    elif capabilities := parse_capabilities(text):
        found.values["compute_capability"] = capabilities
    return found


def parse_query(text: str) -> dict[str, str]:
    """Return the facts in the output of `nvidia-smi -q` or in its banner; `N/A` is not known."""
    facts: dict[str, str] = {}
    for label in _CUDA_LABELS:
        version = parse_version(_first_word_after(label, text))
        if version is not None:
            facts["cuda_version"] = version_text(version)
            break
    for label in _DRIVER_LABELS:
        driver = _first_word_after(label, text)
        if parse_version(driver) is not None:
            facts["kernel_driver"] = driver
            break
    return facts


def _first_word_after(label: str, text: str) -> str:
    """Return the word after the first `label :`, wherever in a line that stands."""
    for line in text.splitlines():
        _, found, rest = line.partition(label)
        before, colon, value = rest.partition(":")
        words = value.split(maxsplit=1)
        if found and colon and not before.strip() and words:
            return words[0]
    return ""


def parse_capabilities(text: str) -> tuple[str, ...]:
    """Return the compute capabilities of all lines that hold one, highest first, each once."""
    capabilities = {
        capability
        for line in text.splitlines()
        if "." in line and (capability := parse_capability(line)) is not None
    }
    return tuple(version_text(capability) for capability in sorted(capabilities, reverse=True))
