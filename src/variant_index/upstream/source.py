"""Where packages come from: indexes and find-links locations, as the user named them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from variant_index.errors import InputError, printable
from variant_index.upstream.login import Login, split_login

__all__ = ["Source", "SourceError"]


class SourceError(InputError):
    """A source is not an address that can be read."""


@dataclass(frozen=True, slots=True)
class Source:
    """One place to look for a project.

    Attributes:
        url: for an index an `http`, `https` or `file` URL (its project pages are `{url}/{name}/`); for
            find-links a folder, or the `file`, `http` or `https` URL of a page of links. It may be given with
            a user name and password, which it does not keep: what shows a source shows no secret.
        kind: `index` (PEP 503, 691) or `find-links` (pip's `--find-links`).
        login: the user name and password that were in the URL.

    Raises:
        SourceError: the URL has another scheme or has no host.
    """

    url: str
    kind: Literal["index", "find-links"] = "index"
    login: Login | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if "://" in self.url:
            try:
                url, login = split_login(self.url)
            except ValueError:
                # What is no URL may still hold a password, so it is not shown whole.
                raise SourceError(f"{_shown(self.url)!r} is not a URL") from None
            object.__setattr__(self, "url", url)
            object.__setattr__(self, "login", login)
        try:
            parts = urlsplit(self.url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise SourceError(f"{_shown(self.url)!r} is not a URL") from None
        if parts.scheme in ("http", "https"):
            if not host:
                raise SourceError(f"{_shown(self.url)!r} names no host")
        elif parts.scheme == "file":
            if host not in (None, "", "localhost"):
                raise SourceError(f"{_shown(self.url)!r}: a file URL cannot name another host")
        elif self.kind == "index":
            raise SourceError(f"{_shown(self.url)!r}: an index is named by an http, https or file URL")

    @classmethod
    def index(cls, location: str) -> Source:
        """Return an index; it may be named by its folder, as pip allows."""
        folder = "://" not in location and Path(location).is_dir()
        return cls(Path(location).absolute().as_uri() if folder else location)

    @classmethod
    def find_links(cls, location: str) -> Source:
        """Return a find-links source; a folder's name is made absolute."""
        if "://" not in location:
            location = str(Path(location).expanduser().absolute())
        return cls(location, "find-links")

    def project_url(self, name: str) -> str:
        """Return the address of a project's page in an index; `name` is in normal form."""
        return f"{self.url.rstrip('/')}/{name}/"


def _shown(url: str) -> str:
    # What is no URL may still hold a password.
    return printable(url.rpartition("@")[2])
