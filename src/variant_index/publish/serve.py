"""Serves a static index on loopback, with the content types and the negotiation installers expect.

Only what is below `simple/` and `files/` is served, never a listing of a folder: the pages are the listing.
"""

from __future__ import annotations

import email.utils
import os
import socketserver
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, unquote

from variant_index.errors import InputError, printable
from variant_index.model.filename import canonical_name
from variant_index.publish.byte_range import requested_range
from variant_index.publish.content_types import content_type
from variant_index.publish.layout import HTML_PAGE, JSON_PAGE
from variant_index.simple_api.render import HTML_TYPE, HTML_V1_TYPE, JSON_TYPE, negotiate

__all__ = ["IndexHandler", "IndexServer", "ServeError"]

_LOOPBACK = "127.0.0.1"
_HOSTS = frozenset({_LOOPBACK, "localhost"})


class ServeError(InputError):
    """The folder holds no index, or the port cannot be used."""


class IndexServer(ThreadingHTTPServer):
    """An HTTP server for the index in one folder; `serve_forever` runs it."""

    daemon_threads = True
    # Many installers open many connections at once.
    request_queue_size = 128

    def __init__(self, root: Path, port: int = 0, handler: type[IndexHandler] | None = None) -> None:
        """Bind the port; 0 takes any free one.

        Args:
            root: the index's folder.
            port: where to listen.
            handler: answers requests; `IndexHandler` when not given.

        Raises:
            ServeError: `root` holds no index, or the port is taken or not allowed.
        """
        self.root = root.resolve()
        if not self.page_types():
            raise ServeError(
                f"{printable(str(root))}: no index here; write one with variant-index build ... --out"
            )
        try:
            super().__init__((_LOOPBACK, port), handler or IndexHandler)
        except OSError as error:
            raise ServeError(
                f"port {port}: {error.strerror}; choose another with --port (0 takes any free one)"
            ) from None
        except OverflowError:
            raise ServeError(f"port {port}: a port is a number from 0 to 65535") from None

    def server_bind(self) -> None:
        """Bind without asking the name service what this host is called, which can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = _LOOPBACK, self.server_address[1]

    def page_types(self) -> list[str]:
        """Return the content types that pages can have now, by the forms of the root page."""
        types = {JSON_PAGE: (JSON_TYPE,), HTML_PAGE: (HTML_TYPE, HTML_V1_TYPE)}
        root = self.root / "simple"
        return [kind for form, kinds in types.items() if (root / form).is_file() for kind in kinds]

    @property
    def url(self) -> str:
        """The index URL to give to installers."""
        return f"http://{_LOOPBACK}:{self.server_port}/simple/"

    def handle_error(self, request: object, client_address: object) -> None:
        """Report what went wrong in one line; a client that went away is nothing wrong."""
        error = sys.exc_info()[1]
        if not isinstance(error, (ConnectionError, TimeoutError)):
            print(f"error: {printable(repr(error))}", file=sys.stderr)


class IndexHandler(BaseHTTPRequestHandler):
    """Answers GET and HEAD for files of the index, and for parts of them."""

    server: IndexServer
    protocol_version = "HTTP/1.1"
    server_version = "variant-index"
    sys_version = ""
    timeout = 60
    # Headers and body leave in one packet; without these two each answer costs 40 ms on a kept connection.
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Send a file, a page or a part of a file."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """Say what GET would send."""
        self._answer(body=False)

    def do_POST(self) -> None:
        """Refuse to change anything."""
        # What was sent with it is not read, so nothing more can be on this connection.
        self.close_connection = True
        self._short(
            HTTPStatus.METHOD_NOT_ALLOWED,
            "this index is read with GET and HEAD\n",
            True,
            ("Allow", "GET, HEAD"),
            ("Connection", "close"),
        )

    # The base class looks for these names, and answers 501 where there is none.
    do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = do_CONNECT = do_POST  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class's name
        """Keep stderr for errors."""

    def is_local(self) -> bool:
        """Tell whether the client calls us by a name of this machine.

        A page in a browser must not reach the index under a name of its own (DNS rebinding).
        """
        host = (self.headers.get("Host") or _LOOPBACK).rpartition(":")
        return (host[0] or host[2]) in _HOSTS

    def _answer(self, *, body: bool) -> None:
        if not self.is_local():
            self._fail(HTTPStatus.MISDIRECTED_REQUEST, "this server is 127.0.0.1 and localhost only", body)
            return
        parts = _split(self.path)
        if parts is None or len(parts) > (4 if parts[0] == "files" else 3):
            self._fail(HTTPStatus.NOT_FOUND, "not found", body)
        elif parts in ([""], ["simple"]):
            self._redirect("simple/", body)
        elif parts[0] == "files" and len(parts) == 4 and parts[-1]:
            self._file(parts, body)
        elif parts[0] != "simple":
            self._fail(HTTPStatus.NOT_FOUND, "not found", body)
        elif parts[-1] == "":
            self._page(parts[:-1], body)
        else:
            self._file(parts, body)

    def _page(self, parts: list[str], body: bool) -> None:
        if len(parts) == 2 and parts[1] != canonical_name(parts[1]):
            self._redirect(f"../{quote(canonical_name(parts[1]), safe='')}/", body)
            return
        types = self.server.page_types()
        kind = negotiate(self.headers.get("Accept"), types)
        if kind is None:
            self._fail(HTTPStatus.NOT_ACCEPTABLE, f"the forms are {', '.join(types)}", body)
            return
        form = JSON_PAGE if kind == JSON_TYPE else HTML_PAGE
        self._send([*parts, form], f"{kind}; charset=utf-8" if kind == HTML_TYPE else kind, body)

    def _file(self, parts: list[str], body: bool) -> None:
        if (kind := content_type(parts[-1])) is not None:
            self._send(parts, kind, body)
            return
        if len(parts) == 2 and self.server.root.joinpath(*parts).is_dir():
            self._redirect(f"{quote(canonical_name(parts[1]), safe='')}/", body)
            return
        self._fail(HTTPStatus.NOT_FOUND, "not found", body)

    def _open(self, parts: list[str]) -> BinaryIO | None:
        """Open a regular file below the root, wherever symbolic links may point; None when there is none."""
        path = self.server.root.joinpath(*parts)
        try:
            real = path.resolve(strict=True)
            if not real.is_relative_to(self.server.root) or not real.is_file():
                return None
            return real.open("rb")
        except (OSError, ValueError, RuntimeError):
            return None

    def _send(self, parts: list[str], kind: str, body: bool) -> None:
        file = self._open(parts)
        if file is None:
            self._fail(HTTPStatus.NOT_FOUND, "not found", body)
            return
        with file:
            status = os.fstat(file.fileno())
            tag = f'"{status.st_mtime_ns:x}-{status.st_size:x}"'
            part = self._part(status.st_size, tag)
            if tag in (self.headers.get("If-None-Match") or ""):
                self.send_response(HTTPStatus.NOT_MODIFIED)
                part = range(0)
            elif part is None:
                self.send_response(HTTPStatus.OK)
                part = range(status.st_size)
                self._describe(kind, part)
            elif part:
                self.send_response(HTTPStatus.PARTIAL_CONTENT)
                self._describe(kind, part)
                self.send_header("Content-Range", f"bytes {part[0]}-{part[-1]}/{status.st_size}")
            else:
                self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
                self._describe(kind, part)
                self.send_header("Content-Range", f"bytes */{status.st_size}")
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("ETag", tag)
            self.send_header("Last-Modified", email.utils.formatdate(status.st_mtime, usegmt=True))
            # A port is reused for other indexes, so even wheels are asked for again (and not sent again).
            self.send_header("Cache-Control", "no-cache")
            if parts[-1] in (HTML_PAGE, JSON_PAGE):
                self.send_header("Vary", "Accept")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            if body and part:
                self._copy(file, part)

    def _part(self, size: int, tag: str) -> range | None:
        """Return which part of a file is asked for, None for all of it; only GET has parts."""
        if self.command != "GET" or self.headers.get("If-Range", tag) != tag:
            return None
        return requested_range(self.headers.get("Range"), size)

    def _describe(self, kind: str, part: range) -> None:
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(part)))

    def _copy(self, file: BinaryIO, part: range) -> None:
        if len(part) <= 1 << 16:
            file.seek(part.start)
            sent = self.wfile.write(file.read(len(part)))
        else:
            self.wfile.flush()
            sent = self.connection.sendfile(file, part.start, len(part))
        if sent != len(part):
            # The file shrank meanwhile: only closing the connection tells the client.
            self.close_connection = True

    def _redirect(self, to: str, body: bool) -> None:
        """Send the client to a relative address, which is right below any path of a proxy's."""
        self._short(HTTPStatus.FOUND, "", body, ("Location", to))

    def _fail(self, status: HTTPStatus, message: str, body: bool) -> None:
        self._short(status, f"{message}\n", body)

    def _short(self, status: HTTPStatus, text: str, body: bool, *headers: tuple[str, str]) -> None:
        content = text.encode()
        self.send_response(status)
        for key, value in headers:
            self.send_header(key, value)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if body:
            self.wfile.write(content)


def _split(target: str) -> list[str] | None:
    """Return the decoded parts of a request path, the last one empty for a folder; None for a bad path."""
    path = target.partition("?")[0].partition("#")[0]
    if not path.startswith("/"):
        return None
    try:
        parts = [unquote(part, errors="strict") for part in path[1:].split("/")]
    except UnicodeDecodeError:
        return None
    if not all(parts[:-1]):
        return None
    for part in parts:
        # A part stays one part on every system: no separators, no drives, no hidden or parent folders.
        if part.startswith(".") or not part.isprintable() or any(mark in part for mark in "/\\:"):
            return None
    return parts
