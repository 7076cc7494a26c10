"""Variant properties: `namespace :: feature :: value` triples and the labels made from them (PEP 825)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from variant_index.errors import InputError, printable

__all__ = [
    "ABI_DEPENDENCY",
    "NULL_LABEL",
    "Properties",
    "Property",
    "PropertyError",
    "collect_properties",
    "each_property",
    "hash_label",
]

NULL_LABEL = "null"
"""The label of the variant with no properties, which is always compatible."""

ABI_DEPENDENCY = "abi_dependency"
"""The namespace of variants for particular versions of other packages: `abi_dependency :: torch :: 2.9`.

It has no plugin: an installer answers for it from the packages that there are or will be (PEP 817; in the
form with providers, as `builtin` of the same name).
"""

Properties = Mapping[str, Mapping[str, Sequence[str]]]
"""A variant's properties, or a machine's: namespace -> feature -> values."""

_NAME = re.compile(r"[a-z0-9_]+", re.ASCII)
_VALUE = re.compile(r"[a-z0-9_.]+", re.ASCII)


class PropertyError(InputError):
    """A property is not of the form `namespace :: feature :: value`."""


class Property(NamedTuple):
    """One property of a variant."""

    namespace: str
    feature: str
    value: str

    @classmethod
    def parse(cls, text: str) -> Property:
        """Read `namespace :: feature :: value`; blanks around `::` do not matter.

        Raises:
            PropertyError: `text` has another form, or a part has characters outside its alphabet.
        """
        parts = [part.strip() for part in text.split("::")]
        if len(parts) != 3:
            raise PropertyError(
                f"property '{printable(text)}' is not of the form 'namespace :: feature :: value'"
            )
        for part, what, rule, alphabet in (
            (parts[0], "namespace", _NAME, "a-z 0-9 _"),
            (parts[1], "feature", _NAME, "a-z 0-9 _"),
            (parts[2], "value", _VALUE, "a-z 0-9 _ ."),
        ):
            if not rule.fullmatch(part):
                raise PropertyError(
                    f"property '{printable(text)}': {what} '{printable(part)}' is not made of {alphabet}"
                )
        return cls(*parts)

    def __str__(self) -> str:
        return f"{self.namespace} :: {self.feature} :: {self.value}"


def each_property(properties: Properties) -> Iterator[Property]:
    """Yield every property of a nested mapping, in the mapping's order."""
    for namespace, features in properties.items():
        for feature, values in features.items():
            for value in values:
                yield Property(namespace, feature, value)


def collect_properties(properties: Iterable[Property]) -> dict[str, dict[str, tuple[str, ...]]]:
    """Nest properties as documents hold them: namespaces, features and values sorted, no duplicates."""
    nested: dict[str, dict[str, list[str]]] = {}
    for namespace, feature, value in sorted(set(properties)):
        nested.setdefault(namespace, {}).setdefault(feature, []).append(value)
    return {
        namespace: {feature: tuple(values) for feature, values in features.items()}
        for namespace, features in nested.items()
    }


def hash_label(properties: Iterable[Property]) -> str:
    """Return the label derived from a property set: 8 hexadecimal digits, or `null` for the empty set.

    The digits begin the SHA-256 of the sorted lines `namespace :: feature :: value`, each ended by a
    newline, as variantlib computes them.
    """
    lines = sorted({f"{item}\n" for item in properties})
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:8] if lines else NULL_LABEL
