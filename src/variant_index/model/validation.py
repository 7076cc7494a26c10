"""What pydantic found wrong, as one printable line in plain words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, get_args, get_origin

from pydantic import BaseModel

from variant_index.errors import printable

if TYPE_CHECKING:
    from pydantic import ValidationError

__all__ = ["first_rule"]

_TABLE: Final = "must be a table of keys and values"
_LIST: Final = "must be a list"

_WORDS: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "extra_forbidden": "is not a known key",
    "model_type": _TABLE,
    "model_attributes_type": _TABLE,
    "dict_type": _TABLE,
    "list_type": _LIST,
    "tuple_type": _LIST,
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
}
"""Type of a pydantic error -> what it means."""

_FORMS: Final[Mapping[str, str]] = {
    "^[!-~ ]+$": "must be printable ASCII text",
    "^[A-Za-z0-9_.]+( *: *[A-Za-z0-9_.]+)?$": "must be of the form module:attribute",
}
"""Pattern -> what it means."""

_CHARACTERS: Final = re.compile(r"\^\[([^\]]+)\]\+\$")


def first_rule(error: ValidationError, model: type[BaseModel] | None = None) -> str:
    """Return the place and the rule of the first problem, and how many more there are.

    Args:
        error: what pydantic found.
        model: what was validated, to name the keys that are known where one is not.
    """
    problems = error.errors(include_url=False, include_input=False)
    first = problems[0]
    if first["type"] == "missing":
        # Mostly a key that is spelled wrongly.
        first = next((problem for problem in problems if problem["type"] == "extra_forbidden"), first)
    location = list(first["loc"])
    message = _words(first["type"], first["msg"], first.get("ctx", {}))
    if first["type"] == "extra_forbidden" and model is not None:
        message += f" (known are {', '.join(_known_keys(model, location[:-1]))})"
    if location and location[-1] == "[key]":
        location.pop()
        message = f"this name {message}"
    place = ""
    for part in location:
        shown = printable(str(part), 60) or "''"
        place += f"[{shown}]" if isinstance(part, int) else f".{shown}" if place else shown
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return printable(f"{place}: {message}" if place else message, 300) + more


def _words(kind: str, message: str, context: Mapping[str, Any]) -> str:
    if kind == "json_invalid":
        return f"not JSON: {context.get('error', message)}"
    if kind in ("too_short", "string_too_short") and context.get("min_length") == 1:
        return "must not be empty"
    if kind == "string_pattern_mismatch":
        pattern = str(context.get("pattern"))
        if pattern in _FORMS:
            return _FORMS[pattern]
        characters = _CHARACTERS.fullmatch(pattern)
        return f"may hold only the characters {characters[1]}" if characters else f"must match {pattern}"
    if kind == "literal_error":
        return f"must be {context.get('expected')}"
    return _WORDS.get(kind) or message.removeprefix("Value error, ").replace("Input should", "must")


def _known_keys(model: type[BaseModel], location: list[int | str]) -> list[str]:
    """Return the keys of the model at a place inside another one."""
    found: Any = model
    for part in location:
        if isinstance(found, type) and issubclass(found, BaseModel):
            fields = {field.alias or name: field for name, field in found.model_fields.items()}
            found = fields[str(part)].annotation if str(part) in fields else None
        else:
            found = _inner(found)
        found = _without_none(found)
    if not (isinstance(found, type) and issubclass(found, BaseModel)):
        return ["none"]
    return [field.alias or name for name, field in found.model_fields.items()]


def _inner(annotation: Any) -> Any:
    """Return what a dictionary or list holds."""
    arguments = get_args(annotation)
    return arguments[-1 if get_origin(annotation) is dict else 0] if arguments else None


def _without_none(annotation: Any) -> Any:
    options = [option for option in get_args(annotation) if option is not type(None)]
    return options[0] if len(options) < len(get_args(annotation)) else annotation
