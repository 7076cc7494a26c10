"""The files that the shim links to itself: an opaque id for each, so that no URL names a path."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from urllib.parse import quote

from variant_index.shim.present import Chosen, Listed

__all__ = ["FileTable", "Target"]


@dataclass(frozen=True, slots=True)
class Target:
    """Where a shim link leads.

    Attributes:
        filename: the name shown to clients, last in the link's path.
        url: the file upstream (`http`, `https` or `file`).
        chosen: the variant choice it stands for, None for an ordinary local file.
    """

    filename: str
    url: str
    chosen: Chosen | None


class FileTable:
    """Ids and what they stand for; the same file always has the same id. Safe to share between threads."""

    def __init__(self, url: str, key: bytes) -> None:
        """Start empty.

        Args:
            url: where the table is served; ends in `/`.
            key: at most 64 bytes that make the ids unguessable.
        """
        self._url = url
        self._key = key
        self._targets: dict[str, Target] = {}

    def add(self, listed: Listed) -> str:
        """Return the link to give to clients; its last part is the file's name."""
        target = Target(listed.file.filename, listed.file.url, listed.chosen)
        what = f"{target.filename}\n{target.url}".encode()
        identity = hashlib.blake2b(what, digest_size=16, key=self._key).hexdigest()
        self._targets[identity] = target
        return f"{self._url}{identity}/{quote(target.filename, safe='')}"

    def find(self, identity: str) -> Target | None:
        """Return what an id stands for, None for an unknown one."""
        return self._targets.get(identity)
