"""Requirements with variant markers, decided for one wheel: the rest of the marker stays; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from variant_index.errors import printable
from variant_index.markers.expression import (
    MAX_LENGTH,
    Comparison,
    Group,
    MarkerError,
    Operand,
    parse_marker,
    scan_marker,
)
from variant_index.model.properties import Properties, each_property
from variant_index.selection.ordering import Priorities

__all__ = ["WheelVariant", "settle_requirement"]

_PREFIX: Final = "variant_"
_LABEL: Final = "variant_label"
_DIRECT: Final = re.compile(r"[A-Za-z0-9._\-]+[ \t]*(?:\[[^\]]*\])?[ \t]*@[ \t]*[^ \t]+")


@dataclass(frozen=True)
class WheelVariant:
    """What variant markers can ask of a wheel.

    The default values are those of a wheel without a label, of which nothing but `variant_label == ""` holds.

    Attributes:
        label: its label, `""` for none.
        properties: those that the wheel lists and the target supports, as `namespace :: feature :: value`.
        features: the `namespace :: feature` of these.
        namespaces: the namespaces of these.
    """

    label: str = ""
    properties: frozenset[str] = frozenset()
    features: frozenset[str] = frozenset()
    namespaces: frozenset[str] = frozenset()

    @classmethod
    def of(cls, label: str, properties: Properties, placed: Priorities) -> WheelVariant:
        """Return what markers see of a variant.

        Args:
            label: its label.
            properties: all that it lists.
            placed: what the target supports (see `selection.ordering.priorities`).
        """
        supported = [
            one
            for one in each_property(properties)
            if one.value in placed.get(one.namespace, {}).get(one.feature, {})
        ]
        return cls(
            label,
            frozenset(map(str, supported)),
            frozenset(f"{one.namespace} :: {one.feature}" for one in supported),
            frozenset(one.namespace for one in supported),
        )


def settle_requirement(requirement: str, variant: WheelVariant) -> str | None:
    """Decide the variant markers of a requirement.

    Args:
        requirement: the value of a `Requires-Dist`, in one line.
        variant: the wheel that it is in.

    Returns:
        The requirement with what is left of its marker; None when it does not apply to this wheel. One
        without variant markers is returned as it is.

    Raises:
        MarkerError: the marker cannot be read, names an unknown `variant_` variable, or compares one in a way
            that is not defined.
    """
    before, marker = _cut(requirement)
    if _PREFIX not in marker:
        return requirement
    shown = printable(requirement)
    if len(requirement) > MAX_LENGTH:
        raise MarkerError(f"requirement {shown!r} is longer than {MAX_LENGTH} characters")
    tokens, problem = scan_marker(marker)
    if not any(token.kind == "word" and token.text.startswith(_PREFIX) for token in tokens):
        # Only in strings; what cannot be read is for the installer to say.
        return requirement
    if problem is not None:
        raise MarkerError(f"requirement {shown!r}: its marker {problem}")
    if not requirement.isprintable():
        raise MarkerError(f"requirement {shown!r} has control characters")
    rest = _settle(parse_marker(marker, tokens), variant)
    if isinstance(rest, bool):
        return before.rstrip() if rest else None
    return f"{before.rstrip()} ; {rest.text}"


def _cut(requirement: str) -> tuple[str, str]:
    """Return what stands before and behind the `;` of the marker; a direct reference may hold others."""
    direct = _DIRECT.match(requirement)
    before, _, marker = requirement[direct.end() if direct else 0 :].partition(";")
    return requirement[: direct.end()] + before if direct else before, marker


@dataclass(frozen=True, slots=True)
class _Rest:
    """What is left of an expression, and whether it needs parentheses inside an `and`."""

    text: str
    is_or: bool = False


def _settle(tree: Comparison | Group, variant: WheelVariant) -> _Rest | bool:
    if isinstance(tree, Comparison):
        decided = _decide(tree, variant)
        return _Rest(tree.text) if decided is None else decided
    members = [_settle(member, variant) for member in tree.members]
    deciding = tree.kind == "or"
    if deciding in members:
        return deciding
    left = [member for member in members if isinstance(member, _Rest)]
    if not left:
        return not deciding
    if len(left) == 1:
        return left[0]
    if tree.kind == "or":
        return _Rest(" or ".join(member.text for member in left), is_or=True)
    return _Rest(" and ".join(f"({member.text})" if member.is_or else member.text for member in left))


def _decide(atom: Comparison, variant: WheelVariant) -> bool | None:
    """Return whether a comparison holds, None for one that does not ask about variants."""
    asked = [side for side in (atom.left, atom.right) if not side.quoted and side.text.startswith(_PREFIX)]
    if not asked:
        return None
    sets = {
        "variant_properties": variant.properties,
        "variant_features": variant.features,
        "variant_namespaces": variant.namespaces,
    }
    name = asked[0].text
    if name != _LABEL and name not in sets:
        raise MarkerError(f"marker {printable(atom.text)!r}: {printable(name)} is not a known variable")
    literal = atom.left if atom.right is asked[0] else atom.right
    if literal.quoted and name == _LABEL and atom.operator in ("==", "!=", "in", "not in"):
        return _compare_label(atom, variant.label)
    if literal.quoted and atom.right is asked[0] and atom.operator in ("in", "not in"):
        held = " :: ".join(part.strip() for part in literal.text.split("::")) in sets[name]
        return held == (atom.operator == "in")
    rule = "==, !=, in or not in" if name == _LABEL else f'"..." in {name} or "..." not in {name}'
    raise MarkerError(f"marker {printable(atom.text)!r} is not defined; {name} goes with {rule}")


def _compare_label(atom: Comparison, label: str) -> bool:
    def value(side: Operand) -> str:
        return side.text if side.quoted else label

    left, right = value(atom.left), value(atom.right)
    held = left in right if atom.operator.endswith("in") else left == right
    return held == (atom.operator in ("==", "in"))
