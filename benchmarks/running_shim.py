"""A long-running shim and what asks it, each in a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.fake_upstream import JSON_TYPE
from benchmarks.start_up import script

__all__ = ["RunningShim", "fake_upstream", "load", "running_shim"]


@dataclass
class RunningShim:
    """A running `variant-index shim`."""

    url: str
    process: subprocess.Popen[str]

    def memory(self) -> float:
        """Return the MB it takes now (Linux)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def first_byte(self, name: str) -> float:
        """Ask for a page and return when its first byte came, in `time.monotonic()` seconds."""
        connection = _connect(self.url)
        with connection:
            connection.sendall(_request(self.url, name))
            assert connection.recv(1)
            first = time.monotonic()
            answer = b""
            while piece := connection.recv(1 << 20):
                answer += piece
                if b"\r\n\r\n" in answer and len(answer) >= _length(answer):
                    break
        assert answer.startswith(b"TTP/1.1 200"), answer[:100]
        return first


@contextmanager
def running_shim(*options: str) -> Iterator[RunningShim]:
    """Run `variant-index shim` with options, and a cache of its own."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "XDG_CACHE_HOME": folder}
        command = [str(script("variant-index")), "shim", *options]
        with _process(command, environment) as process:
            assert process.stdout is not None
            yield RunningShim(process.stdout.readline().strip(), process)


@contextmanager
def fake_upstream() -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run an index; its process prints when it sends the last byte of each page."""
    with _process([sys.executable, "-m", "benchmarks.fake_upstream"], os.environ) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/simple/", process


@contextmanager
def _process(command: Sequence[str], environment: object) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        command,
        env=dict(environment),  # type: ignore[call-overload]
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def load(url: str, name: str, connections: int, seconds: float) -> float:
    """Ask for one page again and again on several connections; return seconds a page.

    It runs in a process of its own, so that client and server do not share an interpreter.
    """
    arguments = [url, name, str(connections), str(seconds)]
    command = [sys.executable, "-m", "benchmarks.running_shim", *arguments]
    answer = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1], timeout=300
    )
    return float(answer.stdout)


def _load_here(url: str, name: str, connections: int, seconds: float) -> float:
    counts = [0] * connections
    end = time.monotonic() + seconds
    request = _request(url, name)

    def ask(number: int) -> None:
        room = bytearray(1 << 20)
        with _connect(url) as connection:
            while not counts[number] or time.monotonic() < end:
                connection.sendall(request)
                head = b""
                while b"\r\n\r\n" not in head and (piece := connection.recv(1 << 16)):
                    head += piece
                assert head.startswith(b"HTTP/1.1 200"), head[:100]
                left = _length(head) - len(head)
                while left > 0 and (count := connection.recv_into(room, min(left, len(room)))):
                    left -= count
                assert not left
                counts[number] += 1

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(connections)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return (time.monotonic() - started) / sum(counts)


def _connect(url: str) -> socket.socket:
    host, _, port = urlsplit(url).netloc.partition(":")
    connection = socket.create_connection((host, int(port)), timeout=60)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _request(url: str, name: str) -> bytes:
    parts = urlsplit(url)
    lines = [f"GET {parts.path}{name}/ HTTP/1.1", f"Host: {parts.netloc}", f"Accept: {JSON_TYPE}", "", ""]
    return "\r\n".join(lines).encode()


def _length(answer: bytes) -> int:
    head = answer.partition(b"\r\n\r\n")[0]
    return len(head) + 4 + int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])


if __name__ == "__main__":
    print(_load_here(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
