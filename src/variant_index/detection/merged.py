"""One profile out of several that know different things; pure."""

from __future__ import annotations

from collections.abc import Collection

from variant_index.model.machine import Fact, MachineProfile

__all__ = ["merged", "taken_over", "without"]


def merged(*profiles: MachineProfile) -> MachineProfile:
    """Return everything that the profiles know; of a namespace that two of them know, the first's."""
    properties: dict[str, dict[str, list[str]]] = {}
    order: dict[str, list[str]] = {}
    facts: dict[str, dict[str, Fact]] = {}
    for profile in profiles:
        for namespace in profile.properties:
            if namespace not in properties:
                properties[namespace] = profile.properties[namespace]
                order[namespace] = profile.feature_order[namespace]
        for namespace, found in profile.facts.items():
            facts.setdefault(namespace, found)
    return MachineProfile(
        properties=properties,
        feature_order=order,
        facts=facts,
        notes=[note for profile in profiles for note in profile.notes],
        unanswered={name: why for profile in profiles[::-1] for name, why in profile.unanswered.items()},
    )


def taken_over(profile: MachineProfile, namespaces: Collection[str]) -> MachineProfile:
    """Return a profile that knows nothing of some namespaces, because somebody else answers for them."""
    properties = {name: value for name, value in profile.properties.items() if name not in namespaces}
    return MachineProfile(
        properties=properties,
        feature_order={name: profile.feature_order[name] for name in properties},
        facts={name: found for name, found in profile.facts.items() if name not in namespaces},
        notes=profile.notes,
        unanswered={name: why for name, why in profile.unanswered.items() if name not in namespaces},
    )


def without(profile: MachineProfile, namespaces: Collection[str]) -> MachineProfile:
    """Return a profile that supports nothing in some namespaces; its facts and notes stay."""
    properties = {name: value for name, value in profile.properties.items() if name not in namespaces}
    return MachineProfile(
        properties=properties,
        feature_order={name: profile.feature_order[name] for name in properties},
        facts=profile.facts,
        notes=profile.notes,
    )
