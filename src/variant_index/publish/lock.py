"""One process at a time writes to a folder."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from variant_index.errors import printable
from variant_index.publish.store import StoreError

try:
    import fcntl
except ModuleNotFoundError:  # Windows: two processes at once are not noticed there
    fcntl = None  # type: ignore[assignment]

__all__ = ["FolderBusyError", "lock_folder"]


class FolderBusyError(StoreError):
    """Another process is writing to the folder."""


@contextlib.contextmanager
def lock_folder(folder: Path, what: str) -> Iterator[None]:
    """Keep others out of a folder, which is made when missing, while the block runs.

    The lock is on the folder itself and ends with the process, so nothing can go stale.

    Args:
        folder: the folder.
        what: what another process may be doing there, for the message: `another build`.

    Raises:
        FolderBusyError: another process is writing there.
        OSError: the folder cannot be made or opened.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FolderBusyError(
                f"{printable(str(folder))}: {what} is writing there; run again when it has ended"
            ) from None
        yield
    finally:
        os.close(descriptor)
