"""Static hosts that an index is copied to: a real nginx, and one that goes by the extension."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.loopback import serving

__all__ = ["by_extension", "nginx", "snippet"]

_DOCS = Path(__file__).parents[3] / "docs"
_TRIES = 5


def snippet(page: str, heading: str) -> str:
    """Return the code block below a line of a page of the documentation that begins with `heading`."""
    found = re.search(
        rf"^{re.escape(heading)}.*?^ *```\w*\n(.*?)^ *```",
        (_DOCS / page).read_text(),
        re.MULTILINE | re.DOTALL,
    )
    assert found is not None, heading
    return textwrap.dedent(found[1])


@contextmanager
def nginx(servers: str, ports: int = 1) -> Iterator[list[str]]:
    """Run nginx, and return the addresses that its servers listen at.

    Args:
        servers: what stands in `http { ... }`; `PORT0`, `PORT1`, ... stand for free ports.
        ports: how many there are.
    """
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("nginx is not installed (Debian: apt-get install nginx-light)")
    with tempfile.TemporaryDirectory(prefix="nginx-") as folder:
        process, numbers = _start(program, Path(folder), servers, ports)
        try:
            yield [f"http://127.0.0.1:{number}" for number in numbers]
        finally:
            process.kill()
            process.wait()


def _start(program: str, folder: Path, servers: str, ports: int) -> tuple[subprocess.Popen[bytes], list[int]]:
    for _ in range(_TRIES):
        numbers = _free_ports(ports)
        places = "".join(f"{kind}_temp_path {folder};" for kind in ("proxy", "fastcgi", "uwsgi", "scgi"))
        text = servers
        for index, number in enumerate(numbers):
            text = text.replace(f"PORT{index}", str(number))
        # One process, as the user who tests.
        (folder / "nginx.conf").write_text(
            f"daemon off; master_process off; pid {folder}/pid; events {{ worker_connections 64; }}\n"
            f"http {{ access_log off; client_body_temp_path {folder}; {places}\n{text}\n}}\n"
        )
        with (folder / "errors").open("wb") as errors:
            process = subprocess.Popen(
                [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"],
                stdin=subprocess.DEVNULL,
                stderr=errors,
            )
        if all(_answers(process, number) for number in numbers):
            return process, numbers
        process.kill()
        process.wait()
        said = (folder / "errors").read_text(errors="replace")
        if "Address already in use" not in said:
            pytest.fail(f"nginx does not start: {said}")
    raise AssertionError("no port stays free")


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    end = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < end:
        with socket.socket() as client:
            client.settimeout(10)
            if not client.connect_ex(("127.0.0.1", port)):
                return True
        time.sleep(0.02)
    return False


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def by_extension(root: Path) -> Iterator[str]:
    """Serve a folder as Python's own server does: index.html for a folder, types by extension."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(root)))
    with serving(server):
        yield f"http://127.0.0.1:{server.server_address[1]}"
