"""What systemd and its like tell a service and want to be told (sd_notify(3), sd_listen_fds(3))."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import Final

from variant_index.shim.endpoint import Endpoint, EndpointError, new_token

__all__ = ["inherited_endpoint", "notify"]

_FIRST: Final = 3
_SECONDS: Final = 1.0


def notify(state: str) -> None:
    """Tell the service manager `READY=1` or `STOPPING=1`; nothing where there is none."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")) or not hasattr(socket, "AF_UNIX"):
        return
    # A manager that does not listen is not a reason to stop serving.
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.settimeout(_SECONDS)
        sender.connect(address if address[0] == "/" else "\0" + address[1:])
        sender.sendall(state.encode())


def inherited_endpoint() -> Endpoint:
    """Return the socket that the service manager listens on for this process, under a new token.

    Raises:
        EndpointError: there is not exactly one such socket.
    """
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        raise EndpointError("--listen systemd: this process was not started with one listening socket")
    try:
        listener = socket.socket(fileno=_FIRST)
        listening = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise EndpointError(f"--listen systemd: {error.strerror}") from None
    if not listening or listener.family not in (socket.AF_INET, socket.AF_INET6):
        raise EndpointError("--listen systemd: the socket does not listen on a TCP port")
    os.set_inheritable(_FIRST, False)
    return Endpoint(listener, new_token())
