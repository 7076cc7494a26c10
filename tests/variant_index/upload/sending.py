"""A server that takes uploads, and forms to send to it."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.loopback import serving
from variant_index.publish.folder.store import FolderStore
from variant_index.simple_api.render import JSON_TYPE
from variant_index.upload.accept import Check, open_uploads
from variant_index.upload.server import UploadServer
from variant_index.upload.token import Token

__all__ = ["BOUNDARY", "TOKEN", "Running", "form", "running", "upload_form"]

TOKEN = "a-token-of-some-length"
BOUNDARY = "mark"


def form(parts: Sequence[tuple[str, bytes]]) -> bytes:
    """Return a form; the first item of each part is its Content-Disposition behind `form-data`."""
    pieces = [
        b"--%s\r\nContent-Disposition: form-data%s\r\n\r\n%s\r\n"
        % (BOUNDARY.encode(), head.encode(), content)
        for head, content in parts
    ]
    return b"".join(pieces) + f"--{BOUNDARY}--\r\n".encode()


def upload_form(name: str, content: bytes, /, **fields: str) -> bytes:
    """Return the form of an upload; a field `_action` is called `:action`."""
    values = {"_action": "file_upload", "sha256_digest": hashlib.sha256(content).hexdigest(), **fields}
    parts = [(f'; name="{key.replace("_action", ":action")}"', text.encode()) for key, text in values.items()]
    return form([*parts, (f'; name="content"; filename="{name}"', content)])


@dataclass
class Running:
    """A server that runs.

    Attributes:
        out: the index's folder.
        server: the server.
        log: what it said.
    """

    out: Path
    server: UploadServer
    log: list[tuple[str, str]] = field(default_factory=list)

    def post(
        self,
        body: bytes | Iterator[bytes],
        password: str | None = TOKEN,
        path: str = "/legacy/",
        **headers: str,
    ) -> tuple[int, str, http.client.HTTPMessage]:
        """Send a body and return status, text and headers of the answer."""
        sent = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        if password is not None:
            word = base64.b64encode(f"__token__:{password}".encode()).decode()
            sent["Authorization"] = f"Basic {word}"
        sent |= {key.replace("_", "-"): value for key, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=60)
        try:
            connection.request("POST", path, body, sent, encode_chunked=not isinstance(body, bytes))
            response = connection.getresponse()
            text = response.read().decode()
            # Each tool shows one of the two.
            assert response.reason == text.strip().encode("ascii", "replace").decode()
            return response.status, text, response.headers
        finally:
            connection.close()

    def upload(self, path: Path, /, **fields: str) -> tuple[int, str]:
        """Send a file and return status and text of the answer."""
        return self.post(upload_form(path.name, path.read_bytes(), **fields))[:2]

    def listed(self, project: str = "vdemo") -> dict[str, str]:
        """Return the files that the index lists, with their SHA-256."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=60)
        try:
            connection.request("GET", f"/simple/{project}/", headers={"Accept": JSON_TYPE})
            response = connection.getresponse()
            if response.status == 404:
                return {}
            return {file["filename"]: file["hashes"]["sha256"] for file in json.load(response)["files"]}
        finally:
            connection.close()

    def raw(self, data: bytes, *, end: bool = True) -> bytes:
        """Send bytes as they are, and return what comes back."""
        with socket.create_connection(("127.0.0.1", self.server.server_port), timeout=60) as client:
            client.sendall(data)
            if end:
                client.shutdown(socket.SHUT_WR)
            answer = b""
            while piece := client.recv(1 << 16):
                answer += piece
            return answer

    def left(self) -> list[str]:
        """Return what is left of uploads; the server may be clearing up meanwhile."""
        return [
            str(Path(folder, name).relative_to(self.out))
            for top in (self.out / ".uploads", *self.out.glob(".part-*"))
            for folder, _, names in os.walk(top)  # passes over folders that are gone, as glob does not
            for name in names
        ]


@contextmanager
def running(
    out: Path,
    *,
    max_bytes: int = 8 << 20,
    wait: float = 20,
    check: Check | None = None,
    base_url: str | None = None,
) -> Iterator[Running]:
    """Run a server in this process."""
    log: list[tuple[str, str]] = []
    with (
        open_uploads(
            out,
            FolderStore(out),
            max_bytes=max_bytes,
            now=lambda: "2026-01-01T00:00:00Z",
            wait=wait,
            check=check,
            base_url=base_url,
        ) as uploads,
        serving(
            UploadServer(out, 0, uploads, Token(TOKEN, "test"), lambda kind, text: log.append((kind, text)))
        ) as server,
    ):
        yield Running(out, server, log)
