"""Files that no page names any more: they stay for a while, because readers of the old pages may come."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from variant_index.publish.release import release_of

__all__ = ["DroppedFiles", "Listed"]

Listed = Callable[[str], frozenset[str]]
"""Returns all paths that a project's page names; none for a project without a page."""

_CREATED = ".created"
_DROPPED = ".dropped"


class DroppedFiles:
    """The notes of an index's folder about files that may have to go."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._created = out / _CREATED
        self._dropped = out / _DROPPED
        self._descriptor: int | None = None

    def creating(self, path: str) -> None:
        """Note that a file is about to be made which no page names yet."""
        if self._descriptor is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            self._descriptor = os.open(self._created, flags, 0o666)
        os.write(self._descriptor, f"{path}\n".encode())

    def listed(self) -> None:
        """Forget what was created: pages name it now."""
        self._close()
        self._created.unlink(missing_ok=True)

    def undo(self, listed: Listed) -> None:
        """Remove what was created and is not listed: the disk may be full."""
        self._close()
        self._remove(_lines(self._created), listed)
        self._created.unlink(missing_ok=True)

    def recover(self, now: int) -> None:
        """Treat what a killed run created as dropped now; the next run may still find use for it."""
        if left := _lines(self._created):
            self.drop(left, now)
        self._created.unlink(missing_ok=True)

    def drop(self, paths: Iterable[str], now: int) -> None:
        """Note files that no page will name from now on (seconds since 1970)."""
        self._write([*self._read(), *((now, path) for path in paths)])

    def sweep(self, before: int, listed: Listed) -> None:
        """Remove what was dropped before a time and is not listed again; what fails is done next time."""
        noted = self._read()
        due = {path for since, path in noted if since <= before}
        if due:
            self._remove(sorted(due), listed)
            left = {path for path in due if (self._out / path).exists()}
            listed_again = {path for path in left if path in listed(_project(path))}
            stay = left - listed_again
            with contextlib.suppress(OSError):
                self._write([(since, path) for since, path in noted if since > before or path in stay])

    def _remove(self, paths: Iterable[str], listed: Listed) -> None:
        known: dict[str, frozenset[str]] = {}
        for path in paths:
            name = _project(path)
            if name not in known:
                known[name] = listed(name)
            if path in known[name]:
                continue
            place = self._out / path
            with contextlib.suppress(OSError):
                place.unlink()
            for folder in list(place.parents)[:3]:  # files/XX/DIGEST
                with contextlib.suppress(OSError):
                    folder.rmdir()

    def _read(self) -> list[tuple[int, str]]:
        noted = []
        for line in _lines(self._dropped):
            since, _, path = line.partition(" ")
            if since.isdigit() and path.startswith("files/") and ".." not in path.split("/"):
                noted.append((int(since), path))
        return noted

    def _write(self, noted: Iterable[tuple[int, str]]) -> None:
        text = "".join(f"{since} {path}\n" for since, path in noted)
        if not text:
            self._dropped.unlink(missing_ok=True)
            return
        part = self._dropped.with_name(".part-dropped")
        part.write_text(text, encoding="utf-8")
        part.replace(self._dropped)

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _project(path: str) -> str:
    key = release_of(path.rpartition("/")[2].removesuffix(".metadata"))
    return key[0] if key is not None else ""


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
