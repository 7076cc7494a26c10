"""A project page as its index sent it, before anyone has read it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["RawPage"]


@dataclass(frozen=True, slots=True)
class RawPage:
    """The bytes of a page.

    Attributes:
        url: where it came from, after redirects; relative links start there.
        content_type: as the server sent it.
        body: the page.
    """

    url: str
    content_type: str
    body: bytes
