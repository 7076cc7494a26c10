"""What others on this machine can see of a run: command lines, logs, files."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.variant_index.shim.family import NAME, SIDECAR, add_family
from tests.variant_index.shim.threats.running import shim_process
from tests.variant_index.upstream.fake_index import FakeIndex

SECRET = "sEcr3t-w0rd"
linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux's")


@pytest.fixture
def index(tmp_path: Path) -> Iterator[FakeIndex]:
    with FakeIndex() as index:
        (tmp_path / "files").mkdir()
        add_family(index, tmp_path / "files")
        yield index


def command_lines(parents: set[int]) -> tuple[set[int], list[str], list[str]]:
    """Return the processes below some, what everybody can see of them, and what their user can."""
    lines, own = [], []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = int(entry.joinpath("stat").read_text().rpartition(")")[2].split()[1])
            if parent in parents or int(entry.name) in parents:
                parents.add(int(entry.name))
                lines.append(entry.joinpath("cmdline").read_text())
                own.append(entry.joinpath("environ").read_text())
        except (OSError, ValueError):
            continue
    return parents, lines, own


CLIENTS = {
    "variant-pip": [
        "-c",
        "import sys; from variant_index.cli.variant_pip import main; sys.exit(main())",
        "download",
    ],
    "uv": [
        "-m",
        "variant_index.cli",
        "run",
        "--",
        "uv",
        "pip",
        "install",
        "--dry-run",
        "--python",
        sys.executable,
    ],
}


@linux_only
@pytest.mark.parametrize("client", CLIENTS)
def test_the_token_is_on_no_command_line(client: str, index: FakeIndex, tmp_path: Path) -> None:
    bin_folder = str(Path(sys.executable).parent)
    variables = {
        "PATH": f"{bin_folder}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "PIP_CONFIG_FILE": "/dev/null",
        "NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION": "12.8",
        "NV_VARIANT_PROVIDER_FORCE_SM_ARCH": "9.0",
        "VARIANT_INDEX_TORCH_INDEX": "off",
    }
    index.routes[f"/simple/{NAME}/"].seconds_before = 1  # long enough to be seen
    command = [sys.executable, *CLIENTS[client], NAME, "--index-url", index.url]
    over, seen, own = threading.Event(), set[str](), set[str]()
    with subprocess.Popen(
        command, env=variables, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:

        def watch() -> None:
            known = {process.pid}
            while not over.is_set():
                known, lines, environments = command_lines(known)
                seen.update(lines)
                own.update(environments)
                time.sleep(0.005)

        watcher = threading.Thread(target=watch)
        watcher.start()
        stderr = process.communicate(timeout=120)[1]
        over.set()
        watcher.join()
    assert process.returncode == 0, stderr
    assert index.asked(SIDECAR) == 1  # it went through the shim
    tokens = {
        word.split("/")[3]
        for text in own
        for word in text.replace("=", "\0").split("\0")
        if word.startswith("http://127.0.0.1:") and word.endswith("/simple/") and word != index.url
    }
    assert [len(token) for token in tokens] == [32]  # the client was told, by a variable
    assert not any(token in text for token in tokens for text in seen)


def test_the_log_holds_neither_token_nor_login(index: FakeIndex, tmp_path: Path) -> None:
    index.login = f"user:{SECRET}"
    source = index.url.replace("http://", f"http://user:{SECRET}@")
    with shim_process(tmp_path, variables={"PIP_INDEX_URL": source, "UV_INDEX_URL": source}) as shim:
        pass
    with shim_process(tmp_path, "--index-url", source) as shim:
        for entry in shim.ask(f"{NAME}/").files().values():
            shim.ask(entry["url"])
        index.login = "other:login"
        assert shim.ask(f"{NAME}/").status == 424
        shim.ask(f"/wrong{urlsplit(shim.index_url).path}")
        said, token = shim.said(), urlsplit(shim.index_url).path.split("/")[1]
    assert "answered 401" in said
    assert SECRET not in said
    assert token not in said
    kept = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert kept == [] or not any(
        what.encode() in path.read_bytes() for path in kept for what in (SECRET, token)
    )


@pytest.mark.skipif(sys.platform == "win32", reason="no file modes")
def test_what_is_kept_is_for_its_user_only(index: FakeIndex, tmp_path: Path) -> None:
    for route in index.routes.values():
        route.headers = {"ETag": '"1"'}
    with shim_process(tmp_path, "--index-url", index.url) as shim:
        shim.ask(f"{NAME}/")
    (folder,) = (path for path in (tmp_path / "cache").rglob("pages-*"))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in folder.iterdir())
