"""Answers the requests of one connection to the shim."""

from __future__ import annotations

import hmac
import io
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from variant_index.errors import VariantIndexError, printable
from variant_index.model.filename import canonical_name
from variant_index.shim.catalog import Catalog
from variant_index.shim.connections import OpenConnections
from variant_index.shim.endpoint import Endpoint
from variant_index.shim.file_table import FileTable, Target
from variant_index.shim.journal import Journal
from variant_index.shim.local_wheels import LocalWheels
from variant_index.shim.relay import relay
from variant_index.shim.request_head import read_head
from variant_index.shim.spliced import SplicedWheel, SpliceStreamer
from variant_index.shim.verification import ChosenWheel, WheelVerifier
from variant_index.simple_api.render import JSON_TYPE, negotiate, render_root_html, render_root_json
from variant_index.upstream.local import local_path
from variant_index.upstream.network import Network

__all__ = ["ShimHandler", "Site"]

_IDLE_SECONDS: Final = 30
_DRAIN_SECONDS: Final = 0.5
_DRAIN_PIECES: Final = 8
_METADATA: Final = ".metadata"
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._\-]{0,200}[A-Za-z0-9])?", re.ASCII)


@dataclass(frozen=True)
class Site:
    """What the connections of one server share.

    Attributes:
        endpoint: what requests must name: the only `Host`, and the token that begins every path.
        catalog: makes project pages.
        files: the files linked through the shim.
        wheels: reads wheels of local folders.
        verifier: compares chosen wheels with the documents they were chosen by.
        streamer: passes wheels on that get another end.
        network: reads the files for which clients have no login.
        journal: takes what happens.
    """

    endpoint: Endpoint
    catalog: Catalog
    files: FileTable
    wheels: LocalWheels
    verifier: WheelVerifier
    streamer: SpliceStreamer
    network: Network
    journal: Journal


