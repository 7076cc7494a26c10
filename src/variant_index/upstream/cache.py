"""A cache on disk for what indexes sent: checked on reading, written in one step, limited in size."""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["DEFAULT_LIMIT", "DiskCache"]

DEFAULT_LIMIT: Final = 256 << 20
"""Bytes that all entries together may take."""

_DIGEST_SIZE: Final = 32
_LARGEST_SHARE: Final = 4


class DiskCache:
    """Byte strings by key; safe to share between threads and processes.

    A cache must never be the reason that something fails: an entry that is damaged, was not written
    completely, or belongs to another key counts as missing, and a folder that cannot be written holds
    nothing.
    """

    def __init__(self, folder: Path, limit: int = DEFAULT_LIMIT) -> None:
        """Use a folder, which is made when the first entry is stored.

        Args:
            folder: holds the entries and nothing else.
            limit: bytes that all entries together may take; the least recently used ones go first.
        """
        self._folder = folder
        self._limit = limit
        self._trimmed = False

    @classmethod
    def of_user(cls) -> DiskCache:
        """Return the cache in the user's cache folder."""
        from platformdirs import user_cache_path

        return cls(user_cache_path("variant-index", appauthor=False) / "pages-v1")

    def get(self, key: str) -> bytes | None:
        """Return what was stored under a key, None when there is nothing sound."""
        path = self._path(key)
        try:
            with path.open("rb") as file:
                digest = file.read(_DIGEST_SIZE)
                data = file.read(self._limit + 1)
            if len(data) > self._limit or digest != _digest(key, data):
                return None
            os.utime(path)  # the time of the last use decides what is dropped
        except OSError:
            return None
        return data

    def put(self, key: str, data: bytes) -> None:
        """Store data under a key; data too large for the cache is not stored."""
        if len(data) > self._limit // _LARGEST_SHARE:
            return
        with suppress(OSError):
            # Which projects someone asks for is nobody else's business.
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self._trimmed:
                self._trimmed = True
                self._trim()
            self._write(self._path(key), _digest(key, data) + data)

    def _path(self, key: str) -> Path:
        return self._folder / hashlib.sha256(key.encode()).hexdigest()

    def _write(self, path: Path, content: bytes) -> None:
        descriptor, temporary = tempfile.mkstemp(dir=self._folder, prefix="new-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            Path(temporary).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(temporary).unlink()
            raise

    def _trim(self) -> None:
        """Drop the least recently used entries until three quarters of the limit are left."""
        entries = []
        for entry in os.scandir(self._folder):
            with suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                entries.append((status.st_mtime, status.st_size, entry.path))
        total = sum(size for _, size, _ in entries)
        if total <= self._limit:
            return
        for _, size, path in sorted(entries):
            with suppress(OSError):
                Path(path).unlink()
                total -= size
            if total <= self._limit * 3 // 4:
                return


def _digest(key: str, data: bytes) -> bytes:
    return hashlib.sha256(b"%s\0%s" % (hashlib.sha256(key.encode()).digest(), data)).digest()
