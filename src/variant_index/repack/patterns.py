"""Patterns that take names apart, such as `cu{cuda}torch{torch}`, and texts filled in from them; pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from variant_index.errors import InputError, printable
from variant_index.torch_index.backends import parse_backend

__all__ = [
    "BACKEND_PROPERTIES",
    "Fields",
    "Pattern",
    "PatternError",
    "fields_of",
    "fill_in",
    "first_match",
    "parse_pattern",
]

Fields = Mapping[str, str]
"""What a pattern found: `cuda` -> `126`, `cuda.version` -> `12.6` and so on."""

BACKEND_PROPERTIES = "{backend.properties}"
"""Stands for all properties that a build for a backend of PyTorch's index needs."""

_FIELD = re.compile(r"\{([^{}]*)\}")
_MAX_LENGTH = 200
_MAX_STARS = 2  # what they cost grows with the length of a name to this power


class PatternError(InputError):
    """A pattern or text names a field that does not exist here, or has too much in it."""


def _backend(text: str) -> Fields | None:
    backend = parse_backend(text)
    return None if backend is None else {"": text, "label": backend.label}


def _cuda(text: str) -> Fields | None:
    # 12 is a major version alone; 118, 126 and 130 have one digit of the minor version.
    major, _, minor = text.partition(".")
    return _numbers(text, *((major, minor) if minor else (text[:2], text[2:])))


def _rocm(text: str) -> Fields | None:
    major, *rest = re.split(r"[.-]", text)
    return _numbers(text, *((major, rest[0]) if rest else (text[:1], text[1:])))


def _torch(text: str) -> Fields | None:
    major, dot, rest = text.partition(".")
    if not dot:
        # 212 is 2.12, 20 is 2.0 and 1110 is 1.11.0, for 1.x ended with 1.13.
        major, rest = text[:1], text[1:]
        if major == "1" and len(rest) > 1 and int(rest) > 13:
            rest = f"{rest[:-1]}.{rest[-1]}"
    minor = rest.partition(".")[0]
    return _numbers(f"{major}.{rest}" if rest else major, major, minor)


def _numbers(text: str, major: str, minor: str) -> Fields:
    major, minor = str(int(major)), str(int(minor or "0"))
    return {"": text, "major": major, "minor": minor, "version": f"{major}.{minor}"}


def _plain(text: str) -> Fields | None:
    return {"": text}


_VERSION_PARTS = ("", "major", "minor", "version")
_KINDS: dict[str, tuple[str, Callable[[str], Fields | None], tuple[str, ...]]] = {
    "backend": (
        r"cpu|xpu|cu[0-9]{2,3}|rocm[0-9]{1,2}\.[0-9]{1,2}(?:\.[0-9]{1,2})?",
        _backend,
        ("", "label", "properties"),
    ),
    "cuda": (r"[0-9]{1,2}\.[0-9]{1,2}|[0-9]{2,3}", _cuda, _VERSION_PARTS),
    "rocm": (r"[0-9]{1,2}(?:[.-][0-9]{1,2}){1,2}|[0-9]{1,3}", _rocm, _VERSION_PARTS),
    "torch": (r"[0-9]{1,2}(?:\.[0-9]{1,2}){1,2}|[0-9]{1,4}", _torch, _VERSION_PARTS),
    "abi": (r"true|false", _plain, ("",)),
    "commit": (r"[0-9a-f]{7,40}", _plain, ("",)),
}


@dataclass(frozen=True)
class Pattern:
    """A pattern; `*` stands for anything and `{field}` for what the field's kind allows.

    Attributes:
        text: the pattern as written.
        fields: every field it finds, parts included: `cuda`, `cuda.major`, ...
    """

    text: str
    fields: frozenset[str]
    _expression: re.Pattern[str]

    def match(self, text: str) -> Fields | None:
        """Return the fields when the whole of `text` fits, letter case aside; None when it does not."""
        found = self._expression.fullmatch(text.lower())
        if found is None:
            return None
        fields: dict[str, str] = {}
        for kind, value in found.groupdict().items():
            read = _KINDS[kind][1](value)
            if read is None:
                return None
            fields.update({f"{kind}.{part}" if part else kind: text for part, text in read.items()})
        return fields


def parse_pattern(text: str) -> Pattern:
    """Read a pattern.

    Raises:
        PatternError: it has an unknown field, one twice, or too many `*`.
    """
    shown = printable(text)
    if len(text) > _MAX_LENGTH or text.count("*") > _MAX_STARS:
        raise PatternError(
            f"pattern '{shown}' has more than {_MAX_STARS} '*' or {_MAX_LENGTH} characters: make it simpler"
        )
    expression, kinds, end = "", [], 0
    for found in _FIELD.finditer(text):
        kind = found[1]
        if kind not in _KINDS:
            raise PatternError(
                f"pattern '{shown}': there is no field {{{printable(kind)}}}; there are {', '.join(_KINDS)}"
            )
        if kind in kinds:
            raise PatternError(f"pattern '{shown}' has {{{kind}}} twice")
        kinds.append(kind)
        expression += _literal(text[end : found.start()]) + f"(?P<{kind}>{_KINDS[kind][0]})"
        end = found.end()
    expression += _literal(text[end:])
    fields = frozenset(f"{kind}.{part}" if part else kind for kind in kinds for part in _KINDS[kind][2])
    return Pattern(text, fields, re.compile(expression, re.ASCII | re.DOTALL))


def _literal(text: str) -> str:
    if "{" in text or "}" in text:
        raise PatternError(f"'{printable(text)}' has a brace without its other half")
    return ".*".join(re.escape(part) for part in text.lower().split("*"))


def fields_of(text: str) -> frozenset[str]:
    """Return the fields that a text asks for."""
    return frozenset(_FIELD.findall(text))


def fill_in(text: str, fields: Fields) -> str:
    """Return the text with `{field}` replaced.

    Raises:
        PatternError: a field is not there.
    """
    missing = fields_of(text) - fields.keys()
    if missing:
        raise PatternError(
            f"'{printable(text)}' uses {{{printable(min(missing))}}}, which no pattern of its rule finds"
        )
    return _FIELD.sub(lambda found: fields[found[1]], text)


def first_match(patterns: Iterable[Pattern], text: str) -> Fields | None:
    """Return the fields of the first pattern that fits, None when none does."""
    return next((found for pattern in patterns if (found := pattern.match(text)) is not None), None)
