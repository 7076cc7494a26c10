"""One connection to the shim: requests read strictly, answers written at once, nothing logged."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any, Final

from variant_index.errors import printable
from variant_index.shim.connections import OpenConnections
from variant_index.shim.request_head import read_head

__all__ = ["HttpConnection"]

_IDLE_SECONDS: Final = 30
_DRAIN_SECONDS: Final = 0.5
_DRAIN_BYTES: Final = 1 << 20


class HttpConnection(BaseHTTPRequestHandler):
    """Reads requests and writes answers; what is asked for is the subclass' business (`respond`)."""

    protocol_version = "HTTP/1.1"
    # For answers to what is no request: with a status line, which HTTP/0.9 has not.
    default_request_version = "HTTP/1.1"
    # One write for an answer, sent at once: see the server module.
    wbufsize = -1
    disable_nagle_algorithm = True
    timeout = _IDLE_SECONDS

    _kind = "other"
    _status = 0

    def do_GET(self) -> None:
        """Answer a GET."""
        self.respond()

    def respond(self) -> None:
        """Answer a GET or HEAD."""
        raise NotImplementedError

    def answered(self, kind: str, status: int, seconds: float) -> None:
        """Take note of an answer."""

    def do_HEAD(self) -> None:
        """Answer a HEAD: what GET would say, without the body."""
        self.respond()

    def do_POST(self) -> None:
        """Refuse; what was sent with it is not read, so nothing more can be on this connection."""
        self.close_connection = True
        self._send_text(HTTPStatus.METHOD_NOT_ALLOWED, "this index is read with GET and HEAD")

    # The base class looks for these names, and answers 501 where there is none.
    do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = do_CONNECT = do_POST  # noqa: N815

    def handle_one_request(self) -> None:
        """Wait for a request and answer it."""
        stream = self.rfile
        assert isinstance(stream, io.BufferedReader)
        try:
            head = read_head(stream)
        except TimeoutError:
            self.close_connection = True
            return
        if isinstance(head, HTTPStatus):
            self._refuse_head(head)
            return
        # The base class gets what was read and no way to read on.
        self.rfile = io.BytesIO(head)
        self._kind, self._status = "other", 0
        started = time.monotonic()
        try:
            super().handle_one_request()
        finally:
            self.rfile = stream
            if self._status:
                self.answered(self._kind, self._status, time.monotonic() - started)
        self._connections.wait(self.connection)

    def parse_request(self) -> bool:
        """Read the headers."""
        usable = super().parse_request()
        self._connections.answer(self.connection)
        return usable

    def version_string(self) -> str:
        """Name the server, without the Python version that the base class adds."""
        return "variant-index"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Keep the status that is being sent, for the metrics."""
        self._status = int(code)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class names it
        """Log nothing: addresses hold the token."""

    @property
    def _connections(self) -> OpenConnections:
        connections = self.server.connections  # type: ignore[attr-defined]  # set by the server
        assert isinstance(connections, OpenConnections)
        return connections

    def _refuse_head(self, status: HTTPStatus) -> None:
        """Answer what is no request that can be read, and hang up."""
        self.command = self.requestline = ""
        self.request_version = self.protocol_version
        self.close_connection = True
        self._send_text(status, status.phrase)
        self.wfile.flush()
        # Closing with unread bytes would take the answer away from a client that is still sending.
        with suppress(OSError):
            self.connection.settimeout(_DRAIN_SECONDS)
            left, end = _DRAIN_BYTES, time.monotonic() + 2 * _DRAIN_SECONDS
            while left > 0 and time.monotonic() < end and (piece := self.connection.recv(1 << 16)):
                left -= len(piece)

    def _has_body(self) -> bool:
        lengths = self.headers.get_all("Content-Length", ())
        return "Transfer-Encoding" in self.headers or bool(set(lengths) - {"0"})

    def _redirect(self, url: str) -> None:
        self._send(HTTPStatus.FOUND, b"", "text/plain", location=url)

    def _send_text(self, status: HTTPStatus, text: str) -> None:
        # pip shows the reason of the status line, uv and browsers the body.
        reason = printable(text).encode("ascii", "replace").decode()
        self._send(status, f"{text}\n".encode(), "text/plain; charset=utf-8", reason=reason)

    def _send(
        self,
        status: HTTPStatus,
        body: bytes,
        content_type: str,
        *,
        reason: str | None = None,
        location: str | None = None,
    ) -> None:
        self._send_head(status, content_type, len(body), reason=reason, location=location)
        if self.command != "HEAD":
            self.wfile.write(body)

    def _send_head(
        self,
        status: HTTPStatus,
        content_type: str,
        length: int | None,
        *,
        reason: str | None = None,
        location: str | None = None,
        further: Mapping[str, str] | None = None,
    ) -> None:
        self.send_response(status, reason)
        self.send_header("Content-Type", content_type)
        if length is None:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(length))
        for name, value in (further or {}).items():
            self.send_header(name, value)
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        if location is not None:
            self.send_header("Location", location)
        if status == HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", "Bearer")
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
