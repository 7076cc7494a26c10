"""Everything known of the machine, as the plain data that `variant-index machine --json` prints."""

from __future__ import annotations

import os

from torch_variant_provider.amd import detect as amd
from torch_variant_provider.amd import properties as amd_properties
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
        profile: the machine profile: `properties`, `feature_order`, `facts` and `notes`.
        warnings: those of the notes that the user should read.
        unanswered: vendors whose driver is evidently there but did not say what it supports.
    """

    __slots__ = ("profile", "unanswered", "warnings")

    def __init__(self, profile: dict[str, object], warnings: list[str], unanswered: list[str]) -> None:
        self.profile = profile
        self.warnings = warnings
        self.unanswered = unanswered


def examine(environ: Mapping[str, str] | None = None, root: str = "/") -> Report:
    """Detect everything.

    Args:
        environ: the environment variables; None for those of this process.
        root: prefix of every file that is read.
    """
    environ = os.environ if environ is None else environ
    known: dict[str, Knowledge] = {"nvidia": nvidia.detect(environ, root), "amd": amd.detect(environ, root)}
    supported = {
        "nvidia": nvidia_properties.supported_properties(known["nvidia"]),
        "amd": amd_properties.supported_properties(known["amd"]),
    }
    profile: dict[str, object] = {
        "properties": {namespace: features for namespace, features in supported.items() if features},
        "feature_order": {namespace: list(features) for namespace, features in supported.items() if features},
        "facts": {
            namespace: {
                name: {
                    "value": list(fact.value) if isinstance(fact.value, tuple) else fact.value,
                    "source": fact.source,
                }
                for name, fact in knowledge.facts.items()
            }
            for namespace, knowledge in known.items()
            if knowledge.facts
        },
        "notes": [note for knowledge in known.values() for note in (*knowledge.warnings, *knowledge.notes)],
    }
    return Report(
        profile,
        [warning for knowledge in known.values() for warning in knowledge.warnings],
        [namespace for namespace, knowledge in known.items() if knowledge.unanswered],
    )
