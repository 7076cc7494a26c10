"""variant-pip with indexes behind logins, own certificates and proxies: real pip, real TLS, nothing leaks."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import venv
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.certificates import Certificates, make_certificates
from tests.making import make_wheel
from tests.proxies import TunnelProxy
from tests.variant_index.cli.test_variant_pip import CUDA, INSTALL, MAIN, Shell, said
from tests.variant_index.shim.family import NAME, add_family
from tests.variant_index.upstream.fake_index import FakeIndex
from tests.variant_index.upstream.keyrings import write_program

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="programs as scripts, /proc")

SECRET = "sEcr3t-w0rd"
CHOSEN = f"{NAME}-2.0-py3-none-any-cu128.whl"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("private") / "env"
    venv.create(folder, with_pip=True)
    return folder


@pytest.fixture
def shell(environment: Path, tmp_path: Path) -> Shell:
    home = tmp_path / "home"
    (home / "tmp").mkdir(parents=True)
    shell = Shell(environment, home)
    shell.variables["TMPDIR"] = str(home / "tmp")
    return shell


@pytest.fixture
def index(tmp_path: Path, certificates: Certificates) -> Iterator[FakeIndex]:
    """Serve the family over https, to one user only."""
    with FakeIndex(certificates.server_context()) as index:
        add_family(index, tmp_path / "upstream")
        index.login = f"user:{SECRET}"
        yield index


def with_login(index: FakeIndex, login: str = f"user:{SECRET}") -> str:
    return index.url.replace("://", f"://{login}@")


def command_lines(session: int) -> set[str]:
    """Return the command lines of all processes of a session, as any user of the machine can see them."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.getsid(int(entry.name)) == session:
                found.add((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found


def open_files(folder: Path) -> set[str]:
    """Return what is in the files that other users may read."""
    found = set()
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            with suppress(OSError):
                if path.stat().st_mode & 0o077:
                    found.add(path.read_text(errors="replace"))
    return found


def watched(shell: Shell, *arguments: str, **variables: str) -> tuple[subprocess.CompletedProcess[str], str]:
    """Run variant-pip; return also everything that others could see: command lines, files open to them."""
    seen: set[str] = set()
    with shell.start([sys.executable, "-c", MAIN], *arguments, **{**CUDA, **variables}) as process:
        over = threading.Event()

        def watch() -> None:
            while not over.is_set():
                seen.update(command_lines(process.pid))
                seen.update(open_files(shell.folder / "tmp"))
                time.sleep(0.005)

        watcher = threading.Thread(target=watch)
        watcher.start()
        stdout, stderr = process.communicate(timeout=120)
        over.set()
        watcher.join()
    assert any("runpy" in line for line in seen)  # pip was seen
    return subprocess.CompletedProcess([], process.returncode, stdout, stderr), "\n".join(seen)


@pytest.mark.parametrize("source", ["variable", "file", "requirements"])
def test_a_login_in_the_url_works_and_shows_nowhere(
    source: str, shell: Shell, index: FakeIndex, certificates: Certificates
) -> None:
    (shell.folder / "own.conf").write_text(
        f"[global]\nindex-url = {with_login(index)}\ncert = {certificates.authority}\n"
    )
    (shell.folder / "r.txt").write_text("--index-url ${PRIVATE}\n")
    options, variables = {
        "variable": ([], {"PIP_INDEX_URL": with_login(index), "PIP_CERT": str(certificates.authority)}),
        "file": ([], {"PIP_CONFIG_FILE": "own.conf"}),
        "requirements": (
            ["-r", "r.txt"],
            {"PRIVATE": with_login(index), "SSL_CERT_FILE": str(certificates.authority)},
        ),
    }[source]
    report = ("--report", "report.json")
    done, seen = watched(shell, *INSTALL, "-vvv", *report, *options, **variables)
    assert done.returncode == 0, done.stderr
    assert shell.installed() == CHOSEN
    assert set(index.logins) >= {f"/simple/{NAME}/ user:{SECRET}", f"/files/{CHOSEN} user:{SECRET}"}
    texts = [done.stdout, done.stderr, seen, (shell.folder / "report.json").read_text()]
    assert not any(SECRET in text for text in texts)
    assert f"{index.root}/files/" in texts[-1]
    cached = [path for path in shell.folder.rglob("*") if path.is_file() and ".cache" in path.parts]
    assert not any(SECRET.encode() in path.read_bytes() for path in cached)


def test_netrc(shell: Shell, index: FakeIndex, certificates: Certificates) -> None:
    (shell.folder / ".netrc").write_text(f"machine 127.0.0.1 login user password {SECRET}\n")
    (shell.folder / ".netrc").chmod(0o600)
    done, seen = watched(shell, *INSTALL, "-i", index.url, REQUESTS_CA_BUNDLE=str(certificates.authority))
    assert done.returncode == 0, done.stderr
    assert shell.installed() == CHOSEN
    assert SECRET not in done.stdout + done.stderr + seen


@pytest.mark.parametrize("provider", ["default", "subprocess"])
def test_keyring(provider: str, shell: Shell, index: FakeIndex, certificates: Certificates) -> None:
    log = write_program(shell.folder / "bin", {(index.url, "user"): SECRET})
    path = f"{shell.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    variables = {"PATH": path, "PIP_CERT": str(certificates.authority)}
    if provider != "default":
        variables["PIP_KEYRING_PROVIDER"] = provider
    done, seen = watched(shell, *INSTALL, "-i", with_login(index, "user"), **variables)
    assert done.returncode == 0, done.stderr
    assert shell.installed() == CHOSEN
    assert log.read_text().splitlines() == [f"get {index.url} user"]
    assert SECRET not in done.stdout + done.stderr + seen


def test_without_a_login_our_line_says_what_to_do(
    shell: Shell, index: FakeIndex, certificates: Certificates
) -> None:
    log = write_program(shell.folder / "bin", {(index.url, ""): SECRET})
    variables = {
        "PATH": f"{shell.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PIP_CERT": str(certificates.authority),
    }
    for option in ("--keyring-provider=disabled", "--no-input"):
        done = shell.variant_pip(*INSTALL, "-i", index.url, option, **variables)
        assert done.returncode == 1
        last = done.stderr.splitlines()[-1]
        assert last.startswith(
            f"variant-pip: error: index {index.url} answered 401 for project {NAME}: put the"
        )
        assert "No matching distribution" in done.stderr
    assert not log.exists()


def test_own_certificates_both_ways(
    shell: Shell, tmp_path: Path, certificates: Certificates, index: FakeIndex
) -> None:
    with FakeIndex(certificates.server_context(ask_client=True)) as strict:
        add_family(strict, tmp_path / "strict")
        trust = ("-i", strict.url, "--cert", str(certificates.authority))
        done = shell.variant_pip(*INSTALL, *trust, "--client-cert", str(certificates.client))
        assert done.returncode == 0, done.stderr
        assert shell.installed() == CHOSEN
        done = shell.variant_pip(*INSTALL, *trust, "--upgrade")
        assert done.returncode == 1
        assert strict.url in said(done)[-1]
    done = shell.variant_pip(*INSTALL, "-i", with_login(index))
    assert "certificate verify failed" in said(done)[-1]
    assert SECRET not in done.stderr + done.stdout


def test_a_proxy_with_a_password(shell: Shell, index: FakeIndex, certificates: Certificates) -> None:
    variables = {"PIP_INDEX_URL": with_login(index), "PIP_CERT": str(certificates.authority)}
    with TunnelProxy(f"me:{SECRET}2") as proxy:
        address = f"http://me:{SECRET}2@{proxy.authority}"
        for way in ({"PIP_PROXY": address}, {"HTTPS_PROXY": address}):
            done, seen = watched(shell, *INSTALL, "--upgrade", **variables, **way)
            assert done.returncode == 0, done.stderr
            assert set(proxy.tunnels) == {index.root.partition("//")[2]}  # not the shim
            proxy.tunnels.clear()
            assert SECRET not in done.stdout + done.stderr + seen
        without = shell.variant_pip(
            *INSTALL, "--upgrade", **variables, HTTPS_PROXY=address, NO_PROXY="127.0.0.1"
        )
        assert (without.returncode, proxy.tunnels) == (0, [])
        wrong = shell.variant_pip(
            *INSTALL, "--upgrade", **variables, PIP_PROXY=address.replace("me:", "you:")
        )
        assert "through the proxy" in said(wrong)[-1]
        assert SECRET not in wrong.stdout + wrong.stderr


def test_an_offline_mirror(shell: Shell, index: FakeIndex, tmp_path: Path) -> None:
    from variant_index.cli.main import main as variant_index

    folder = tmp_path / "upstream"
    site = tmp_path / "site"
    assert variant_index(["build", str(folder), "--out", str(site)]) == 0
    (shell.folder / "r.txt").write_text(f"-i {(site / 'simple').as_uri()}\n{NAME}\n")
    done = shell.variant_pip("install", "--target", "target", "-r", "r.txt", VARIANT_INDEX_TORCH_INDEX="off")
    assert done.returncode == 0, done.stderr
    assert "-cu128" in shell.installed()
    (shell.folder / "r.txt").write_text(f"--no-index\n-f {folder}\n{NAME}\n")
    done = shell.variant_pip("install", "--target", "target", "--upgrade", "-r", "r.txt")
    assert done.returncode == 0, done.stderr
    assert index.requests == []


def test_a_dead_index_is_named_last_and_soon(shell: Shell, index: FakeIndex) -> None:
    dead = "https://127.0.0.1:9/simple/"
    begun = time.monotonic()
    done = shell.variant_pip(*INSTALL, "-i", dead, "--extra-index-url", index.url)
    assert time.monotonic() - begun < 60
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"variant-pip: error: index {dead} cannot be read: ")
    assert last.endswith("; this is why pip found nothing")
    assert index.requests == []  # a failing source is no reason to go on to the next


def test_routes_and_merging(shell: Shell, tmp_path: Path) -> None:
    with FakeIndex() as first, FakeIndex() as second:
        for index, version in ((first, "1.0"), (second, "2.0")):
            wheel = make_wheel(tmp_path / version, f"thing-{version}-py3-none-any.whl")
            index.add_project("thing", [index.add_file(wheel)])
        arguments = ("download", "thing", "-d", "got", "-i", first.url, "--extra-index-url", second.url)

        def got(**variables: str) -> str:
            done = shell.variant_pip(*arguments, **variables)
            assert done.returncode == 0, done.stderr
            (file,) = (shell.folder / "got").iterdir()
            file.unlink()
            return file.name.split("-")[1]

        assert got() == "1.0"
        assert got(VARIANT_INDEX_MERGE="thing") == "2.0"
        assert got(VARIANT_INDEX_ROUTE=f"th*={second.url}") == "2.0"
        done = shell.variant_pip(*arguments, VARIANT_INDEX_ROUTE="thing")
        assert (done.returncode, "PATTERN=URL" in done.stderr) == (2, True)
