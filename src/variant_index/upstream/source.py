"""Where packages come from: indexes and find-links locations, as the user named them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from variant_index.errors import InputError, printable

__all__ = ["Source", "SourceError"]


class SourceError(InputError):
    """A source is not an address that can be read."""


@dataclass(frozen=True, slots=True)
class Source:
    """One place to look for a project.

    Attributes:
        url: for an index an `http`, `https` or `file` URL (its project pages are `{url}/{name}/`); for
            find-links a folder, or the `file`, `http` or `https` URL of a page of links.
        kind: `index` (PEP 503, 691) or `find-links` (pip's `--find-links`).

    Raises:
        SourceError: the URL has another scheme, has no host, or carries a user name or password.
    """

    url: str
    kind: Literal["index", "find-links"] = "index"

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            user, host, _ = parts.username, parts.hostname, parts.port
        except ValueError:
            raise SourceError(f"{printable(self.url)!r} is not a URL") from None
        if user is not None:
            shown = printable(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}")
            raise SourceError(f"{shown}: indexes that need a user name and password are not supported yet")
        if parts.scheme in ("http", "https"):
            if not host:
                raise SourceError(f"{printable(self.url)!r} names no host")
        elif parts.scheme == "file":
            if host not in (None, "", "localhost"):
                raise SourceError(f"{printable(self.url)!r}: a file URL cannot name another host")
        elif self.kind == "index":
            raise SourceError(f"{printable(self.url)!r}: an index is named by an http, https or file URL")

    @classmethod
    def find_links(cls, location: str) -> Source:
        """Return a find-links source; a folder's name is made absolute."""
        if "://" not in location:
            location = str(Path(location).expanduser().absolute())
        return cls(location, "find-links")

    def project_url(self, name: str) -> str:
        """Return the address of a project's page in an index; `name` is in normal form."""
        return f"{self.url.rstrip('/')}/{name}/"
