"""Small reads below a root folder, for sources that are files of the kernel or of a driver."""

from __future__ import annotations

import os

__all__ = ["below", "exists", "read_text"]

_LIMIT = 64 * 1024


def below(root: str, path: str) -> str:
    """Return an absolute path moved below `root`."""
    return os.path.join(root, path.lstrip("/"))  # noqa: PTH118 - importing pathlib costs more than all else here


def exists(root: str, path: str) -> bool:
    """Whether `path`, taken below `root`, is there."""
    return os.access(below(root, path), os.F_OK)


def read_text(root: str, path: str) -> str | None:
    """Return the first 64 KiB of a file as text; None when it is not there or may not be read."""
    try:
        # Not blocking, so that a FIFO in the place of a file cannot hang us.
        descriptor = os.open(below(root, path), os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        try:
            return os.read(descriptor, _LIMIT).decode("utf-8", "replace")
        finally:
            os.close(descriptor)
    except OSError:
        return None
