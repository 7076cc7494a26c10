"""Where a shim will answer: a loopback socket that already listens, and the secret part of the path.

Separate from the server because an installer takes longer to start than a socket: it can be started as soon
as the address is known, while the server is still being loaded. Its first request waits in the socket.
"""

from __future__ import annotations

import base64
import os
import socket
from dataclasses import dataclass
from typing import Final

from variant_index.errors import InputError

__all__ = ["HOST", "Endpoint", "EndpointError"]

HOST: Final = "127.0.0.1"
_WAITING_CONNECTIONS: Final = 512


class EndpointError(InputError):
    """The address cannot be listened on."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A listening socket and the token that requests must name.

    Attributes:
        listener: bound to loopback and listening.
        token: the first part of every path that is answered.
    """

    listener: socket.socket
    token: str

    @classmethod
    def open(cls, port: int = 0) -> Endpoint:
        """Listen on a port of loopback, 0 for any free one, under a new token.

        Raises:
            EndpointError: the port is taken or out of range.
        """
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            if os.name == "posix":
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((HOST, port))
            listener.listen(_WAITING_CONNECTIONS)
        except (OSError, OverflowError) as error:
            listener.close()
            raise EndpointError(f"cannot listen on {HOST} port {port}: {error}") from None
        # 192 bits: other users of this machine can connect, but not guess the path.
        return cls(listener, base64.urlsafe_b64encode(os.urandom(24)).decode())

    @property
    def authority(self) -> str:
        """`host:port`."""
        return f"{HOST}:{self.listener.getsockname()[1]}"

    @property
    def index_url(self) -> str:
        """The address to give to an installer as its only index."""
        return f"http://{self.authority}/{self.token}/simple/"
