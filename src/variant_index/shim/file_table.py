"""The files that the shim links to itself: an opaque id for each, so that no URL names a path."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from variant_index.shim.present import Chosen, Listed
from variant_index.shim.spliced import SplicedWheel
from variant_index.shim.verification import ChosenWheel

__all__ = ["FileTable", "Target"]

_MOST: Final = 100_000
"""Links that are kept, those that were listed last; a long run sees new ones without end."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a shim link leads.

    Attributes:
        filename: the name shown to clients, last in the link's path.
        url: the file upstream (`http`, `https` or `file`).
        chosen: the variant choice it stands for, None for an ordinary local file.
        wheel: what to compare before it is handed out, None for a file that no variants document chose.
        spliced: what becomes of it on its way, None for a file that stays as it is.
        listed_by: the page that names it.
    """

    filename: str
    url: str
    chosen: Chosen | None
    wheel: ChosenWheel | None = None
    spliced: SplicedWheel | None = None
    listed_by: str = ""


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
        self._lock = threading.Lock()
        self._targets: dict[str, Target] = {}

    def add(
        self, listed: Listed, wheel: ChosenWheel | None = None, spliced: SplicedWheel | None = None
    ) -> str:
        """Return the link to give to clients; its last part is the file's name."""
        file = listed.file
        target = Target(file.filename, file.url, listed.chosen, wheel, spliced, file.listed_by)
        what = f"{target.filename}\n{target.url}".encode()
        identity = hashlib.blake2b(what, digest_size=16, key=self._key).hexdigest()
        with self._lock:
            self._targets.pop(identity, None)  # so that what was listed last goes last
            self._targets[identity] = target
            if len(self._targets) > _MOST:
                del self._targets[next(iter(self._targets))]
        return f"{self._url}{identity}/{quote(target.filename, safe='')}"

    def chosen_in(self, text: str) -> list[Chosen]:
        """Return the choices whose links stand in a text, such as a report or a lock file; each once."""
        links = re.findall(re.escape(self._url) + "([0-9a-f]{32})/", text)
        targets = (self._targets.get(identity) for identity in dict.fromkeys(links))
        return [target.chosen for target in targets if target is not None and target.chosen is not None]

    def with_upstream_links(self, text: str) -> str:
        """Return a report or a lock file (JSON, TOML) in which links to the shim are those to the files.

        Links of wheels that got a new end on their way stay: no file upstream has their hash.
        """

        def upstream(link: re.Match[str]) -> str:
            target = self._targets.get(link[1])
            if target is None or target.spliced is not None:
                return link[0]
            return json.dumps(target.url)[1:-1]

        return re.sub(re.escape(self._url) + r"""([0-9a-f]{32})/[^"'#\s]*""", upstream, text)

    def names_in(self, text: str) -> bool:
        """Tell whether a text holds a link to the shim."""
        return self._url in text

    def offered(self) -> list[Chosen]:
        """Return every choice that was linked so far."""
        return [target.chosen for target in list(self._targets.values()) if target.chosen is not None]

    def find(self, identity: str) -> Target | None:
        """Return what an id stands for, None for an unknown one."""
        with self._lock:
            return self._targets.get(identity)
