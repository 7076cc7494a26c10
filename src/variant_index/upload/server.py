"""An index on loopback that takes uploads: POST a form to `/legacy/`, as to PyPI."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from variant_index.errors import printable
from variant_index.publish.serve import IndexHandler, IndexServer
from variant_index.upload.accept import Answer, Uploads
from variant_index.upload.body import BodyError, read_body
from variant_index.upload.form import FormError, FormReader, boundary_of
from variant_index.upload.token import Token

__all__ = ["UploadServer"]

_PATH = "/legacy/"
_AT_ONCE = 16
_MAX_SECONDS = 3600.0
_LINGER_SECONDS = 60.0
_QUIET_SECONDS = 2.0
_MAX_REASON = 1000

Log = Callable[[str, str], object]
"""Called with the kind of a message (`note`, `refused`, `warning`) and one line."""


class UploadServer(IndexServer):
    """An `IndexServer` that takes uploads from whoever has the token."""

    def __init__(self, root: Path, port: int, uploads: Uploads, token: Token, log: Log) -> None:
        """Bind the port; 0 takes any free one.

        Args:
            root: the index's folder, which holds an index.
            port: where to listen.
            uploads: takes the files.
            token: who may upload.
            log: told about every upload; called by several threads.

        Raises:
            ServeError: `root` holds no index, or the port is taken or not allowed.
        """
        super().__init__(root, port, _UploadHandler)
        self.uploads = uploads
        self.token = token
        self.log = log
        self.places = threading.BoundedSemaphore(_AT_ONCE)

    @property
    def upload_url(self) -> str:
        """The address to give to `twine upload --repository-url` and `uv publish --publish-url`."""
        return self.url.removesuffix("/simple/") + _PATH

    def server_close(self) -> None:
        """Stop listening; an upload that is being added is added first."""
        super().server_close()
        self.uploads.wait_until_idle()


class _UploadHandler(IndexHandler):
    """Answers POST as well."""

    server: UploadServer

    def take_upload(self) -> None:
        """Answer POST."""
        self.close_connection = True
        answer = self._take()
        if answer.status is HTTPStatus.OK:
            self.server.log("note", answer.message)
            for warning in answer.warnings:
                self.server.log("warning", warning)
        else:
            self.server.log("refused", f"upload: {answer.message} ({answer.status.value})")
        self._reply(answer)
        self._linger()

    do_POST = take_upload  # noqa: N815 -- the base class looks for this name

    def _take(self) -> Answer:
        if not self.is_local():
            return Answer(HTTPStatus.MISDIRECTED_REQUEST, "this server is 127.0.0.1 and localhost only")
        if self.path not in (_PATH, _PATH.rstrip("/")):
            return Answer(HTTPStatus.METHOD_NOT_ALLOWED, f"upload to {self.server.upload_url}")
        admitted = self.server.token.admits(self.headers.get("Authorization"))
        if admitted is None:
            return Answer(
                HTTPStatus.UNAUTHORIZED, "upload with the user name __token__ and the token as password"
            )
        if not admitted:
            return Answer(HTTPStatus.FORBIDDEN, "the token is not the one that this server was started with")
        if not self.server.places.acquire(blocking=False):
            return Answer(HTTPStatus.SERVICE_UNAVAILABLE, f"{_AT_ONCE} uploads are under way; try again")
        try:
            boundary = boundary_of(self.headers.get("Content-Type") or "")
            uploads = self.server.uploads
            body = read_body(self.rfile, self.headers, uploads.max_body, _MAX_SECONDS)
            return uploads.accept(FormReader(body, boundary))
        except BodyError as error:
            return Answer(error.status, str(error))
        except FormError as error:
            return Answer(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, str(error))
        except TimeoutError:
            return Answer(HTTPStatus.REQUEST_TIMEOUT, "nothing came for too long")
        finally:
            self.server.places.release()

    def _reply(self, answer: Answer) -> None:
        """Answer so that each tool shows why: twine prints the reason phrase, uv the body."""
        message = printable(answer.message, _MAX_REASON)
        content = f"{message}\n".encode()
        self.send_response(answer.status, message.encode("ascii", "replace").decode("ascii"))
        if answer.status is HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", 'Basic realm="uploads", charset="UTF-8"')
        if answer.status is HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def _linger(self) -> None:
        """Read on for a while after a refusal: a client that is still sending would never see the answer."""
        self.wfile.flush()
        end = time.monotonic() + _LINGER_SECONDS
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(_QUIET_SECONDS)
            while time.monotonic() < end and self.connection.recv(1 << 18):
                pass
