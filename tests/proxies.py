"""A proxy on loopback: tunnels for https (CONNECT), with a password if wanted."""

from __future__ import annotations

import base64
import select
import socket
import socketserver
from contextlib import suppress

from tests.loopback import Served


class TunnelProxy(Served):
    """A running proxy; `tunnels` keeps the `host:port` of every tunnel, `refused` counts wrong passwords.

    Every tunnel leads to loopback, whatever its host: names need not exist.
    """

    def __init__(self, login: str | None = None) -> None:
        self.tunnels: list[str] = []
        self.refused = 0
        proxy = self
        wanted = None if login is None else f"Basic {base64.b64encode(login.encode()).decode()}"

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                line = self.rfile.readline().decode("latin-1").split()
                given = None
                while (header := self.rfile.readline().strip()) != b"":
                    name, _, value = header.decode("latin-1").partition(": ")
                    if name.lower() == "proxy-authorization":
                        given = value
                if given != wanted:
                    proxy.refused += 1
                    self.wfile.write(b"HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n")
                    return
                proxy.tunnels.append(line[1])
                port = int(line[1].rpartition(":")[2])
                with socket.create_connection(("127.0.0.1", port), timeout=60) as upstream:
                    self.wfile.write(b"HTTP/1.1 200 Go\r\n\r\n")
                    with suppress(OSError):
                        _copy(self.connection, upstream)

        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        server.block_on_close = False
        self.authority = f"127.0.0.1:{server.server_address[1]}"
        super().__init__(server)


def _copy(one: socket.socket, other: socket.socket) -> None:
    """Copy in both directions until one side ends."""
    while True:
        ready, _, _ = select.select([one, other], [], [], 60)
        if not ready:
            return
        for source in ready:
            data = source.recv(1 << 16)
            if not data:
                return
            (other if source is one else one).sendall(data)
