"""Who may upload: whoever knows one secret token."""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from variant_index.errors import InputError, printable

__all__ = ["VARIABLE", "Token", "TokenError", "find_token"]

VARIABLE = "VARIANT_INDEX_UPLOAD_TOKEN"

_TOKEN = re.compile(r"[!-~]{16,1000}", re.ASCII)
_MAX_HEADER = 4096


class TokenError(InputError):
    """There is no token, or it would not keep anybody out."""


class Token:
    """The secret; it is in no message and in no representation."""

    def __init__(self, secret: str, source: str) -> None:
        """Take a secret.

        Args:
            secret: the token, at least 16 visible ASCII characters.
            source: where it comes from, for messages.

        Raises:
            TokenError: it is too short, or has other characters.
        """
        if not _TOKEN.fullmatch(secret):
            raise TokenError(
                f"{printable(source)}: a token is 16 to 1000 visible ASCII characters; "
                "make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
            )
        self._secret = secret.encode()

    def admits(self, authorization: str | None) -> bool | None:
        """Tell whether an Authorization header holds the token as its password; None for no such header.

        Any user name will do; `__token__` is what tools send.
        """
        scheme, _, text = (authorization or "")[:_MAX_HEADER].partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            decoded = base64.b64decode(text.strip(), validate=True)
        except (binascii.Error, ValueError):
            return None
        _, colon, password = decoded.partition(b":")
        return bool(colon) and hmac.compare_digest(password, self._secret)


def find_token(file: Path | None, environment: Mapping[str, str]) -> Token:
    """Return the token from a file, or else from the environment.

    Raises:
        TokenError: there is none, others may read the file, or the token is unfit.
    """
    if file is None:
        if not (secret := environment.get(VARIABLE)):
            raise TokenError(f"uploads need a token: give --token-file FILE, or set {VARIABLE}")
        return Token(secret, VARIABLE)
    try:
        with file.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
                raise TokenError(f"{printable(str(file))}: others may read it; chmod 600 it first")
            text = opened.read(4096).decode("ascii", "replace")
    except OSError as error:
        raise TokenError(f"{printable(str(file))}: {error.strerror}") from None
    return Token(text.strip(), str(file))
