"""The secret of a shim that runs for long: in a file that only its owner reads, the same after restarts."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import tempfile
from pathlib import Path
from typing import Final

from variant_index.errors import InputError, printable
from variant_index.shim.endpoint import new_token

__all__ = ["TokenFileError", "kept_token"]

_TOKEN: Final = re.compile(rb"([A-Za-z0-9_\-]{32,128})\r?\n?")
_MOST_BYTES: Final = 200


class TokenFileError(InputError):
    """The file cannot hold a secret: others can read it, or it holds something else."""


def kept_token(path: Path) -> str:
    """Return the secret that a file holds; a new one is written when the file is missing.

    Two processes that start at once get the same one.

    Raises:
        TokenFileError: the file belongs to or can be read by others, is a link, or holds no secret.
    """
    shown = printable(str(path))
    try:
        if not os.path.lexists(path):
            _write(path)
        return _read(path, shown)
    except OSError as error:
        why = "it is a link" if path.is_symlink() else error.strerror
        raise TokenFileError(f"token file {shown}: {why}") from None


def _read(path: Path, shown: str) -> str:
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(path, flags)
    with contextlib.closing(os.fdopen(descriptor, "rb", buffering=0)) as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise TokenFileError(f"token file {shown}: not an ordinary file")
        if os.name == "posix" and status.st_uid not in (os.getuid(), 0):
            raise TokenFileError(f"token file {shown}: it belongs to another user")
        if os.name == "posix" and status.st_mode & 0o077:
            mode = f"{status.st_mode & 0o777:04o}"
            raise TokenFileError(f"token file {shown}: others may use it (mode {mode}); chmod 600 {shown}")
        found = _TOKEN.fullmatch(file.read(_MOST_BYTES))
    if found is None:
        raise TokenFileError(
            f"token file {shown}: it must hold one line of 32 to 128 letters, digits, - and _; remove it for"
            " a new secret"
        )
    return found[1].decode()


def _write(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".token-")  # mode 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(new_token() + "\n")
        # Unlike a rename a link never replaces what another process has just written.
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        Path(temporary).unlink()
