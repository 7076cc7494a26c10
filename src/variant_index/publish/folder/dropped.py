"""Files that no page names any more: they stay for a while, because readers of the old pages may come."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from variant_index.publish.folder.staging import write

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
        self._folder = ""

    def creating(self, path: str) -> None:
        """Note that a file is about to be made which no page names yet; its folder is what is noted."""
        folder = path.rpartition("/")[0]
        if folder == self._folder:
            return
        if self._descriptor is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            self._descriptor = os.open(self._created, flags, 0o666)
        write(self._descriptor, f"{folder}\n".encode(), self._created)
        self._folder = folder

    def listed(self) -> None:
        """Forget what was created: pages name it now."""
        self._close()
        self._created.unlink(missing_ok=True)

    def undo(self, listed: Listed) -> None:
        """Remove what was created and is not listed: the disk may be full."""
        self._close()
        with contextlib.suppress(OSError):
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
        due = sorted({path for since, path in noted if since <= before})
        if due:
            failed = self._remove(due, listed)
            with contextlib.suppress(OSError):
                self._write([(since, path) for since, path in noted if since > before or path in failed])

    def _remove(self, paths: Iterable[str], listed: Listed) -> set[str]:
        """Remove files, and those in folders, that are not listed; return the paths that resisted."""
        known: dict[str, frozenset[str]] = {}
        failed = set()
        for path in paths:
            name = _project(path)
            if name not in known:
                known[name] = listed(name)
            place = self._out / path
            folder = place if place.is_dir() else place.parent
            for file in list(folder.iterdir()) if folder == place else [place]:
                if file.relative_to(self._out).as_posix() not in known[name]:
                    try:
                        file.unlink(missing_ok=True)
                    except OSError:
                        failed.add(path)
            for empty in (folder, folder.parent, folder.parent.parent):  # files/PROJECT/BATCH
                with contextlib.suppress(OSError):
                    empty.rmdir()
        return failed

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
        with part.open("wb", buffering=0) as file:
            write(file.fileno(), text.encode(), self._dropped)
        part.replace(self._dropped)

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
            self._folder = ""


def _project(path: str) -> str:
    """Return the project that a path belongs to: `files/PROJECT/...`."""
    parts = path.split("/")
    return parts[1] if len(parts) > 2 else ""


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
