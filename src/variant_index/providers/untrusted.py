"""What to say of providers that a variants document names and the user does not trust; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from variant_index.errors import printable
from variant_index.providers.request import BUILT_IN

if TYPE_CHECKING:
    from variant_index.model.document import VariantsDocument
    from variant_index.model.machine import MachineProfile

__all__ = ["answered_by", "untrusted_hints"]


def answered_by(profile: MachineProfile) -> frozenset[str]:
    """Return the namespaces that somebody answered for, also if nothing of them is supported."""
    return frozenset((*profile.properties, *profile.facts))


def untrusted_hints(
    project: str, documents: Iterable[VariantsDocument], answered: Collection[str]
) -> tuple[str, ...]:
    """Return one line for each namespace of the documents' variants that nobody answers for.

    The line names no version, address or hash: an index is not to say what is trusted.

    Args:
        project: the project's normal name.
        documents: its usable variants documents.
        answered: the namespaces that somebody answered for.
    """
    named: dict[str, str] = {}
    for document in documents:
        used = {namespace for properties in document.variants.values() for namespace in properties}
        for namespace, provider in (document.providers or {}).items():
            unknown = namespace in used and namespace not in BUILT_IN and namespace not in answered
            if unknown and provider.requires:
                named.setdefault(namespace, _name(provider.requires[0]))
    return tuple(
        f"{printable(project)}: its variants for {namespace} need the provider {name}, which is not trusted; "
        "whether to run it is yours to decide: `variant-index providers trust --help`"
        for namespace, name in sorted(named.items())
    )


def _name(requirement: str) -> str:
    try:
        return printable(canonicalize_name(Requirement(requirement).name), 100)
    except InvalidRequirement:
        return "(its name is none)"
