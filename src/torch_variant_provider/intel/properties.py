"""From Intel facts to the features of namespace `intel`; pure."""

from __future__ import annotations

from torch_variant_provider.facts import Knowledge
from torch_variant_provider.intel.device_ip import KNOWN, runs

__all__ = ["FEATURES", "all_properties", "supported_properties"]

DEVICE_IP = "device_ip"

FEATURES: dict[str, bool] = {DEVICE_IP: True}
"""Feature -> whether a variant may list several values."""


def supported_properties(knowledge: Knowledge) -> dict[str, list[str]]:
    """Return feature -> supported values, best first: each GPU's version, then the one whose code it runs."""
    values = [value for version in knowledge.texts(DEVICE_IP) for value in runs(version)]
    return {DEVICE_IP: list(dict.fromkeys(values))} if values else {}


def all_properties() -> dict[str, list[str]]:
    """Return feature -> every value that `supported_properties` can ever return."""
    return {DEVICE_IP: list(KNOWN)}
