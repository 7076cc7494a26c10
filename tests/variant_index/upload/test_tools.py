"""The usual tools against `variant-index serve --upload`, as a release pipeline runs them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import uv

from tests.making import make_wheel
from tests.variant_index.publish.clients import client_environment, installed_file, pip_install
from tests.variant_index.publish.family import CU128, make_variant
from tests.variant_index.publish.folder.crash import consistent_pages
from tests.variant_index.publish.test_provenance import BASE, attest
from tests.variant_index.upload.sending import TOKEN, upload_form

_TWINE = "twine==7.0.0"
_SERVE = [sys.executable, "-c", "from variant_index.cli import main; raise SystemExit(main())", "serve"]


@dataclass
class Server:
    process: subprocess.Popen[str]
    index: str
    url: str


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[Server]:
    token = folder / "token"
    token.write_text(f"{TOKEN}\n")
    token.chmod(0o600)
    process = subprocess.Popen(
        [*_SERVE, folder / "out", "--port", "0", "--upload", "--token-file", token, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield Server(process, process.stdout.readline().strip(), process.stdout.readline().strip())
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path) as server:
        yield server


@pytest.fixture
def wheels(tmp_path: Path) -> list[str]:
    """Wheels with a local version, which have to survive all quoting."""
    folder = tmp_path / "in"
    return [
        str(make_variant(folder, "vdemo-1.0+local.1-py3-none-any-cu128.whl", CU128)),
        str(make_wheel(folder, "vdemo-1.0+local.1-py3-none-any.whl")),
    ]


@pytest.fixture
def changed(tmp_path: Path) -> str:
    return str(make_wheel(tmp_path / "other", "vdemo-1.0+local.1-py3-none-any.whl", files={"vdemo.py": b"1"}))


def run(home: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*map(str, command)],
        env=client_environment(home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
    )


def uv_publish(home: Path, server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    options = ("--trusted-publishing", "never", "--publish-url", server.url)
    return run(home, uv.find_uv_bin(), "publish", *options, *arguments)


def test_uv_publish(server: Server, wheels: list[str], changed: str, tmp_path: Path) -> None:
    for _ in range(2):  # the same bytes again are no error
        done = uv_publish(tmp_path, server, "--token", TOKEN, *wheels)
        assert done.returncode == 0, done.stderr
    done = pip_install(server.index, "vdemo", tmp_path / "target", "--no-deps")
    assert done.returncode == 0, done.stderr
    assert installed_file(tmp_path / "target", "vdemo") == "vdemo-1.0+local.1-py3-none-any.whl"

    done = uv_publish(tmp_path, server, "--token", TOKEN, "--check-url", server.index, *wheels)
    assert (done.returncode, done.stderr.count("already exists, skipping")) == (0, 2)
    done = uv_publish(tmp_path, server, "--token", TOKEN, "--check-url", server.index, changed)
    assert (done.returncode, "do not match" in done.stderr) == (2, True)

    done = uv_publish(tmp_path, server, "--token", TOKEN, changed)
    assert (done.returncode, "File already exists" in done.stderr, "REL008" in done.stderr) == (2, True, True)
    done = uv_publish(tmp_path, server, "--token", f"{TOKEN}x", *wheels)
    assert (done.returncode, "403 Forbidden" in done.stderr) == (2, True)
    done = uv_publish(tmp_path, server, *wheels)
    assert (done.returncode, "Missing credentials" in done.stderr) == (2, True)


@pytest.fixture(scope="module")
def twine(tmp_path_factory: pytest.TempPathFactory) -> str:
    place = tmp_path_factory.mktemp("twine") / "venv"
    uv_bin = uv.find_uv_bin()
    subprocess.run([uv_bin, "--quiet", "venv", "--python", sys.executable, place], check=True)
    command = [uv_bin, "--quiet", "pip", "install", "--python", str(place), _TWINE]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no {_TWINE} from a package registry: {done.stderr.strip()[-200:]}")
    return str(place / ("Scripts" if os.name == "nt" else "bin") / "twine")


def attested(folder: Path, out: Path) -> tuple[list[str], Callable[[], None]]:
    """Return two files with an attestation each, as arguments, and what checks that these are published."""
    files = [
        make_variant(folder / "in", "vdemo-1.0+local.1-py3-none-any-cu128.whl", CU128),
        make_wheel(folder / "in", "vdemo-1.0+local.1-py3-none-any.whl"),
    ]
    made = [attest(file, alone=True) for file in files]

    def check() -> None:
        found = [
            json.loads(place.read_bytes())["attestation_bundles"][0]["attestations"]
            for place in sorted(out.glob("files/*/*/*.provenance"), key=lambda place: place.name)
        ]
        assert found == [[json.loads(one.read_bytes())] for one in made]
        pages = [place.read_text() for place in out.glob("simple/vdemo/index.*")]
        assert [page.count(f"{BASE}/files/vdemo/") for page in pages] == [2, 2]

    return [*map(str, files), *map(str, made)], check


def test_uv_publishes_attestations(tmp_path: Path) -> None:
    arguments, check = attested(tmp_path, tmp_path / "out")
    with serving(tmp_path, "--base-url", BASE) as server:
        done = uv_publish(tmp_path, server, "--token", TOKEN, *arguments)
        assert done.returncode == 0, done.stderr
        check()


@pytest.mark.network
def test_twine_publishes_attestations(twine: str, tmp_path: Path) -> None:
    arguments, check = attested(tmp_path, tmp_path / "out")
    with serving(tmp_path, "--base-url", BASE) as server:
        options = ("--non-interactive", "--disable-progress-bar", "--repository-url", server.url)
        done = run(tmp_path, twine, "upload", *options, "-u", "x", "-p", TOKEN, "--attestations", *arguments)
        assert done.returncode == 0, done.stdout
        check()


@pytest.mark.network
def test_twine(server: Server, twine: str, wheels: list[str], changed: str, tmp_path: Path) -> None:
    options = ("upload", "--non-interactive", "--disable-progress-bar", "--repository-url", server.url)
    user = ("-u", "__token__", "-p")
    done = run(tmp_path, twine, "check", *wheels)
    assert done.returncode == 0, done.stdout
    for _ in range(2):  # the same bytes again are no error
        done = run(tmp_path, twine, *options, *user, TOKEN, *wheels)
        assert done.returncode == 0, done.stdout
    done = run(tmp_path, twine, *options, *user, TOKEN, changed)
    words = done.stdout.split()
    assert (done.returncode, "exists:" in words, "(REL008)" in words) == (1, True, True)
    done = run(tmp_path, twine, *options, *user, f"{TOKEN}x", *wheels)
    assert (done.returncode, "403 Forbidden" in done.stdout) == (1, True)
    # twine 7 has this option for PyPI alone; without it, files that are there already are no error.
    done = run(tmp_path, twine, *options, "--skip-existing", *user, TOKEN, *wheels)
    assert (done.returncode, "UnsupportedConfiguration" in done.stdout) == (1, True)


@pytest.mark.network
def test_twine_takes_the_answer_for_a_file_that_exists(twine: str) -> None:
    """Older versions of twine ask nothing but the answer."""
    program = (
        "from types import SimpleNamespace as S; from twine.commands.upload import skip_upload; import sys; "
        "sys.exit(not skip_upload(S(status_code=400, reason='File already exists: x', text=''), True, None))"
    )
    assert subprocess.run([Path(twine).with_name("python"), "-c", program]).returncode == 0


def test_killed_while_it_receives(tmp_path: Path, wheels: list[str]) -> None:
    import base64
    import socket

    path = Path(wheels[1])
    body = upload_form(path.name, path.read_bytes())
    word = base64.b64encode(f"u:{TOKEN}".encode()).decode()
    head = (
        f"POST /legacy/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {word}\r\n"
        f"Content-Type: multipart/form-data; boundary=mark\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    left = tmp_path / "out" / ".uploads"
    with serving(tmp_path) as server:
        port = int(server.index.split(":")[2].partition("/")[0])
        with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
            client.sendall(head.encode() + body[:-100])
            end = time.monotonic() + 60
            while not list(left.glob("*/*")) and time.monotonic() < end:
                time.sleep(0.01)
            server.process.kill()
            server.process.wait(60)
    assert list(left.glob("*/*"))
    assert not list((tmp_path / "out").glob("files/**/*"))
    with serving(tmp_path) as server:
        assert not list(left.iterdir())
        assert uv_publish(tmp_path, server, "--token", TOKEN, *wheels).returncode == 0
        consistent_pages(tmp_path / "out")
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) == 0
    assert not left.exists()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--upload"], "--token-file"),
        (["--token-file", "token"], "goes with --upload"),
        (["--base-url", "https://x"], "--base-url goes with --upload"),
        (["--upload", "--base-url", "http://x"], "https address"),
        (["--verify-provenance", "missing"], "missing: No such file"),
        (["--upload", "--token-file", "missing"], "No such file"),
        (["--upload", "--max-upload", "0"], "--max-upload"),
    ],
)
def test_options_that_do_not_fit(tmp_path: Path, arguments: list[str], problem: str) -> None:
    done = subprocess.run(
        [*_SERVE, "out", "--port", "0", *arguments],
        cwd=tmp_path,
        env={key: value for key, value in os.environ.items() if key != "VARIANT_INDEX_UPLOAD_TOKEN"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, problem in done.stderr) == (2, True), done.stderr
    assert not (tmp_path / "out").exists()
