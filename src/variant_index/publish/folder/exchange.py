"""Two system calls that Python lacks: exchange two paths in one step, and flush one file system."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from functools import lru_cache
from pathlib import Path

__all__ = ["exchange", "flush", "flush_folders"]

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_RENAME_SWAP = 2  # macOS

# What a system or file system answers that cannot do it.
_UNSUPPORTED = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM})


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(None, use_errno=True)
    except (OSError, TypeError):  # Windows
        return None


def exchange(first: Path, second: Path) -> bool:
    """Exchange two folders in one step: whoever opens a path below them meets one state or the other.

    Returns:
        Whether it was done; False where the system or the file system has no such call.

    Raises:
        OSError: it has, and the call failed.
    """
    library = _library()
    if library is None:
        return False
    ours, theirs = os.fsencode(first), os.fsencode(second)
    if sys.platform == "darwin" and hasattr(library, "renamex_np"):
        failed = library.renamex_np(ours, theirs, _RENAME_SWAP)
    elif sys.platform == "linux" and hasattr(library, "renameat2"):
        failed = library.renameat2(_AT_FDCWD, ours, _AT_FDCWD, theirs, _RENAME_EXCHANGE)
    else:
        return False
    if not failed:
        return True
    number = ctypes.get_errno()
    if number in _UNSUPPORTED:
        return False
    raise OSError(number, os.strerror(number), str(second))


def flush(folder: Path) -> None:
    """Have everything that was written to a folder's file system reach the disk.

    Raises:
        OSError: the disk is full or broken; what was written is not safe.
    """
    library = _library()
    if library is not None and sys.platform == "linux" and hasattr(library, "syncfs"):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            if library.syncfs(descriptor):
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number), str(folder))
        finally:
            os.close(descriptor)
    elif hasattr(os, "sync"):
        os.sync()


def flush_folders(*folders: Path) -> None:
    """Have what was renamed in folders reach the disk, as far as the system can do that for a folder.

    Raises:
        OSError: the disk is broken; the names are not safe.
    """
    if os.name == "nt":  # a folder cannot be opened there
        return
    for folder in folders:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
            flush(folder)
        finally:
            os.close(descriptor)
