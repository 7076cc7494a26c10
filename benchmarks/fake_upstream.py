"""An index with large pages in a process of its own: `python -m benchmarks.fake_upstream` prints its port.

Project `pN` has a page of N files, and so has `pNvM`, where M tells projects apart.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["JSON_TYPE", "page"]

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
_PLATFORMS = (
    "manylinux_2_17_x86_64.manylinux2014_x86_64",
    "musllinux_1_2_x86_64",
    "win_amd64",
    "macosx_11_0_arm64",
)
_TAGS = [f"cp3{minor}-cp3{minor}-{platform}" for minor in range(9, 14) for platform in _PLATFORMS]


def page(name: str, files: int) -> bytes:
    """Return a project page as PyPI sends it: 20 wheels a release, sizes, hashes and upload times."""
    entries = [_entry(name, number) for number in range(files)]
    versions = sorted({f"1.{number // len(_TAGS)}.0" for number in range(files)})
    content = {"meta": {"api-version": "1.3"}, "name": name, "versions": versions, "files": entries}
    return json.dumps(content).encode()


def _entry(name: str, number: int) -> dict[str, object]:
    filename = f"{name}-1.{number // len(_TAGS)}.0-{_TAGS[number % len(_TAGS)]}.whl"
    digest = hashlib.sha256(filename.encode()).hexdigest()
    return {
        "filename": filename,
        "url": f"https://files.example/packages/{digest[:2]}/{digest[2:4]}/{digest[4:]}/{filename}",
        "hashes": {"sha256": digest},
        "requires-python": ">=3.9",
        "size": 100_000 + number,
        "upload-time": "2026-01-01T00:00:00.000000Z",
        "yanked": False,
        "core-metadata": {"sha256": hashlib.sha256(digest.encode()).hexdigest()},
    }


@cache
def _answer(name: str) -> tuple[bytes, str] | None:
    match = re.fullmatch(r"p(\d{1,5})(?:v\d{1,5})?", name)
    if match is None:
        return None
    body = page(name, int(match[1]))
    return body, f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Send a page, and print when its last byte goes out; or send that it is still the same."""
        found = _answer(self.path.strip("/").rpartition("/")[2])
        if found is None:
            self.send_error(404)
            return
        body, etag = found
        same = self.headers.get("If-None-Match") == etag
        self.send_response(304 if same else 200)
        self.send_header("ETag", etag)
        self.send_header("Content-Type", JSON_TYPE)
        if not same:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if not same:
            self.wfile.write(body[:-1])
            self.wfile.flush()
            # Before the last byte: whoever has it may have answered before this thread goes on.
            sent = time.monotonic()
            self.wfile.write(body[-1:])
            self.wfile.flush()
            print(sent, flush=True)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it
        """Log nothing."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    server.serve_forever()