class ShimHandler(BaseHTTPRequestHandler):
    """One connection. Other methods are answered 405 (unknown ones 501), all outside the token 404."""

    protocol_version = "HTTP/1.1"
    # For answers to what is no request: with a status line, which HTTP/0.9 has not.
    default_request_version = "HTTP/1.1"
    # One write for an answer, sent at once: see the server module.
    wbufsize = -1
    disable_nagle_algorithm = True
    timeout = _IDLE_SECONDS

    def do_GET(self) -> None:
        """Answer a GET."""
        if self._refused():
            return
        path = self.path.partition("?")[0]
        _, token, *parts = path.split("/") if path.startswith("/") else ("", "")
        if not hmac.compare_digest(token.encode(), self._site.endpoint.token.encode()):
            self._send_text(HTTPStatus.NOT_FOUND, "not found")
            return
        match parts:
            case ["simple", ""]:
                self._send_root()
            case ["simple", asked, *end] if end in ([""], []) and (name := _project_name(asked)):
                if [asked, ""] == [name, *end]:
                    self._send_project(name)
                else:
                    self._redirect(f"{self._site.endpoint.index_url}{name}/")
            case ["f", identity, filename]:
                self._send_file(identity, unquote(filename))
            case _:
                self._send_text(HTTPStatus.NOT_FOUND, "not found")

    def do_HEAD(self) -> None:
        """Answer a HEAD: what GET would say, without the body."""
        self.do_GET()

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
        try:
            super().handle_one_request()
        finally:
            self.rfile = stream
        self._connections.wait(self.connection)

    def parse_request(self) -> bool:
        """Read the headers."""
        usable = super().parse_request()
        self._connections.answer(self.connection)
        return usable

    def version_string(self) -> str:
        """Name the server, without the Python version that the base class adds."""
        return "variant-index"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class names it
        """Log nothing: addresses hold the token."""

    @property
    def _site(self) -> Site:
        site = self.server.site  # type: ignore[attr-defined]  # set by ShimServer before it listens
        assert isinstance(site, Site)
        return site

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
            for _ in range(_DRAIN_PIECES):
                if not self.connection.recv(1 << 16):
                    break

    def _refused(self) -> bool:
        """Answer and hang up on requests that no installer sends."""
        reason = None
        if self.headers.get_all("Host") != [self._site.endpoint.authority]:
            # Another Host is a web page that found the port (DNS rebinding), or a proxy.
            reason = HTTPStatus.MISDIRECTED_REQUEST
        elif "Transfer-Encoding" in self.headers or set(self.headers.get_all("Content-Length", ())) - {"0"}:
            reason = HTTPStatus.BAD_REQUEST
        if reason is not None:
            self.close_connection = True
            self._send_text(reason, reason.phrase)
        return reason is not None

    def _send_root(self) -> None:
        form = negotiate(self.headers.get("Accept"))
        body = render_root_json(()) if form == JSON_TYPE else render_root_html(())
        self._send(HTTPStatus.OK, body, form or "text/html")

    def _send_project(self, name: str) -> None:
        accept = self.headers.get("Accept")
        form = negotiate(accept)
        if form is None:
            self._send_text(HTTPStatus.NOT_ACCEPTABLE, "pages are PEP 691 JSON or PEP 503 HTML")
            return
        site = self._site
        try:
            page = site.catalog.page(name, form, accept)
        except VariantIndexError as error:
            site.journal.fail(str(error))
            # An error that neither pip nor uv asks again for, as both do for seconds after a 5xx.
            self._send_text(HTTPStatus.FAILED_DEPENDENCY, str(error))
            return
        if page is None:
            self._send_text(HTTPStatus.NOT_FOUND, f"no source has project {name}")
            return
        self._send(HTTPStatus.OK, page.body, page.content_type)

    def _send_file(self, identity: str, filename: str) -> None:
        target = self._site.files.find(identity)
        is_metadata = target is not None and filename == target.filename + _METADATA
        if target is None or not (is_metadata or filename == target.filename):
            self._send_text(HTTPStatus.NOT_FOUND, "not found")
            return
        if target.wheel is not None and (problem := self._disagreement(target.wheel)) is not None:
            self._site.journal.fail(problem)
            self._send_text(HTTPStatus.FAILED_DEPENDENCY, problem)
            return
        # Whoever asks for a range reads the metadata in the wheel.
        if self.command == "GET" and not is_metadata and "Range" not in self.headers and target.chosen:
            self._site.journal.note_download(target.chosen)
        if target.spliced is not None:
            self._send_spliced(target.spliced, is_metadata=is_metadata)
            return
        suffix = _METADATA if is_metadata else ""
        path = local_path(target.url)
        if path is None:
            url = target.url + suffix
            if self._site.network.needs_login(url):
                self._relay(url, target)
            else:
                self._redirect(url)
            return
        beside = Path(f"{path}{suffix}")
        if is_metadata and not beside.exists() and (metadata := self._site.wheels.metadata(path)) is not None:
            self._send(HTTPStatus.OK, metadata, "application/octet-stream")
        else:
            self._stream(beside, target)

    def _disagreement(self, wheel: ChosenWheel) -> str | None:
        """Say why a chosen wheel must not be handed out, None when it may.

        Most were compared when their page was made; it is too late now to offer another wheel instead.
        """
        try:
            verdict = self._site.verifier.verify(wheel)
        except VariantIndexError as error:
            return str(error)
        if verdict.unread is not None:
            self._site.journal.warn([verdict.unread])
        if verdict.difference is None:
            return None
        release = f"{wheel.name} {wheel.version}"
        return f"{verdict.difference}; it is not handed out: run again, or without {release}"

    def _send_spliced(self, wheel: SplicedWheel, *, is_metadata: bool) -> None:
        """Send a wheel whose METADATA changes on the way, or that METADATA."""
        kind = "application/octet-stream"
        if is_metadata:
            self._send(HTTPStatus.OK, wheel.splice.metadata, kind)
            return
        if self.command == "HEAD":
            self._send_head(HTTPStatus.OK, kind, wheel.splice.size)
            return
        self._site.journal.hint(wheel.note)
        begun = False
        try:
            for piece in self._site.streamer.stream(wheel):
                if not begun:
                    self._send_head(HTTPStatus.OK, kind, wheel.splice.size)
                    begun = True
                self.wfile.write(piece)
        except VariantIndexError as error:
            self._site.journal.fail(str(error))
            if not begun:
                self._send_text(HTTPStatus.FAILED_DEPENDENCY, str(error))
            # Otherwise the client knows by the missing end that it has no wheel.
            self.close_connection = True

    def _relay(self, url: str, target: Target) -> None:
        """Pass on a file for which the client has no login."""
        network = self._site.network
        begun = False
        try:
            with relay(network, url, self.command, dict(self.headers), target.listed_by) as passing:
                if passing.status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
                    self._send_text(HTTPStatus.NOT_FOUND, f"{printable(target.filename)} is gone")
                    return
                begun = True
                status, chunked = HTTPStatus(passing.status), passing.length is None
                self._send_head(status, passing.content_type, passing.length, further=passing.headers)
                for piece in passing.chunks if self.command != "HEAD" else ():
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
                if chunked and self.command != "HEAD":
                    self.wfile.write(b"0\r\n\r\n")
        except VariantIndexError as error:
            self._site.journal.fail(str(error))
            if not begun:
                self._send_text(HTTPStatus.FAILED_DEPENDENCY, str(error))
            self.close_connection = self.close_connection or begun

    def _stream(self, path: Path, target: Target) -> None:
        """Send a file of this machine: a local index or a find-links folder."""
        try:
            if not path.is_file():  # opening a pipe would wait for its writer
                raise FileNotFoundError(path)
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                self._send_head(HTTPStatus.OK, "application/octet-stream", size)
                if self.command != "HEAD":
                    self.wfile.flush()
                    self.connection.sendfile(file, count=size or None)
        except (FileNotFoundError, IsADirectoryError, PermissionError):
            self._site.journal.fail(f"{printable(str(path))}: listed by its index but not readable")
            self._send_text(HTTPStatus.NOT_FOUND, f"{printable(target.filename)} is gone")

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
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()


def _project_name(asked: str) -> str | None:
    """Return the normal form of a name in a path, None when it is not a project's name."""
    name = unquote(asked)
    return canonical_name(name) if _NAME.fullmatch(name) else None
