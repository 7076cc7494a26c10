"""Everything known of the machine, as the plain data that `variant-index machine --json` prints."""

from __future__ import annotations

import os

from torch_variant_provider.amd import detect as amd
from torch_variant_provider.amd import properties as amd_properties
from torch_variant_provider.intel import detect as intel
from torch_variant_provider.intel import properties as intel_properties
from torch_variant_provider.nvidia import detect as nvidia
from torch_variant_provider.nvidia import properties as nvidia_properties

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch_variant_provider.facts import Knowledge

__all__ = ["Report", "examine"]


class Report:
    """What was found out about the machine.

    Attributes:
        facts: namespace -> fact name -> its value and where it came from.
        properties: namespace -> feature -> supported values, best first; features most important first.
        notes: what could not be found out and why, one line each.
        warnings: those of the notes that the user should read.
        unanswered: namespace -> why its driver, which is evidently there, did not say what it supports.
    """

    __slots__ = ("facts", "notes", "properties", "unanswered", "warnings")

    def __init__(self, known: dict[str, Knowledge], supported: dict[str, dict[str, list[str]]]) -> None:
        self.facts: dict[str, dict[str, tuple[str | list[str], str]]] = {
            namespace: {
                name: (list(fact.value) if isinstance(fact.value, tuple) else fact.value, fact.source)
                for name, fact in knowledge.facts.items()
            }
            for namespace, knowledge in known.items()
            if knowledge.facts
        }
        self.properties = {namespace: features for namespace, features in supported.items() if features}
        self.warnings = [warning for knowledge in known.values() for warning in knowledge.warnings]
        self.notes = self.warnings + [note for knowledge in known.values() for note in knowledge.notes]
        self.unanswered = {
            namespace: knowledge.unanswered
            for namespace, knowledge in known.items()
            if knowledge.unanswered is not None
        }

    def profile(self) -> dict[str, object]:
        """Return the machine profile, in the form that `variant-index machine --json` prints."""
        return {
            "properties": self.properties,
            "feature_order": {namespace: list(features) for namespace, features in self.properties.items()},
            "facts": {
                namespace: {
                    name: {"value": value, "source": source} for name, (value, source) in found.items()
                }
                for namespace, found in self.facts.items()
            },
            "notes": self.notes,
            "unanswered": self.unanswered,
        }


def examine(environ: Mapping[str, str] | None = None, root: str = "/") -> Report:
    """Detect everything.

    Args:
        environ: the environment variables; None for those of this process.
        root: prefix of every file that is read.
    """
    environ = os.environ if environ is None else environ
    known = {
        "nvidia": nvidia.detect(environ, root),
        "amd": amd.detect(environ, root),
        "intel": intel.detect(environ, root),
    }
    supported = {
        "nvidia": nvidia_properties.supported_properties(known["nvidia"]),
        "amd": amd_properties.supported_properties(known["amd"]),
        "intel": intel_properties.supported_properties(known["intel"]),
    }
    return Report(known, supported)
