from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.variant_index.shim.family import NAME, add_family, cuda_machine
from tests.variant_index.upstream.fake_index import FakeIndex, Route
from variant_index.cli import main

PROGRAM = "import sys; from variant_index.cli import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def index(tmp_path: Path) -> Iterator[FakeIndex]:
    with FakeIndex() as index:
        add_family(index, tmp_path / "files")
        yield index


@pytest.fixture
def process(index: FakeIndex, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    machine = tmp_path / "gpu.json"
    machine.write_text(cuda_machine("12.8").model_dump_json())
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "shim", "--index-url", index.url, "--machine", str(machine)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.communicate()


def read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return str(answer.read().decode("utf-8", "replace"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_line_is_the_address_and_signals_end_it_cleanly(
    process: subprocess.Popen[str], number: signal.Signals
) -> None:
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    assert url.startswith("http://127.0.0.1:")
    assert f"{NAME}-2.0-0_cu128-py3-none-any.whl" in read(f"{url}{NAME}/")
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "", "")


def test_choices_and_failures_are_printed_as_they_happen(
    index: FakeIndex, process: subprocess.Popen[str]
) -> None:
    assert process.stdout is not None
    assert process.stderr is not None
    url = process.stdout.readline().strip()
    link = read(f"{url}{NAME}/").partition("2.0-0_cu128")[0].rpartition('"')[2]
    read(f"{link}2.0-0_cu128-py3-none-any.whl")
    assert process.stderr.readline().startswith(f"chosen: {NAME} 2.0: cu128 — ")
    index.routes["/simple/broken/"] = Route(status=500)
    with pytest.raises(OSError, match="424"):
        read(f"{url}broken/")
    line = process.stderr.readline()
    assert line.startswith("error: ")
    assert line.endswith(f"{index.url}broken/ answered 500 Internal Server Error\n")


def test_a_fixed_port(index: FakeIndex, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["shim", "-i", index.url, "--port", str(port)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: cannot listen on 127.0.0.1 port {port}")


@pytest.mark.parametrize(
    "arguments", [["--index-url", "nonsense"], ["--port", "70000"], ["--cert", os.devnull + "x"]]
)
def test_bad_options_are_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["shim", *arguments]) == 2
    assert capsys.readouterr().out == ""
