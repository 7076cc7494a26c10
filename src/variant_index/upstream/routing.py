"""Which indexes may answer for a project: by default the first that has it; rules of the user's besides.

A rule is read from one setting by one function, so that a command line, variables and a file can feed it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from variant_index.errors import printable
from variant_index.upstream.source import Source, SourceError

__all__ = ["NamePattern", "Route", "Routing", "parse_merge", "parse_route", "read_routing"]

_PATTERN: Final = re.compile(r"[a-z0-9-]*\*?[a-z0-9-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class NamePattern:
    """Project names: one, or those that begin and end in a certain way around one `*`.

    Attributes:
        text: in the normal form of names (PEP 503), but for the `*`.

    Raises:
        SourceError: it is no name with at most one `*`.
    """

    text: str

    def __post_init__(self) -> None:
        normal = re.sub(r"[-_.]+", "-", self.text.strip()).lower()
        if not normal or not _PATTERN.fullmatch(normal):
            raise SourceError(f"{printable(self.text)!r} is not a project's name with at most one *")
        object.__setattr__(self, "text", normal)

    def matches(self, name: str) -> bool:
        """Tell whether a name in normal form is meant."""
        start, star, end = self.text.partition("*")
        if not star:
            return name == start
        return len(name) >= len(start) + len(end) and name.startswith(start) and name.endswith(end)


@dataclass(frozen=True, slots=True)
class Route:
    """Projects that come from one index and from nowhere else."""

    pattern: NamePattern
    source: Source


@dataclass(frozen=True, slots=True)
class Routing:
    """The user's rules.

    Attributes:
        routes: the first whose pattern matches decides.
        merged: projects whose files are taken from all indexes together, as pip does it. Whoever can add a
            project to one of the indexes can then replace it, so nothing is merged unless it is asked for.
    """

    routes: tuple[Route, ...] = ()
    merged: tuple[NamePattern, ...] = ()

    @property
    def sources(self) -> tuple[Source, ...]:
        """The indexes that routes name."""
        return tuple(route.source for route in self.routes)

    def source(self, name: str) -> Source | None:
        """Return the only source of a project, None when no route says so."""
        route = self.route(name)
        return None if route is None else route.source

    def route(self, name: str) -> Route | None:
        """Return the route that decides for a project, None when none matches."""
        return next((route for route in self.routes if route.pattern.matches(name)), None)

    def merges(self, name: str) -> bool:
        """Tell whether all indexes answer for a project."""
        return any(pattern.matches(name) for pattern in self.merged)


def parse_route(text: str) -> Route:
    """Read `PATTERN=URL`; the URL may be a folder with a static index.

    Raises:
        SourceError: it is not of that form.
    """
    pattern, equals, url = text.strip().partition("=")
    if not equals or not url:
        shown = printable(text.rpartition("@")[2])
        raise SourceError(
            f"route {shown!r}: it is written PATTERN=URL, as torch*=https://index.example/simple"
        )
    if "://" not in url:
        url = Path(url).expanduser().absolute().as_uri()
    return Route(NamePattern(pattern), Source(url))


def parse_merge(text: str) -> tuple[NamePattern, ...]:
    """Read name patterns separated by commas or blanks.

    Raises:
        SourceError: one of them is no pattern.
    """
    return tuple(NamePattern(part) for part in text.replace(",", " ").split())


def read_routing(routes: Iterable[str] = (), merge: Iterable[str] = ()) -> Routing:
    """Return the rules in effect.

    Args:
        routes: `PATTERN=URL` each, what comes first before the others.
        merge: name patterns, one or more each.

    Raises:
        SourceError: a rule cannot be understood.
    """
    merged = (pattern for text in merge for pattern in parse_merge(text))
    return Routing(tuple(map(parse_route, routes)), tuple(merged))
