"""What is known of a machine: facts and where each came from, and what one source had to say."""

from __future__ import annotations

__all__ = ["NONE", "Fact", "Findings", "Knowledge", "Value"]

Value = str | tuple[str, ...]
"""A fact's value: text such as `12.8`, or several such as `("9.0", "7.5")`, best first."""

NONE = "none"
"""The value of a version that the user forced to "there is no driver"."""


class Fact:
    """One thing known about the machine; immutable.

    Attributes:
        value: the text or texts; versions are `M.m`, compute capabilities `9.0`, architectures `gfx942`.
        source: where it came from: a source's name (`NVML`) or an environment variable's.
    """

    __slots__ = ("source", "value")

    value: Value
    source: str

    def __init__(self, value: Value, source: str) -> None:
        object.__setattr__(self, "value", value)
        object.__setattr__(self, "source", source)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a fact does not change: {name}")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Fact):
            return NotImplemented
        return (self.value, self.source) == (other.value, other.source)

    def __hash__(self) -> int:
        return hash((self.value, self.source))

    def __repr__(self) -> str:
        return f"Fact({self.value!r}, {self.source!r})"


class Findings:
    """What one source found.

    Attributes:
        values: fact name -> value, only for facts it is sure of.
        notes: what it could not find and why, where that is ordinary (no such library here).
        warnings: what is wrong with the machine or its driver; the user should read these.
        unanswered: a driver is evidently there and did not say what it supports.
        hung: it did not answer in time, so another call to it would not either.
        conclusive: there is no driver; whatever later sources find is not usable.
    """

    __slots__ = ("conclusive", "hung", "notes", "unanswered", "values", "warnings")

    def __init__(
        self,
        values: dict[str, Value] | None = None,
        notes: list[str] | None = None,
        warnings: list[str] | None = None,
        *,
        unanswered: bool = False,
        hung: bool = False,
        conclusive: bool = False,
    ) -> None:
        self.values = {} if values is None else values
        self.notes = [] if notes is None else notes
        self.warnings = [] if warnings is None else warnings
        self.unanswered = unanswered
        self.hung = hung
        self.conclusive = conclusive


class Knowledge:
    """All that is known of one vendor's hardware: the facts, merged, and what sources remarked.

    Attributes:
        facts: fact name -> fact.
        notes: ordinary remarks, one line each.
        warnings: remarks that the user should read, one line each.
        unanswered: a driver is evidently there and did not say what it supports: why; None where it did.
    """

    __slots__ = ("facts", "notes", "unanswered", "warnings")

    def __init__(self, facts: dict[str, Fact], warnings: list[str]) -> None:
        self.facts = facts
        self.notes: list[str] = []
        self.warnings = warnings
        self.unanswered: str | None = None

    def text(self, name: str) -> str | None:
        """Return the value of a fact that is one text; None when it is not known."""
        fact = self.facts.get(name)
        return fact.value if fact is not None and isinstance(fact.value, str) else None

    def texts(self, name: str) -> tuple[str, ...]:
        """Return the values of a fact that is a list; empty when it is not known."""
        fact = self.facts.get(name)
        return fact.value if fact is not None and isinstance(fact.value, tuple) else ()
