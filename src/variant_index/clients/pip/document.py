"""pip's report and its lock file, which outlive the shim: its addresses are taken out of them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

__all__ = ["rewrite_document"]

_MAX_CHARACTERS: Final = 256 << 20


def rewrite_document(path: Path, rewrite: Callable[[str], str]) -> str | None:
    """Put another text into a file that pip wrote, at once and with its permissions.

    Args:
        path: the file.
        rewrite: from the old text to the new one.

    Returns:
        The text that is there now; None when there is no such file, or it is not an ordinary one.

    Raises:
        OSError: it cannot be read or written.
    """
    path = Path(os.path.realpath(path))
    if not path.is_file():
        return None
    with path.open(encoding="utf-8", newline="") as file:
        text = file.read(_MAX_CHARACTERS)
    new = rewrite(text)
    if new == text:
        return text
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(new)
        Path(temporary).chmod(path.stat().st_mode & 0o777)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return new
