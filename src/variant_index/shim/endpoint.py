"""Where a shim will answer: a socket that already listens, and the secret part of the path.

Separate from the server because an installer takes longer to start than a socket: it can be started as soon
as the address is known, while the server is still being loaded. Its first request waits in the socket.
"""

from __future__ import annotations

import base64
import os
import socket
from dataclasses import dataclass, field
from typing import Final

from variant_index.errors import InputError, printable

__all__ = ["HOST", "Endpoint", "EndpointError", "new_token"]

HOST: Final = "127.0.0.1"
_WAITING_CONNECTIONS: Final = 512
_LAST_PORT: Final = 65535


class EndpointError(InputError):
    """The address cannot be listened on."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A listening socket and the token that requests must name.

    Attributes:
        listener: bound and listening.
        token: the first part of every path that is answered.
        hosts: further names, in lower case and with the port where there is one, that requests may give as
            their `Host`; the address itself is always one.
    """

    listener: socket.socket
    token: str
    hosts: frozenset[str] = field(default=frozenset())

    @classmethod
    def open(cls, port: int = 0, host: str = HOST) -> Endpoint:
        """Listen on a port, 0 for any free one, under a new token.

        Args:
            port: the port.
            host: an address or name of this machine; the default is loopback.

        Raises:
            EndpointError: the port is taken or out of range, or the host is not this machine's.
        """
        listener = None
        try:
            if not 0 <= port <= _LAST_PORT:
                raise OverflowError(f"ports end at {_LAST_PORT}")
            family, kind, number, _, address = socket.getaddrinfo(
                host.encode("ascii"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            listener = socket.socket(family, kind, number)
            if os.name == "posix":
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(_WAITING_CONNECTIONS)
        except (OSError, OverflowError, UnicodeError) as error:
            if listener is not None:
                listener.close()
            why = (isinstance(error, OSError) and error.strerror) or error
            raise EndpointError(f"cannot listen on {printable(host)} port {port}: {why}") from None
        return cls(listener, new_token())

    @property
    def authority(self) -> str:
        """`host:port`."""
        host, port = self.listener.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def index_url(self) -> str:
        """The address to give to an installer as its only index."""
        return f"http://{self.authority}/{self.token}/simple/"


def new_token() -> str:
    """Return a new secret of 192 bits: others can connect, but not guess the path."""
    return base64.urlsafe_b64encode(os.urandom(24)).decode()
