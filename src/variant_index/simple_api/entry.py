"""The values of one file on a project page, checked alike in every form of page."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final, TypeGuard

__all__ = [
    "DIGEST_LENGTHS",
    "EntryError",
    "checked_name",
    "checked_requires_python",
    "checked_text",
    "is_digest",
    "is_upload_time",
    "provenance_address",
]

DIGEST_LENGTHS: Final = {"md5": 32, "sha1": 40, "sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128}
"""Hexadecimal digits of the hash algorithms that installers know."""

_MAX_REQUIRES_PYTHON: Final = 1000  # Python refuses to read numbers of more than 4300 digits

_BAD_NAME: Final = re.compile(r"[\x00-\x1f\x7f/\\]")
# Half a character: JSON can spell it (`\ud800`), nothing can write it.
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_ALGORITHM: Final = re.compile(r"[a-z0-9_\-]{1,20}", re.ASCII)
_HEX: Final = re.compile(r"[0-9A-Fa-f]{8,256}", re.ASCII)
_FULL_ADDRESS: Final = re.compile(r"https://[A-Za-z0-9\-._~:/?@!$&'()*+,;=%]{1,2000}", re.ASCII)
# PEP 700; what `datetime` says of the numbers counts too.
_UPLOAD_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+\-](?:[01]\d|2[0-3]):[0-5]\d)?", re.ASCII
)


class EntryError(Exception):
    """One entry cannot be used; the message says which rule it breaks."""


def checked_name(name: object) -> str:
    """Return a file's name; raises EntryError where it is none."""
    if not isinstance(name, str) or not name or name in (".", "..") or _BAD_NAME.search(name):
        raise EntryError("its name is missing or is not a file name")
    return checked_text(name, "name")


def checked_text(text: str, what: str) -> str:
    """Return a text; raises EntryError where it holds half characters."""
    if not text.isascii() and _SURROGATE.search(text) is not None:
        raise EntryError(f"its {what} is not Unicode text")
    return text


def checked_requires_python(text: str | None) -> str | None:
    """Return a `Requires-Python`, None for an empty one; raises EntryError where it is too long to read."""
    if text is not None and len(text) > _MAX_REQUIRES_PYTHON:
        raise EntryError(f"its requires-python has more than {_MAX_REQUIRES_PYTHON} characters")
    return checked_text(text, "requires-python") if text else None


def is_upload_time(value: object) -> TypeGuard[str]:
    """Tell whether installers can read a file's `upload-time` (PEP 700)."""
    if not isinstance(value, str) or _UPLOAD_TIME.fullmatch(value) is None:
        return False
    try:
        datetime.fromisoformat(value[:19])  # all of it only from Python 3.11 on
    except ValueError:
        return False
    return True


def is_digest(algorithm: str, digest: object) -> bool:
    """Tell whether a value is a hexadecimal digest, of the right length where the algorithm is known."""
    return (
        isinstance(digest, str)
        and _ALGORITHM.fullmatch(algorithm) is not None
        and _HEX.fullmatch(digest) is not None
        and DIGEST_LENGTHS.get(algorithm, len(digest)) == len(digest)
    )


def provenance_address(value: object) -> str | None:
    """Return the address of a provenance object; only a full one with https counts (PEP 740)."""
    return value if isinstance(value, str) and _FULL_ADDRESS.fullmatch(value) else None
