"""An index over real HTTP on loopback that can misbehave in the ways that indexes do."""

from __future__ import annotations

import base64
import hashlib
import ssl
import time
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote

from tests.loopback import Served
from variant_index.publish.byte_range import requested_range
from variant_index.simple_api.page import ProjectFile, ProjectPage
from variant_index.simple_api.render import HTML_TYPE, JSON_TYPE, render_html, render_json


@dataclass
class Route:
    """One answer.

    `promised` is a Content-Length that differs from the body's; `before` is called, and `seconds_before`
    waited for, before it is sent; `unless` names a request header and the value for which the answer is
    304; `ranged` answers a request for a range, instead of the right part.
    """

    body: bytes = b""
    content_type: str = "application/octet-stream"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    promised: int | None = None
    before: Callable[[], object] | None = None
    seconds_before: float = 0.0
    seconds_per_byte: float = 0.0
    unless: tuple[str, str] | None = None
    ranged: Route | None = None


def _part(route: Route, wanted: str) -> Route:
    part = requested_range(wanted, len(route.body))
    if part is None:
        return route
    if not part:
        return replace(route, body=b"", status=416)
    shown = f"bytes {part[0]}-{part[-1]}/{len(route.body)}"
    return replace(
        route,
        body=route.body[part.start : part.stop],
        status=206,
        headers={**route.headers, "Content-Range": shown},
    )


class FakeIndex(Served):
    """Routes by path; anything else is 404.

    `requests` keeps `METHOD path` of everything asked, `ranges` the path and header of requests for ranges,
    `logins` the path and the login of requests that carry one. With `login` set to `user:password`,
    everything needs it.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.login: str | None = None
        self.logins: list[str] = []
        self.routes: dict[str, Route] = {}
        self.requests: list[str] = []
        self.ranges: list[str] = []
        self.not_modified = 0
        index = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                index.requests.append(f"{self.command} {self.path}")
                route = index.routes.get(unquote(self.path), Route(status=404))
                given = self.headers.get("Authorization", "").partition(" ")[2]
                login = base64.b64decode(given).decode() if given else None
                if login is not None:
                    index.logins.append(f"{self.path} {login}")
                if index.login not in (None, login):
                    route = Route(b"who?", status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
                if route.before is not None:
                    route.before()
                time.sleep(route.seconds_before)
                if route.unless and self.headers.get(route.unless[0]) == route.unless[1]:
                    index.not_modified += 1
                    route = Route(status=304)
                if "Range" in self.headers and route.status == 200:
                    index.ranges.append(f"{self.path} {self.headers['Range']}")
                    route = route.ranged or _part(route, self.headers["Range"])
                self.send_response(route.status)
                self.send_header("Content-Type", route.content_type)
                length = len(route.body) if route.promised is None else route.promised
                self.send_header("Content-Length", str(length))
                for name, value in route.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command == "HEAD":
                    return
                if route.seconds_per_byte:
                    for position in range(len(route.body)):
                        self.wfile.write(route.body[position : position + 1])
                        self.wfile.flush()
                        time.sleep(route.seconds_per_byte)
                else:
                    self.wfile.write(route.body)
                self.close_connection = route.promised is not None

            def do_HEAD(self) -> None:
                self.do_GET()

            def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, request: object, client_address: object) -> None:
                pass  # clients that hang up are what some tests are about

        server = Server(("127.0.0.1", 0), Handler)
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        scheme = "http" if tls is None else "https"
        self.root = f"{scheme}://127.0.0.1:{server.server_address[1]}"
        self.url = f"{self.root}/simple/"
        super().__init__(server)

    def add_file(self, path: Path, *, hashed: bool = True) -> ProjectFile:
        """Serve a file, and a wheel's metadata beside it; return its entry for a page."""
        data = path.read_bytes()
        address = f"/files/{path.name}"
        self.routes[address] = Route(data)
        core_metadata: bool | Mapping[str, str] = False
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as archive:
                name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
                metadata = archive.read(name)
            self.routes[f"{address}.metadata"] = Route(metadata)
            core_metadata = {"sha256": hashlib.sha256(metadata).hexdigest()}
        return ProjectFile(
            path.name,
            self.root + quote(address),
            {"sha256": hashlib.sha256(data).hexdigest()} if hashed else {},
            core_metadata=core_metadata,
            size=len(data),
        )

    def add_project(self, name: str, files: Iterable[ProjectFile], form: str = JSON_TYPE) -> None:
        """Serve a project page."""
        page = ProjectPage(name, tuple(files))
        body = render_json(page) if form == JSON_TYPE else render_html(page)
        self.routes[f"/simple/{name}/"] = Route(body, form)

    def asked(self, what: str) -> int:
        """Count the requests whose path holds `what`."""
        return sum(what in request for request in self.requests)


__all__ = ["HTML_TYPE", "JSON_TYPE", "FakeIndex", "Route"]
