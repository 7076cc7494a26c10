"""The metadata of wheels in folders of this machine, served apart so that installers need not copy wheels."""

from __future__ import annotations

import threading
from pathlib import Path

__all__ = ["LocalWheels"]


class LocalWheels:
    """Reads each wheel once for as long as it does not change; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[Path, int, int], bytes | None] = {}

    def metadata(self, path: Path) -> bytes | None:
        """Return a wheel's METADATA; None when it cannot be read or breaks a rule.

        Such a wheel is not hidden: installers that accept it still can, from the wheel itself.
        """
        try:
            status = path.stat()
        except OSError:
            return None
        key = (path, status.st_mtime_ns, status.st_size)
        with self._lock:
            if key in self._known:
                return self._known[key]
        # Imported here: most runs have no local wheels, and this loads the models.
        from variant_index.wheel.read import WheelError, read_wheel

        try:
            metadata = read_wheel(path).metadata
        except (WheelError, OSError):
            metadata = None
        with self._lock:
            self._known[key] = metadata
        return metadata
