"""A machine of which only what is forced is known; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch_variant_provider.amd import properties as amd
from torch_variant_provider.facts import NONE, Knowledge
from torch_variant_provider.intel import properties as intel
from torch_variant_provider.nvidia import properties as nvidia
from torch_variant_provider.overrides import amd_overrides, intel_overrides, nvidia_overrides

if TYPE_CHECKING:
    from variant_index.model.machine import MachineProfile

__all__ = ["forced_profile"]


def forced_profile(
    environ: Mapping[str, str], processor: Mapping[str, str], source: str
) -> tuple[MachineProfile, list[str]]:
    """Return the profile that environment variables describe, and warnings about bad values.

    Args:
        environ: the environment variables that force facts, as the provider knows them.
        processor: namespace -> closest generic processor, as `cpu_profile` takes it.
        source: where `processor` comes from.
    """
    from variant_index.detection.cpu import cpu_profile
    from variant_index.detection.merged import merged

    known = {
        "nvidia": nvidia_overrides(environ),
        "amd": amd_overrides(environ)[0],
        "intel": intel_overrides(environ),
    }
    supported = {
        "nvidia": nvidia.supported_properties(known["nvidia"]),
        "amd": amd.supported_properties(known["amd"]),
        "intel": intel.supported_properties(known["intel"]),
    }
    cpu = cpu_profile(processor, environ, source=source)
    warnings = [warning for knowledge in known.values() for warning in knowledge.warnings] + cpu.notes
    return merged(_profile(known, supported), cpu.model_copy(update={"notes": []})), warnings


def _profile(known: Mapping[str, Knowledge], supported: Mapping[str, dict[str, list[str]]]) -> MachineProfile:
    from variant_index.model.machine import Fact, MachineProfile

    properties = {namespace: features for namespace, features in supported.items() if features}
    return MachineProfile(
        properties=properties,
        feature_order={namespace: list(features) for namespace, features in properties.items()},
        facts={
            namespace: {
                name: Fact(
                    value=found.value if isinstance(found.value, str) else list(found.value),
                    source=found.source,
                )
                for name, found in known[namespace].facts.items()
                if found.value and found.value != NONE
            }
            for namespace in properties
        },
    )
