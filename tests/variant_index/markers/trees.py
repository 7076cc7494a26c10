"""Hypothesis strategies for markers with variant variables, and their full evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from hypothesis import strategies as st
from packaging.markers import Marker

from variant_index.markers.requirement import WheelVariant

NAMES = ["gpu", "cpu"]
VALUES = ["1", "2.0"]
LABELS = ["", "null", "cu128", "gpu"]
ENVIRONMENTS = [
    {"os_name": os_name, "python_version": version, "python_full_version": f"{version}.1", "extra": extra}
    for os_name in ("posix", "nt")
    for version in ("3.9", "3.12")
    for extra in ("", "test")
]
PLAIN_ATOMS = [
    "os_name == 'posix'",
    'os_name=="nt"',
    "'nt' in os_name",
    "python_version >= '3.10'",
    "python_version < '3.10'",
    'extra == "test"',
    "python_version not  in '3.9, 3.11'",
    "os_name == 'variant_label'",
]

Kind = Literal["and", "or"]


@dataclass(frozen=True)
class Atom:
    """One comparison; `variable` is None where packaging can evaluate it."""

    text: str
    variable: str | None = None
    operator: str = ""
    literal: str = ""
    reverse: bool = False


@dataclass(frozen=True)
class Node:
    """An `and` or an `or`."""

    kind: Kind
    members: tuple[Atom | Node, ...]


Tree = Atom | Node


@st.composite
def _set_atoms(draw: st.DrawFn) -> Atom:
    parts = draw(st.integers(1, 3))
    variable = ("variant_namespaces", "variant_features", "variant_properties")[parts - 1]
    pieces = [draw(st.sampled_from(NAMES if part < 2 else VALUES)) for part in range(parts)]
    blanks = draw(st.sampled_from(["::", " :: ", ":: ", "  ::  "]))
    operator = draw(st.sampled_from(["in", "not in"]))
    quote = draw(st.sampled_from("'\""))
    text = f"{quote}{blanks.join(pieces)}{quote} {operator} {variable}"
    return Atom(text, variable, operator, " :: ".join(pieces))


@st.composite
def _label_atoms(draw: st.DrawFn) -> Atom:
    operator = draw(st.sampled_from(["==", "!=", "in", "not in"]))
    literal = draw(st.sampled_from([*LABELS, "cu128 gpu", "cu1"]))
    reverse = draw(st.booleans())
    sides = [f"'{literal}'", "variant_label"]
    left, right = sides if reverse else reversed(sides)
    return Atom(f"{left} {operator} {right}", "variant_label", operator, literal, reverse)


def trees() -> st.SearchStrategy[Tree]:
    """Return markers of any shape."""
    atoms = st.one_of(_set_atoms(), _label_atoms(), st.sampled_from(PLAIN_ATOMS).map(Atom))

    def groups(members: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
        return st.builds(
            Node,
            st.sampled_from(["and", "or"]),
            st.lists(members, min_size=2, max_size=4).map(tuple),
        )

    return st.recursive(atoms, groups, max_leaves=12)


@st.composite
def variants(draw: st.DrawFn) -> WheelVariant:
    """Draw what markers see of a wheel."""
    found = draw(st.lists(st.tuples(*map(st.sampled_from, (NAMES, NAMES, VALUES))), max_size=4))
    return WheelVariant(
        draw(st.sampled_from(LABELS)),
        frozenset(" :: ".join(one) for one in found),
        frozenset(" :: ".join(one[:2]) for one in found),
        frozenset(one[0] for one in found),
    )


def written(tree: Tree, inside: Kind | None = None) -> str:
    """Return a marker's text, with parentheses where they are needed and around every second group."""
    if isinstance(tree, Atom):
        return tree.text
    text = f" {tree.kind} ".join(written(member, tree.kind) for member in tree.members)
    needed = inside == "and" and tree.kind == "or"
    return f"({text})" if needed or len(text) % 2 else text


def evaluated(tree: Tree, variant: WheelVariant, environment: Mapping[str, str]) -> bool:
    """Evaluate a marker as a whole."""
    if isinstance(tree, Node):
        results = [evaluated(member, variant, environment) for member in tree.members]
        return all(results) if tree.kind == "and" else any(results)
    if tree.variable is None:
        return Marker(tree.text).evaluate(dict(environment))
    if tree.variable != "variant_label":
        held = tree.literal in getattr(variant, tree.variable.removeprefix("variant_"))
        return held is (tree.operator == "in")
    left, right = (tree.literal, variant.label) if tree.reverse else (variant.label, tree.literal)
    return {
        "==": left == right,
        "!=": left != right,
        "in": left in right,
        "not in": left not in right,
    }[tree.operator]
