"""Stands between publishers and a server: counts requests, holds them up, loses answers."""

from __future__ import annotations

import re
import socket
import socketserver
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from http.client import HTTPResponse
from io import BufferedIOBase
from urllib.parse import unquote, urlsplit

from tests.loopback import serving

__all__ = ["Proxy", "proxy"]

Hook = Callable[[int, str, str], "bool | None"]
"""Called with the request's number (from 1), method and path; False: forward it, and drop the answer."""


_OWN = ("Content-Length", "Transfer-Encoding", "Connection")


class Proxy(socketserver.ThreadingTCPServer):
    """Forwards to one address; `hook` may be set at any time. It ends when all requests have."""

    daemon_threads = False
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, target: str, host: str | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = (urlsplit(target).hostname, urlsplit(target).port)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.host = host
        self.hook: Hook | None = None
        self.count = 0
        self.lock = threading.Lock()


class _Handler(socketserver.StreamRequestHandler):
    server: Proxy

    def handle(self) -> None:
        try:
            with socket.create_connection(self.server.target, timeout=60) as upstream:
                while self._one(upstream):
                    pass
        except OSError:
            pass

    def _one(self, upstream: socket.socket) -> bool:
        head, size = _head(self.rfile)
        if not head:
            return False
        method, target = head.split(b" ", 2)[:2]
        with self.server.lock:
            self.server.count += 1
            number = self.server.count
        if self.server.host is not None:
            head = re.sub(rb"(?im)^host:.*\r$", b"Host: %s\r" % self.server.host.encode(), head)
        hook = self.server.hook
        path = unquote(urlsplit(target.decode()).path)
        body = self.rfile.read(size)
        keep = hook(number, method.decode(), path) if hook is not None else True
        upstream.sendall(head + body)
        answer = HTTPResponse(upstream, method=method.decode())
        answer.begin()
        content = answer.read()
        lines = [f"HTTP/1.1 {answer.status} {answer.reason}"]
        lines += [f"{name}: {value}" for name, value in answer.getheaders() if name not in _OWN]
        length = answer.getheader("Content-Length", "0") if method == b"HEAD" else str(len(content))
        lines += [f"Content-Length: {length}"] if answer.status != 204 else []
        if keep is False:
            self.connection.close()
            return False
        self.connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + content)
        return True


def _head(reader: BufferedIOBase) -> tuple[bytes, int]:
    head, length = b"", 0
    while line := reader.readline(65536):
        head += line
        if line.lower().startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
        if line == b"\r\n":
            break
    return head, length


def proxy(target: str, host: str | None = None) -> AbstractContextManager[Proxy]:
    """Run a proxy in front of an address, which calls the server by another name if `host` is given."""
    return serving(Proxy(target, host))
