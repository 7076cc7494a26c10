"""A shim for a team: real processes, real signals, real installers."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.variant_index.shim.family import NAME, add_family, cuda_machine
from tests.variant_index.upstream.fake_index import FakeIndex, Route
from variant_index.simple_api.render import JSON_TYPE

PROGRAM = "import sys; from variant_index.cli import main; sys.exit(main(sys.argv[1:]))"
PAGE = b'{"name": "slow", "files": [], "meta": {"api-version": "1.1"}}'


@dataclass
class Answer:
    """What came back."""

    status: int
    body: str
    headers: Mapping[str, str]


@dataclass
class Service:
    """A running shim and its folder."""

    process: subprocess.Popen[str]
    first_line: str
    folder: Path

    @property
    def port(self) -> int:
        found = re.search(r":([0-9]+)/", self.first_line)
        assert found is not None
        return int(found[1])

    @property
    def token(self) -> str:
        return (self.folder / "token").read_text().strip()

    def url(self, *parts: str) -> str:
        return "/".join([f"http://127.0.0.1:{self.port}/{self.token}", *parts, "simple/"])

    def ask(self, path: str, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", path, headers=named)
        response = connection.getresponse()
        answer = Answer(response.status, response.read().decode(), dict(response.headers))
        connection.close()
        return answer

    def metrics(self, *lines: str) -> str:
        """Return the metrics once they have these lines: an answer is counted right after it is sent."""
        deadline = time.monotonic() + 60
        while True:
            answer = self.ask("/metrics", Authorization=f"Bearer {self.token}")
            assert answer.status == 200
            missing = [line for line in lines if f"{line}\n" not in answer.body]
            if not missing:
                return answer.body
            assert time.monotonic() < deadline, missing

    def stop(self) -> tuple[int, str]:
        """Send SIGTERM; return status and stderr."""
        self.process.send_signal(signal.SIGTERM)
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, err


def environment(folder: Path) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PIP_", "UV_", "VARIANT_INDEX_", "VIRTUAL_ENV"))
    }
    return {
        **kept,
        "XDG_CACHE_HOME": str(folder / "cache"),
        "VARIANT_INDEX_CONFIG": "off",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_CACHE_DIR": "1",
        "UV_CACHE_DIR": str(folder / "uv-cache"),
        "UV_NO_CONFIG": "1",
    }


def command(folder: Path, *arguments: str, listen: str = "127.0.0.1:0") -> list[str]:
    # Joined, so that an argument may override it.
    own = [
        "--listen",
        listen,
        "--token-file",
        str(folder / "token"),
        "--machine",
        "cpu",
        "--torch-index",
        "off",
    ]
    return [sys.executable, "-c", PROGRAM, "shim", *own, *arguments]


def refused(folder: Path, *arguments: str, listen: str = "127.0.0.1:0") -> str:
    """Start a shim that must end with status 2; return its one line."""
    done = subprocess.run(
        command(folder, *arguments, listen=listen),
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    return done.stderr


@contextmanager
def running(
    folder: Path, *arguments: str, listen: str = "127.0.0.1:0", **variables: str
) -> Iterator[Service]:
    process = subprocess.Popen(
        command(folder, *arguments, listen=listen),
        env={**environment(folder), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        yield Service(process, line, folder)
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[FakeIndex]:
    with FakeIndex() as index:
        add_family(index, tmp_path / "files")
        yield index


def test_the_secret_is_kept_and_not_shown(index: FakeIndex, tmp_path: Path) -> None:
    with running(tmp_path, "-i", index.url) as first:
        token, port = first.token, first.port
        assert first.first_line == f"http://127.0.0.1:{port}/$(cat {tmp_path / 'token'})/simple/\n"
        assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600
        assert first.ask(f"/{token}/simple/{NAME}/").status == 200
        assert first.ask(f"/{token[::-1]}/simple/{NAME}/").status == 404
        assert first.stop() == (0, "")
    with running(tmp_path, "-i", index.url, listen=f"127.0.0.1:{port}") as second:
        assert second.ask(f"/{token}/simple/{NAME}/").status == 200
        assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "files", "token"]


def test_a_secret_that_is_none(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("x" * 40 + "\n")
    token.chmod(0o640)
    assert refused(tmp_path) == (
        f"error: token file {token}: others may use it (mode 0640); chmod 600 {token}\n"
    )
    token.chmod(0o600)
    for text in ("short\n", "x" * 31, "x" * 40 + "\nmore\n", "/" * 40, ""):
        token.write_text(text)
        assert "it must hold one line of 32 to 128" in refused(tmp_path)
    token.rename(tmp_path / "elsewhere")
    token.symlink_to(tmp_path / "elsewhere")
    assert refused(tmp_path) == f"error: token file {token}: it is a link\n"


def test_one_instance_a_port(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        assert refused(tmp_path, listen=f"127.0.0.1:{service.port}") == (
            f"error: cannot listen on 127.0.0.1 port {service.port}: Address already in use\n"
        )
        assert service.ask("/healthz").status == 200


@pytest.mark.parametrize(
    ("listen", "arguments", "message"),
    [
        ("127.0.0.1", [], "listen: '127.0.0.1' is not HOST:PORT"),
        ("127.0.0.1:99999", [], "cannot listen on 127.0.0.1 port 99999: "),
        ("no-such-host.invalid:1", [], "cannot listen on no-such-host.invalid port 1: "),
        ("0.0.0.0:0", [], "listen: others can reach 0.0.0.0:"),
        ("127.0.0.1:0", ["--allow-host", "a/b"], "allow-host: 'a/b' is not HOST or HOST:PORT"),
        ("127.0.0.1:0", ["--port", "1"], "--port and --listen exclude each other"),
        ("127.0.0.1:0", ["--machine-profile", "a"], "machine-profile: 'a' is not NAME=FILE"),
        ("127.0.0.1:0", ["--machine-profile", "a=no.json"], "machine-profile a: no.json: no such file"),
        ("systemd", [], "--listen systemd: this process was not started with one listening socket"),
    ],
)
def test_what_cannot_be_listened_on(tmp_path: Path, listen: str, arguments: list[str], message: str) -> None:
    assert refused(tmp_path, *arguments, listen=listen).startswith(f"error: {message}")


def test_others_must_name_an_allowed_host(tmp_path: Path) -> None:
    with running(
        tmp_path, "--allow-host", "Shim.Example", "--allow-host", "other.example:80", listen="0.0.0.0:0"
    ) as service:
        assert service.first_line.startswith(f"http://Shim.Example:{service.port}/$(cat ")
        root = f"/{service.token}/simple/"
        for host in ("shim.example", f"SHIM.example:{service.port}", "other.example:80"):
            assert service.ask(root, Host=host).status == 200, host
        for host in (
            "evil.example",
            "other.example",
            "shim.example:1",
            "localhost",
            f"127.0.0.1:{service.port}",
        ):
            assert service.ask(root, Host=host).status == 421, host
        assert service.ask("/healthz", Host="10.0.0.1").body == "ok\n"
        assert service.ask("/metrics", Host="10.0.0.1").status == 421
        status, err = service.stop()
        assert status == 0
        assert err.startswith(f"warning: 0.0.0.0:{service.port} is plain http: ")


def test_metrics_count_and_tell_no_names(index: FakeIndex, tmp_path: Path) -> None:
    index.login = "user:secretword"
    url = index.url.replace("://", "://user:secretword@")
    index.routes["/simple/kept/"] = Route(
        PAGE, JSON_TYPE, headers={"ETag": '"1"'}, unless=("If-None-Match", '"1"')
    )
    with running(tmp_path, VARIANT_INDEX_INDEX_URL=url) as service:
        below = f"/{service.token}/simple"
        for path in ("kept/", "kept/", "none/", "../x"):
            service.ask(f"{below}/{path}", Accept=JSON_TYPE)
        index.routes["/simple/broken/"] = Route(status=500)
        assert service.ask(f"{below}/broken/").status == 424
        assert service.ask("/metrics").status == 401
        assert service.ask("/metrics", Authorization="Bearer x").headers["WWW-Authenticate"] == "Bearer"
        service.ask("/healthz")
        text = service.metrics(
            'variant_index_requests_total{kind="page",code="200"} 2',
            'variant_index_requests_total{kind="page",code="404"} 1',
            'variant_index_requests_total{kind="page",code="424"} 1',
            'variant_index_requests_total{kind="other",code="404"} 1',
            'variant_index_requests_total{kind="metrics",code="401"} 2',
            'variant_index_requests_total{kind="health",code="200"} 1',
            'variant_index_request_seconds_count{kind="page"} 4',
            'variant_index_request_seconds_bucket{kind="page",le="+Inf"} 4',
            'variant_index_upstream_requests_total{code="304"} 1',
            'variant_index_upstream_requests_total{code="500"} 1',
            "variant_index_connections 1",
            "variant_index_machines 1",
        )
        for name in ("secretword", service.token, "kept", "127.0.0.1"):
            assert name not in text
        samples = [line for line in text.splitlines() if not line.startswith("#")]
        assert all(
            re.fullmatch(r'[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? [0-9.]+', one) for one in samples
        )
        _, err = service.stop()
        assert "secretword" not in err
        assert service.token not in err


def test_a_shim_for_one_machine_has_neither(index: FakeIndex, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "shim", "-i", index.url],
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        service = Service(process, process.stdout.readline(), tmp_path)
        assert [service.ask(path).status for path in ("/healthz", "/metrics")] == [404, 404]
        root = service.first_line.partition(str(service.port))[2].strip().removesuffix("simple/")
        assert [service.ask(f"{root}{path}simple/").status for path in ("", "m/cpu/", "py3.12/")] == [
            200,
            404,
            404,
        ]
    finally:
        process.kill()
        process.communicate()


def wait_until_refused(port: int) -> None:
    """Return once nobody listens at a port any more."""
    deadline = time.monotonic() + 60
    while True:
        with socket.socket() as asking:
            if asking.connect_ex(("127.0.0.1", port)):
                return
        assert time.monotonic() < deadline


def test_what_was_begun_is_finished(index: FakeIndex, tmp_path: Path) -> None:
    index.routes["/simple/slow/"] = Route(PAGE, JSON_TYPE, seconds_before=1.5)
    with running(tmp_path, "-i", index.url, "--stop-timeout", "60") as service:
        answers: list[Answer] = []
        path = f"/{service.token}/simple/slow/"
        asking = threading.Thread(target=lambda: answers.append(service.ask(path, Accept=JSON_TYPE)))
        idle = socket.create_connection(("127.0.0.1", service.port))
        asking.start()
        while "GET /simple/slow/" not in index.requests:
            time.sleep(0.01)
        service.process.send_signal(signal.SIGTERM)
        idle.settimeout(60)
        assert idle.recv(1) == b""  # who asks for nothing is not waited for
        wait_until_refused(service.port)
        _, err = service.process.communicate(timeout=60)
        asking.join()
        assert (service.process.returncode, err) == (0, "")
        assert (answers[0].status, answers[0].body) == (200, PAGE.decode())


def test_not_for_ever(index: FakeIndex, tmp_path: Path) -> None:
    index.routes["/simple/slow/"] = Route(PAGE, JSON_TYPE, seconds_before=300)
    for signals, limit in ((1, "0.5"), (2, "300")):
        with running(tmp_path, "-i", index.url, "--stop-timeout", limit) as service:
            index.requests.clear()
            asking = socket.create_connection(("127.0.0.1", service.port))
            head = f"GET /{service.token}/simple/slow/ HTTP/1.1\r\nHost: 127.0.0.1:{service.port}\r\n\r\n"
            asking.sendall(head.encode())
            while "GET /simple/slow/" not in index.requests:
                time.sleep(0.01)
            service.process.send_signal(signal.SIGTERM)
            if signals == 2:
                wait_until_refused(service.port)
                service.process.send_signal(signal.SIGTERM)
            _, err = service.process.communicate(timeout=120)
            asking.close()
            if signals == 1:
                assert (service.process.returncode, err) == (
                    0,
                    "warning: 1 answers were not finished in time\n",
                )
            else:
                assert service.process.returncode == -signal.SIGTERM


@pytest.mark.parametrize("client", ["pip", "uv"])
def test_two_machines_get_what_each_can_run(index: FakeIndex, tmp_path: Path, client: str) -> None:
    (tmp_path / "box.json").write_text(cuda_machine("12.6").model_dump_json())
    profile = f"gpu-box={tmp_path / 'box.json'}"
    with running(tmp_path, "-i", index.url, "--machine-profile", profile) as service:
        version = f"py{sys.version_info[0]}.{sys.version_info[1]}"
        paths = {("m", "gpu-box"): "cu126", ("m", "cuda12.8", version): "cu128", (): "null"}
        for number, (path, label) in enumerate(paths.items()):
            target = tmp_path / f"target{number}"
            url = service.url(*path)
            if client == "pip":
                install = ["pip", "install", "--index-url", url, "--target", str(target), NAME]
            else:
                where = ["--python", sys.executable, "--target", str(target)]
                install = ["uv", "pip", "install", "--default-index", url, *where, NAME]
            done = subprocess.run(
                [sys.executable, "-m", *install],
                env=environment(tmp_path),
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert done.returncode == 0, done.stderr
            (variant,) = target.glob("*.dist-info/variant.json")
            assert f'"{label}"' in variant.read_text(), path
        service.metrics("variant_index_machines 3")


def test_paths_of_machines(index: FakeIndex, tmp_path: Path) -> None:
    with running(tmp_path, "-i", index.url) as service:
        root = f"/{service.token}"
        for path in ("m/cpu/", "m/cuda12.8-sm90/py3.10/", "py3.13/"):
            page = service.ask(f"{root}/{path}simple/{NAME}/", Accept=JSON_TYPE)
            assert page.status == 200
            assert "../../f/" in page.body
            assert service.token not in page.body
            moved = service.ask(f"{root}/{path}simple/V_Torch/")
            assert (moved.status, moved.headers["Location"]) == (302, "../v-torch/")
        for path in ("m/nothing/", "m//", "m/cuda12.8-smx/", "m/../", "py4/", "py3.1234/", "py3.12/m/cpu/"):
            assert service.ask(f"{root}/{path}simple/{NAME}/").status == 404, path
        link = re.search(
            r"\.\./\.\./(f/[^\"]*cu128[^\"#]*)", service.ask(f"{root}/m/cuda12.8/simple/{NAME}/").body
        )
        assert link is not None
        assert service.ask(f"{root}/m/cuda12.8/{link[1]}").status == 302
        assert service.ask(f"{root}/m/cpu/{link[1]}").status == 404


def test_the_service_manager_is_told(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(60)
        with running(tmp_path, NOTIFY_SOCKET=str(path)) as service:
            assert manager.recv(100) == b"READY=1"
            assert service.ask("/healthz").status == 200
            service.process.send_signal(signal.SIGTERM)
            assert manager.recv(100) == b"STOPPING=1"
    with running(tmp_path, NOTIFY_SOCKET=str(tmp_path / "nobody")) as service:
        assert service.stop() == (0, "")


def test_the_service_managers_socket(tmp_path: Path) -> None:
    # What systemd does between fork and exec: socket 3, and the new process' id in a variable.
    starter = (
        "import os, socket, sys\n"
        "s = socket.create_server(('127.0.0.1', 0)); os.dup2(s.fileno(), 3); os.set_inheritable(3, True)\n"
        "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1')\n"
        "os.execv(sys.argv[1], sys.argv[1:])\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", starter, *command(tmp_path, listen="systemd")],
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        service = Service(process, process.stdout.readline(), tmp_path)
        assert service.ask(f"/{service.token}/simple/").status == 200
        assert service.stop() == (0, "")
    finally:
        process.kill()
        process.communicate()
