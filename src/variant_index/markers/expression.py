"""Environment markers as a tree: a linear scanner and a parser with limits; pure.

Grammar: "Dependency specifiers" (PyPA). Comparisons keep the text they were written with, so that those that
nobody decides here reach the installer unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from variant_index.errors import InputError, printable

__all__ = ["MAX_LENGTH", "Comparison", "Group", "MarkerError", "Operand", "parse_marker", "scan_marker"]

MAX_LENGTH: Final = 16_384
"""Characters of a requirement with variant markers."""

_MAX_DEPTH: Final = 32

_BLANKS: Final = " \t"
_OPERATORS: Final = ("===", "<=", ">=", "==", "!=", "~=", "<", ">")
_WORD: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.")


class MarkerError(InputError):
    """A marker cannot be read, or asks of a variant what cannot be answered."""


class Operand(NamedTuple):
    """One side of a comparison: a variable's name, or the content of a quoted string."""

    text: str
    quoted: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """An atom of a marker.

    Attributes:
        left: the left side.
        operator: `==`, `in`, `not in`, ...
        right: the right side.
        text: the comparison as written.
    """

    left: Operand
    operator: str
    right: Operand
    text: str


@dataclass(frozen=True, slots=True)
class Group:
    """Several expressions of which all (`and`) or one (`or`) must hold."""

    kind: Literal["and", "or"]
    members: tuple[Comparison | Group, ...]


class _Token(NamedTuple):
    """A piece of a marker: `word`, `string`, `operator`, `(` or `)`, and where it stands."""

    kind: str
    text: str
    start: int
    end: int


def scan_marker(text: str) -> tuple[list[_Token], str | None]:
    """Cut a marker into tokens; the second part says what stopped it, None at the end of the text."""
    tokens: list[_Token] = []
    position = 0
    while position < len(text):
        character = text[position]
        start = position
        if character in _BLANKS:
            position += 1
        elif character in "()":
            position += 1
            tokens.append(_Token(character, character, start, position))
        elif character in "'\"":
            end = text.find(character, start + 1)
            if end < 0:
                return tokens, "has a string without an end"
            position = end + 1
            tokens.append(_Token("string", text[start + 1 : end], start, position))
        elif character in _WORD:
            while position < len(text) and text[position] in _WORD:
                position += 1
            tokens.append(_Token("word", text[start:position], start, position))
        elif operator := next((one for one in _OPERATORS if text.startswith(one, start)), None):
            position += len(operator)
            tokens.append(_Token("operator", operator, start, position))
        else:
            return tokens, f"has a character that does not belong there: {printable(repr(character))}"
    return tokens, None


def parse_marker(text: str, tokens: Sequence[_Token]) -> Comparison | Group:
    """Return the tree of a marker.

    Args:
        text: the marker.
        tokens: from `scan_marker`, which reached the end.

    Raises:
        MarkerError: it is no marker, or nested more than 32 deep.
    """
    parser = _Parser(text, tokens)
    tree = parser.alternatives(0)
    if parser.position != len(tokens):
        raise parser.error()
    return tree


class _Parser:
    """Descends through the grammar; `position` is the next token."""

    def __init__(self, text: str, tokens: Sequence[_Token]) -> None:
        self._text = text
        self._tokens = tokens
        self.position = 0

    def alternatives(self, depth: int) -> Comparison | Group:
        return self._group("or", depth)

    def _group(self, kind: Literal["and", "or"], depth: int) -> Comparison | Group:
        members = [self._group("and", depth) if kind == "or" else self._member(depth)]
        while self._peek() == ("word", kind):
            self.position += 1
            members.append(self._group("and", depth) if kind == "or" else self._member(depth))
        return members[0] if len(members) == 1 else Group(kind, tuple(members))

    def _member(self, depth: int) -> Comparison | Group:
        if self._peek()[0] != "(":
            return self._comparison()
        if depth == _MAX_DEPTH:
            raise MarkerError(f"marker {_shown(self._text)} is nested more than {_MAX_DEPTH} deep")
        self.position += 1
        inside = self.alternatives(depth + 1)
        if self._peek()[0] != ")":
            raise self.error()
        self.position += 1
        return inside

    def _comparison(self) -> Comparison:
        start = self.position
        left = self._operand()
        operator = self._operator()
        right = self._operand()
        first, last = self._tokens[start], self._tokens[self.position - 1]
        return Comparison(left, operator, right, self._text[first.start : last.end])

    def _operand(self) -> Operand:
        kind, text = self._peek()
        if kind not in ("word", "string") or (kind == "word" and text in ("and", "or", "in", "not")):
            raise self.error()
        self.position += 1
        return Operand(text, kind == "string")

    def _operator(self) -> str:
        kind, text = self._peek()
        self.position += 1
        if kind == "operator" or (kind, text) == ("word", "in"):
            return text
        if (kind, text) == ("word", "not") and self._peek() == ("word", "in"):
            self.position += 1
            return "not in"
        self.position -= 1
        raise self.error()

    def _peek(self) -> tuple[str, str]:
        if self.position < len(self._tokens):
            token = self._tokens[self.position]
            return token.kind, token.text
        return "end", ""

    def error(self) -> MarkerError:
        kind, text = self._peek()
        where = "ends too early" if kind == "end" else f"cannot be read at {_shown(text)}"
        return MarkerError(f"marker {_shown(self._text)} {where}")


def _shown(text: str) -> str:
    return repr(printable(text, 100))
