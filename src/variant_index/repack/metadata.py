"""METADATA of a repacked wheel: another name or version, other dependencies, all else as it was; pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from packaging.requirements import InvalidRequirement, Requirement

from variant_index.errors import InputError, printable
from variant_index.markers.expression import MarkerError
from variant_index.markers.requirement import WheelVariant, settle_requirement
from variant_index.model.filename import canonical_name
from variant_index.model.properties import Properties, each_property
from variant_index.repack.patterns import Fields, fill_in, first_match
from variant_index.repack.rules import Dependencies
from variant_index.torch_index.backends import parse_backend
from variant_index.wheel.headers import change_headers

__all__ = ["Edits", "RequirementError", "edit_metadata"]

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", re.ASCII)
_STRING = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_PIN = re.compile(r"(===?\s*[0-9A-Za-z.!]+)\+([0-9A-Za-z._-]+)", re.ASCII)


class RequirementError(InputError):
    """A requirement cannot be edited, or would not be one afterwards."""


@dataclass(frozen=True)
class Edits:
    """What to change.

    Attributes:
        name: the new Name, None to keep it.
        version: the new Version, None to keep it.
        old_local: the local version that goes, `""` when there was none; pins on it, or on a backend of
            PyTorch's index, lose theirs too, because their target does. None when local versions stay.
        dependencies: the rule's changes.
        fields: what the rule's patterns found.
        label: the label that markers about the variant are written out for, `""` for a plain wheel.
        properties: those of the variant.
    """

    name: str | None
    version: str | None
    old_local: str | None
    dependencies: Dependencies
    fields: Fields
    label: str = ""
    properties: Properties = field(default_factory=dict)


def edit_metadata(metadata: bytes, edits: Edits) -> tuple[bytes, tuple[str, ...]]:
    """Return METADATA with the edits made, and each changed requirement as one line to show.

    Raises:
        RequirementError: a requirement that has to change cannot be read, or would be wrong.
        MarkerError: a marker about the variant cannot be decided.
        PatternError: a text uses a field that is not there.
    """
    shown: list[str] = []

    def change(header: str, value: str) -> Sequence[str] | None:
        if header == "name":
            return None if edits.name is None else [edits.name]
        if header == "version":
            return None if edits.version is None else [edits.version]
        if header != "requires-dist":
            return None
        old = " ".join(value.split())
        new = _edited(old, edits)
        if new == old:
            return None
        shown.append(f"- {old}" if new is None else f"{old} -> {new}")
        return [] if new is None else [new]

    added = []
    for text in edits.dependencies.add:
        new = _settled(fill_in(text, edits.fields), edits)
        if new is not None:
            _require_valid(new)
            added.append(("Requires-Dist", new))
            shown.append(f"+ {new}")
    return change_headers(metadata, change, added), tuple(shown)


def _edited(old: str, edits: Edits) -> str | None:
    """Return the requirement as it is to be, None when it goes."""
    found = _NAME.match(old)
    if found is None:
        return old  # nothing that we, or anybody, could take for a name
    name = canonical_name(found[0])
    if first_match(edits.dependencies.drop, name) is not None:
        return None
    new = old
    for pattern, text in edits.dependencies.rename:
        if (fields := pattern.match(name)) is not None:
            new = fill_in(text, {**edits.fields, **fields}) + new[found.end() :]
            break
    if (local := edits.old_local) is not None:
        front, mark, marker = _split(new)
        new = _PIN.sub(lambda pin: _without_local(pin, local), front) + mark + marker
    written = _settled(new, edits)
    if written is not None and written != old:
        _require_valid(written)
    return written


def _without_local(pin: re.Match[str], local: str) -> str:
    pinned = re.sub(r"[-_]", ".", pin[2]).lower()
    return pin[1] if pinned == local or parse_backend(pinned) is not None else pin[0]


def _split(requirement: str) -> tuple[str, str, str]:
    """Split a requirement into all before its marker, the sign between, and the marker."""
    # A URL may hold a semicolon, and ends at a blank (dependency specifiers, PyPA).
    sign = " ;" if "@" in requirement.partition(";")[0] else ";"
    return requirement.partition(sign)


def _settled(requirement: str, edits: Edits) -> str | None:
    """Decide the requirement's variant markers, as far as that is known before a machine is.

    Every feature of an installed variant has a supported value (PEP 825), so namespaces, features and single
    values are known in advance; which of several values a machine supports is not.
    """
    values: dict[str, list[str]] = {}
    for one in each_property(edits.properties):
        values.setdefault(f"{one.namespace} :: {one.feature}", []).append(str(one))
    open_values = {value for several in values.values() if len(several) > 1 for value in several}
    if "variant_properties" in requirement:
        for found in _STRING.finditer(requirement):
            asked = " :: ".join(part.strip() for part in (found[1] or found[2] or "").split("::"))
            if asked in open_values:
                raise MarkerError(
                    f"requirement '{printable(requirement)}' asks for {asked}, one of several values; only a "
                    "machine knows whether it supports it: ask for the label, namespace or feature"
                )
    variant = WheelVariant(
        edits.label,
        frozenset(several[0] for several in values.values() if len(several) == 1),
        frozenset(values),
        frozenset(edits.properties),
    )
    return settle_requirement(requirement, variant)


def _require_valid(requirement: str) -> None:
    try:
        Requirement(requirement)
    except InvalidRequirement:
        raise RequirementError(f"'{printable(requirement)}' is not a requirement (PEP 508)") from None
