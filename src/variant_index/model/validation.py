"""What pydantic found wrong, as one printable line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from variant_index.errors import printable

if TYPE_CHECKING:
    from pydantic import ValidationError

__all__ = ["first_rule"]


def first_rule(error: ValidationError) -> str:
    """Return the place and the rule of the first problem, and how many more there are."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    first = problems[0]
    message = first["msg"].removeprefix("Value error, ")
    place = ".".join(printable(str(part), 60) for part in first["loc"])
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return printable(f"{place}: {message}" if place else message, 300) + more
