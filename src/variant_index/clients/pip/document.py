"""pip's report and its lock file, which outlive the shim: its addresses are taken out of them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from variant_index.shim.file_table import FileTable

__all__ = ["PrintedDocument", "rewrite_document"]

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


class PrintedDocument:
    """A report or a lock file that pip prints, on its way through our stdout.

    Attributes:
        text: its lines with links to the shim, as pip wrote them.
        names_shim: whether links to the shim are left in what was passed on.
    """

    def __init__(self, linked: Callable[[], FileTable]) -> None:
        """Start with nothing.

        Args:
            linked: returns what the shim linked; called once pip writes.
        """
        self._linked = linked
        self.text = ""
        self.names_shim = False

    def pass_on(self, line: bytes) -> bytes:
        """Return what to print instead of a line; pip's messages around the document stay as they are."""
        # JSON and TOML quote links; "Downloading http://..." does not, and says nothing of what is taken.
        if b'"http' not in line:
            return line
        linked, text = self._linked(), line.decode("utf-8", "surrogateescape")
        if not linked.names_in(text):
            return line
        new = linked.with_upstream_links(text)
        self.text += text
        self.names_shim = self.names_shim or linked.names_in(new)
        return new.encode("utf-8", "surrogateescape")
