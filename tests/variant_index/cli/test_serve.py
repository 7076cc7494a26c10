"""`variant-index serve` as a user runs it: the URL on the first line, a clean end, one-line errors."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.variant_index.publish.family import make_family
from variant_index.publish.build import build_index

_PROGRAM = [sys.executable, "-c", "from variant_index.cli import main; raise SystemExit(main())", "serve"]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("serve")
    build_index([make_family(folder / "in")], folder / "out", now="2026-01-01T00:00:00Z")
    return folder / "out"


@contextmanager
def serving(*arguments: str | Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = subprocess.Popen(
        [*_PROGRAM, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_url_comes_first_and_the_end_is_clean(out: Path, number: signal.Signals) -> None:
    with serving(out, "--port", "0") as (process, url):
        assert url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(f"{url}vdemo/") as response:
            assert response.status == 200
        process.send_signal(number)
        assert process.communicate(timeout=60) == ("", "")
        assert process.returncode == 0


def test_the_end_is_clean_while_a_client_is_connected(out: Path) -> None:
    with serving(out, "--port", "0") as (process, url):
        port = int(url.split(":")[2].partition("/")[0])
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET /simple/ HTTP/1.1\r\nHost: localhost\r\n")
            process.terminate()
            process.terminate()
            assert process.communicate(timeout=60) == ("", "")
            assert process.returncode == 0


def test_a_port_in_use(out: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        serving(out, "--port", str(taken.getsockname()[1])) as (process, url),
    ):
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, url) == (2, "")
        assert "choose another with --port" in errors
        assert len(errors.splitlines()) == 1


@pytest.mark.parametrize("name", [".", "missing"])
def test_a_folder_without_an_index(tmp_path: Path, name: str) -> None:
    with serving(tmp_path / name) as (process, _):
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 2
        assert "no index here" in errors
        assert len(errors.splitlines()) == 1
