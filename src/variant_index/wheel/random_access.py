"""Where the bytes of an archive are: what can be read at any place, without a position of its own."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Protocol

__all__ = ["LocalFile", "Memory", "RandomAccess"]

_HAS_PREAD = hasattr(os, "pread")


class RandomAccess(Protocol):
    """Bytes of a known number; `variant_index.upstream.remote_wheel` has those of a file on a server."""

    @property
    def size(self) -> int:
        """How many bytes there are."""
        ...

    def read_at(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset` on, fewer only where the bytes end.

        Raises:
            OSError: they cannot be read.
            VariantIndexError: what the source itself refuses.
        """
        ...

    def close(self) -> None:
        """Give back what reading needed."""
        ...


class LocalFile:
    """A file of this machine; safe to share between threads where the system has pread."""

    def __init__(self, path: Path) -> None:
        """Open a regular file.

        Raises:
            OSError: it cannot be opened, or is a folder, a pipe or a device.
        """
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for its writer
            raise OSError(0, "not a file")
        self._file = path.open("rb", buffering=0)
        self._descriptor = self._file.fileno()
        self.size = os.fstat(self._descriptor).st_size

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def read_at(self, offset: int, length: int) -> bytes:
        """See `RandomAccess`."""
        if _HAS_PREAD:
            data = os.pread(self._descriptor, length, offset)
            if len(data) == length:
                return data
        # No pread on Windows, and one call returns at most 2 GiB anywhere.
        self._file.seek(offset)
        parts = []
        while length and (part := self._file.read(length)):
            parts.append(part)
            length -= len(part)
        return b"".join(parts)

    def close(self) -> None:
        """Close it."""
        self._file.close()


class Memory:
    """Bytes that are there already."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def read_at(self, offset: int, length: int) -> bytes:
        """See `RandomAccess`."""
        return self._data[offset : offset + length]

    def close(self) -> None:
        """Forget them."""
        self._data = b""
