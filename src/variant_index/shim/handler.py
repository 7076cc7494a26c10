"""Answers the requests of one connection to the shim."""

from __future__ import annotations

import hmac
import os
import re
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from variant_index.errors import VariantIndexError, printable
from variant_index.model.filename import canonical_name
from variant_index.shim.catalog import Catalog
from variant_index.shim.endpoint import Endpoint
from variant_index.shim.file_table import Target
from variant_index.shim.http_connection import HttpConnection
from variant_index.shim.journal import Journal
from variant_index.shim.local_wheels import LocalWheels
from variant_index.shim.metrics import CONTENT_TYPE, Metrics
from variant_index.shim.relay import relay
from variant_index.shim.spliced import SplicedWheel, SpliceStreamer
from variant_index.shim.verification import ChosenWheel, WheelVerifier
from variant_index.shim.views import Views
from variant_index.simple_api.render import JSON_TYPE, negotiate, render_root_html, render_root_json
from variant_index.upstream.local import local_path
from variant_index.upstream.lookahead import LookAhead, LookAheads
from variant_index.upstream.network import Network

__all__ = ["ShimHandler", "Site"]

_METADATA: Final = ".metadata"
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._\-]{0,200}[A-Za-z0-9])?", re.ASCII)


@dataclass(frozen=True)
class Site:
    """What the connections of one server share.

    Attributes:
        endpoint: what requests must name: the `Host`, and the token that begins every path.
        views: make project pages, and know the files linked through the shim.
        wheels: reads wheels of local folders.
        verifier: compares chosen wheels with the documents they were chosen by.
        streamer: passes wheels on that get another end.
        network: reads the files for which clients have no login.
        journal: takes what happens.
        ahead: the pages that the one client will ask for; None where there are many clients.
        aheads: the same for each of many, by connection; None where nothing is foreseen.
        metrics: counts answers, for a shim that runs for long; None where nobody asks.
    """

    endpoint: Endpoint
    views: Views
    wheels: LocalWheels
    verifier: WheelVerifier
    streamer: SpliceStreamer
    network: Network
    journal: Journal
    ahead: LookAhead | None = None
    aheads: LookAheads | None = None
    metrics: Metrics | None = None


class ShimHandler(HttpConnection):
    """One connection. Other methods are answered 405 (unknown ones 501), all outside the token 404."""

    def setup(self) -> None:
        """Prepare; a client that keeps its connection open will ask for more pages."""
        super().setup()
        self._own_ahead = aheads.begin() if (aheads := self._site.aheads) is not None else None

    def finish(self) -> None:
        """Clear up."""
        if self._own_ahead is not None:
            self._own_ahead.end()
        super().finish()

    def respond(self) -> None:
        """Answer a GET or HEAD."""
        path = self.path.partition("?")[0]
        if path == "/healthz" and self._site.metrics is not None and not self._has_body():
            # It tells next to nothing, so whoever watches the service may give any Host.
            self._kind = "health"
            degraded = self._site.views.failed
            self._send_text(HTTPStatus.OK, "degraded: a machine was not examined" if degraded else "ok")
            return
        if self._refused():
            return
        if path == "/metrics" and self._site.metrics is not None:
            self._send_metrics(self._site.metrics)
            return
        _, token, *below = path.split("/") if path.startswith("/") else ("", "")
        if not hmac.compare_digest(token.encode(), self._site.endpoint.token.encode()):
            self._send_text(HTTPStatus.NOT_FOUND, "not found")
            return
        view, parts = self._site.views.find(below)
        match parts if view is not None else []:
            case ["simple", ""]:
                self._send_root()
            case ["simple", asked, *end] if end in ([""], []) and view and (name := _project_name(asked)):
                if [asked, ""] == [name, *end]:
                    self._send_project(name, view.catalog)
                else:
                    self._redirect(f"../{name}/" if end else f"{name}/")
            case ["f", identity, filename] if view:
                self._send_file(view.files.find(identity), unquote(filename))
            case _:
                self._send_text(HTTPStatus.NOT_FOUND, "not found")

    def answered(self, kind: str, status: int, seconds: float) -> None:
        """Count an answer."""
        if self._site.metrics is not None:
            self._site.metrics.answered(kind, status, seconds)

    @property
    def _site(self) -> Site:
        site = self.server.site  # type: ignore[attr-defined]  # set by ShimServer before it listens
        assert isinstance(site, Site)
        return site

    def _refused(self) -> bool:
        """Answer and hang up on requests that no installer sends."""
        reason = None
        if not self._names_us():
            # Another Host is a web page that found the port (DNS rebinding), or a proxy.
            reason = HTTPStatus.MISDIRECTED_REQUEST
        elif self._has_body():
            reason = HTTPStatus.BAD_REQUEST
        if reason is not None:
            self.close_connection = True
            self._send_text(reason, reason.phrase)
        return reason is not None

    def _names_us(self) -> bool:
        endpoint, named = self._site.endpoint, self.headers.get_all("Host") or []
        return named == [endpoint.authority] or (len(named) == 1 and named[0].lower() in endpoint.hosts)

    def _send_metrics(self, metrics: Metrics) -> None:
        self._kind = "metrics"
        scheme, _, given = (self.headers.get("Authorization") or "").partition(" ")
        token = self._site.endpoint.token.encode()
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), token):
            self._send_text(HTTPStatus.UNAUTHORIZED, "the token of the shim is needed, as a bearer token")
            return
        views = self._site.views
        text = metrics.text(len(self._connections), len(views), views.failed)
        self._send(HTTPStatus.OK, text.encode(), CONTENT_TYPE)

    def _send_root(self) -> None:
        form = negotiate(self.headers.get("Accept"))
        body = render_root_json(()) if form == JSON_TYPE else render_root_html(())
        self._send(HTTPStatus.OK, body, form or "text/html")

    def _send_project(self, name: str, catalog: Catalog) -> None:
        self._kind = "page"
        accept = self.headers.get("Accept")
        form = negotiate(accept)
        if form is None:
            self._send_text(HTTPStatus.NOT_ACCEPTABLE, "pages are PEP 691 JSON or PEP 503 HTML")
            return
        site = self._site
        try:
            page = catalog.page(name, form, accept, site.ahead or self._own_ahead)
        except VariantIndexError as error:
            site.journal.fail(str(error))
            # An error that neither pip nor uv asks again for, as both do for seconds after a 5xx.
            self._send_text(HTTPStatus.FAILED_DEPENDENCY, str(error))
            return
        if page is None:
            self._send_text(HTTPStatus.NOT_FOUND, f"no source has project {name}")
            return
        self._send(HTTPStatus.OK, page.body, page.content_type)

    def _send_file(self, target: Target | None, filename: str) -> None:
        self._kind = "file"
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


def _project_name(asked: str) -> str | None:
    """Return the normal form of a name in a path, None when it is not a project's name."""
    name = unquote(asked)
    return canonical_name(name) if _NAME.fullmatch(name) else None
