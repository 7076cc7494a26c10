"""The same address in every run, for installers whose caches are kept by address (uv, Poetry).

The port and the secret stand in a file that only its owner can read. The socket listens before any installer
is told, and when the port is taken the run gets a fresh address: nobody else can be asked in our place.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Final

from variant_index.shim.endpoint import Endpoint, EndpointError

__all__ = ["kept_endpoint"]

_TOKEN: Final = re.compile(r"[A-Za-z0-9_\-]{32}")
_MAX_BYTES: Final = 1000


def kept_endpoint(folder: Path, name: str) -> Endpoint:
    """Listen at the address of the last run, or where that cannot be at a new one, which is kept.

    While one run listens at the kept address, others get fresh ones.

    Args:
        folder: where the files are; made when it is missing.
        name: tells apart what must have different addresses.

    Raises:
        EndpointError: no port of loopback can be listened on.
        OSError: the folder cannot be written.
    """
    file = folder / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}.json"
    kept = _read(file)
    if kept is None:
        endpoint = Endpoint.open()
        _write(file, endpoint)
        return endpoint
    port, token = kept
    try:
        return Endpoint(Endpoint.open(port).listener, token)
    except EndpointError:
        return Endpoint.open()


def _read(file: Path) -> tuple[int, str] | None:
    """Return port and secret; None when they are missing, damaged, or not ours alone."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        with os.fdopen(os.open(file, flags), "rb") as stream:
            status = os.fstat(stream.fileno())
            if os.name == "posix" and (status.st_uid != os.getuid() or status.st_mode & 0o077):
                return None
            content = json.loads(stream.read(_MAX_BYTES))
            port, token = content["port"], content["token"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    usable = isinstance(port, int) and 1024 <= port <= 65535 and isinstance(token, str)
    return (port, token) if usable and _TOKEN.fullmatch(token) else None


def _write(file: Path, endpoint: Endpoint) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    content = {"port": endpoint.listener.getsockname()[1], "token": endpoint.token}
    descriptor, temporary = tempfile.mkstemp(dir=file.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "w") as stream:
            json.dump(content, stream)
        Path(temporary).replace(file)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
