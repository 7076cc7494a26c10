"""`nvidia-smi`, the last resort: its text has changed before and will again."""

from __future__ import annotations

import sys

from torch_variant_provider.facts import Findings
from torch_variant_provider.files import below
from torch_variant_provider.library import paths
from torch_variant_provider.nvidia.capability import parse_capability
from torch_variant_provider.nvidia.presence import kernel_in_sight
from torch_variant_provider.programs import Ran, find_program, run_program
from torch_variant_provider.versions import parse_version, version_text

__all__ = ["NAME", "parse_capabilities", "parse_query", "read"]

NAME = "nvidia-smi"

# WSL2 has it here, and loses it from PATH under sudo and cron.
_WSL = "/usr/lib/wsl/lib"

# Exit statuses, as its manual lists them: the driver is not loaded; and those that the tool's own absence
# of parts (no NVML, a wrapper whose program is gone, an argument it does not know) can have.
_NO_DRIVER = 9
_TOOL_ITSELF = (1, 2, 12, 13, 126, 127)

# R610 and newer have both, the old one with a remark; the new one is the user-mode driver's.
_CUDA_LABELS = ("CUDA UMD Version", "CUDA Version")
_DRIVER_LABELS = ("Driver Version", "KMD Version")


def read(root: str) -> Findings:
    """Return `cuda_version`, `kernel_driver` and `compute_capability` as the tool prints them.

    Some statuses report trouble with one GPU after all the others' answers, so what is printed counts
    whatever the status is.
    """
    path = find_program(NAME, (below(root, _WSL), *_windows_folders()))
    if path is None:
        return Findings()
    page = run_program(path, "-q")
    found = Findings(dict(parse_query(page.text)))
    if page.hung:
        return _failed(page, root)
    if "cuda_version" not in found.values:
        banner = run_program(path)  # of a tool whose long page has no such line
        found.values = {**parse_query(banner.text), **found.values}
    if page.problem and not found.values:
        return _failed(page, root)
    table = run_program(path, "--query-gpu=compute_cap", "--format=csv,noheader")
    if capabilities := parse_capabilities(table.text):
        found.values["compute_capability"] = capabilities
    elif table.hung:
        found.warnings.append(f"{NAME}: asked for compute capabilities, {table.problem}")
        found.unanswered = found.hung = True
    elif table.problem:  # before R495 there is no such query
        found.notes.append(f"{NAME}: asked for compute capabilities, {table.problem}")
    return found


def _failed(page: Ran, root: str) -> Findings:
    """Return what a failure means: no driver, a tool left over from one, or a driver that does not answer."""
    remark = [f"{NAME}: {page.problem}"]
    left_over = page.status in _TOOL_ITSELF or page.status is None
    if page.status == _NO_DRIVER or (left_over and not page.hung and not kernel_in_sight(root)):
        return Findings(notes=remark)
    return Findings(warnings=remark, unanswered=True, hung=page.hung)


def _windows_folders() -> tuple[str, ...]:
    if sys.platform != "win32":
        return ()
    return tuple(path.removesuffix(f"\\{NAME}.exe") for path in paths(f"{NAME}.exe", "/"))


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
