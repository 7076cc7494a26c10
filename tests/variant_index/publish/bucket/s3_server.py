"""A small S3 server in memory over real HTTP, which can be told to break the rules that others break."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape, unescape

from tests.loopback import serving

__all__ = ["S3Server", "s3_server"]

Hook = Callable[[str, str], "bool | None"]
"""Called with method and path before a request is done; False: do it, lose the answer; None: lose both."""


_BEGUN = b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"


@dataclass
class S3Server:
    """The server's state.

    Attributes:
        keeps_create: whether `If-None-Match: *` is kept.
        keeps_match: whether `If-Match` is kept.
        spoils_parts: whether uploads in parts end with a wrong byte.
        md5_tags: whether ETags are MD5 sums.
        hook: see `Hook`.
        refusal: status and S3 code with which everything is refused.
        objects: what is stored, by path.
        requests: method and path of each request so far.
        answers: method, path and status of those that were done.
        ages: how many seconds ago objects were written, where that is not now.
        signers: the access keys that requests were signed with.
    """

    keeps_create: bool = True
    keeps_match: bool = True
    spoils_parts: bool = False
    md5_tags: bool = True
    hook: Hook | None = None
    refusal: tuple[int, str] | None = None
    objects: dict[str, tuple[bytes, dict[str, str]]] = field(default_factory=dict)
    parts: dict[str, dict[int, bytes]] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    answers: list[tuple[str, str, int]] = field(default_factory=list)
    ages: dict[str, float] = field(default_factory=dict)
    signers: set[str] = field(default_factory=set)
    url: str = ""

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "AKIASECRETNAME",
            "AWS_SECRET_ACCESS_KEY": "topsecretkey",
        }

    def tag(self, content: bytes) -> str:
        digest = (
            hashlib.md5(content).hexdigest() if self.md5_tags else f"{hashlib.sha1(content).hexdigest()}-x"
        )
        return f'"{digest}"'

    def time(self, path: str) -> float:
        return time.time() - self.ages.get(path, 0)

    def below(self, prefix: str) -> dict[str, bytes]:
        return {path: body for path, (body, _) in self.objects.items() if path.startswith(prefix)}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _HttpServer

    def log_message(self, *_: object) -> None:
        pass

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True

    def _do(self) -> None:
        state = self.server.state
        path = unquote(urlsplit(self.path).path).partition("/")[2]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answered = state.hook(self.command, path) if state.hook is not None else True
        with self.server.lock:
            state.requests.append((self.command, path))
            state.signers.update(re.findall("Credential=([^/]*)/", self.headers.get("Authorization", "")))
            if answered is not None:
                status, headers, content = self._answer(state, path, body)
                state.answers.append((self.command, path, status))
        if not answered:
            self.close_connection = True
            self.connection.close()
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _do  # noqa: N815

    def _answer(self, state: S3Server, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        if state.refusal is not None:
            return self._error(*state.refusal)
        query = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        if "list-type" in query:
            return 200, {"Content-Type": "application/xml"}, _listing(state, path, query)
        if "uploads" in query:
            return 200, {}, _BEGUN
        if "uploadId" in query:
            return self._part(state, path, query.get("partNumber", [""])[0], body)
        found = state.objects.get(path)
        if self.command == "PUT":
            if state.keeps_create and self.headers.get("If-None-Match") == "*" and found is not None:
                return self._error(412, "PreconditionFailed")
            wanted = self.headers.get("If-Match")
            if state.keeps_match and wanted is not None and (found is None or state.tag(found[0]) != wanted):
                return self._error(412, "PreconditionFailed")
            kept = {
                name: self.headers[name] for name in ("Content-Type", "Cache-Control") if name in self.headers
            }
            state.objects[path] = (body, kept)
            state.ages.pop(path, None)
            return 200, {"ETag": state.tag(body)}, b""
        if self.command == "POST" and "delete" in query:
            keys = [unescape(key) for key in re.findall("<Key>(.*?)</Key>", body.decode())]
            for key in keys:
                state.objects.pop(f"{path.rstrip('/')}/{key}", None)
            done = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
            return 200, {"Content-Type": "application/xml"}, f"<DeleteResult>{done}</DeleteResult>".encode()
        if found is None:
            return self._error(404, "NoSuchKey")
        content, kept = found
        headers = {
            "ETag": state.tag(content),
            "Last-Modified": formatdate(state.time(path), usegmt=True),
            **kept,
        }
        if self.command == "HEAD":
            return 200, {**headers, "Content-Length": str(len(content))}, b""
        if (part := self.headers.get("Range")) is not None:
            start, _, end = part.removeprefix("bytes=").partition("-")
            piece = content[int(start) : int(end) + 1]
            place = f"bytes {start}-{int(start) + len(piece) - 1}/{len(content)}"
            return 206, {**headers, "Content-Range": place}, piece
        return 200, headers, content

    def _part(
        self, state: S3Server, path: str, number: str, body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        parts = state.parts.setdefault(path, {})
        if self.command == "PUT":
            parts[int(number)] = body
            return 200, {"ETag": state.tag(body)}, b""
        del state.parts[path]
        if self.command == "POST":
            content = b"".join(parts[number] for number in sorted(parts))
            state.ages.pop(path, None)
            state.objects[path] = (content[:-1] + b"?" if state.spoils_parts else content, {})
        text = "<CompleteMultipartUploadResult><ETag>x-1</ETag></CompleteMultipartUploadResult>"
        return 200, {}, text.encode()

    def _error(self, status: int, code: str) -> tuple[int, dict[str, str], bytes]:
        key = "AKIASECRETNAME"
        text = f"<Error><Code>{code}</Code><AWSAccessKeyId>{key}</AWSAccessKeyId></Error>"
        return status, {"Content-Type": "application/xml"}, text.encode()


def _listing(state: S3Server, bucket: str, query: dict[str, list[str]]) -> bytes:
    bucket = bucket.rstrip("/") + "/"
    prefix, delimiter = query.get("prefix", [""])[0], query.get("delimiter", [""])[0]
    rows, folders = [], set()
    for path in sorted(state.objects):
        key = path.removeprefix(bucket)
        if not path.startswith(bucket) or not key.startswith(prefix):
            continue
        rest = key[len(prefix) :]
        if delimiter and delimiter in rest:
            folders.add(prefix + rest.partition(delimiter)[0] + delimiter)
            continue
        content = state.objects[path][0]
        moment = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(state.time(path)))
        rows.append(
            f"<Contents><Key>{escape(key)}</Key><LastModified>{moment}</LastModified>"
            f"<ETag>{escape(state.tag(content))}</ETag><Size>{len(content)}</Size></Contents>"
        )
    rows += [
        f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>" for folder in sorted(folders)
    ]
    return f"<ListBucketResult><IsTruncated>false</IsTruncated>{''.join(rows)}</ListBucketResult>".encode()


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, state: S3Server) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.state = state
        self.lock = threading.Lock()


@contextmanager
def s3_server(**options: bool) -> Iterator[S3Server]:
    """Run a server."""
    state = S3Server(**options)  # type: ignore[arg-type]
    server = _HttpServer(state)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    with serving(server):
        yield state
