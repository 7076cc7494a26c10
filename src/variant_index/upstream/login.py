"""A user name and password for one index: taken out of its URL at once, so that nothing shows them."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

__all__ = ["Login", "Origin", "origin", "split_login"]

Origin = tuple[str, str, int]
"""Scheme, host and port: what a login belongs to (RFC 6454)."""

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Login:
    """What HTTP basic authentication needs (RFC 7617); its `repr` shows neither part.

    Attributes:
        user: the user's name; some services take a token in its place.
        password: None when only the name is known.
    """

    user: str = field(repr=False)
    password: str | None = field(default=None, repr=False)

    def header(self) -> str:
        """Return the value of an `Authorization` header."""
        pair = f"{self.user}:{self.password or ''}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"


def split_login(url: str) -> tuple[str, Login | None]:
    """Return a URL without the user name and password, and these.

    Raises:
        ValueError: it is not a URL.
    """
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url, None
    login = None
    if parts.username is not None and (parts.username or parts.password):
        login = Login(unquote(parts.username), None if parts.password is None else unquote(parts.password))
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl(), login


def origin(url: str) -> Origin | None:
    """Return the origin of an http or https URL, None for any other."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port or _PORTS[parts.scheme]
