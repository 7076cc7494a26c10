"""Real installers and wheels with variant markers: what is installed, and whether they call it consistent."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.making import zip_bytes
from tests.variant_index.shim.family import cpu_machine
from tests.variant_index.shim.marked import LIBRARIES, NAME, REQUIRES, add_marked
from tests.variant_index.shim.serving import running_shim
from tests.variant_index.shim.test_markers import members
from tests.variant_index.shim.test_real_clients import environment
from tests.variant_index.upstream.fake_index import FakeIndex
from variant_index.upstream.cache import DiskCache

UPSTREAM = f"{NAME}-2.0-py3-none-any-cu128.whl"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty environment."""
    place = tmp_path / "environment"
    run(tmp_path, "-m", "uv", "venv", "--quiet", "--python", sys.executable, str(place))
    return place


def run(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
    )


def install(
    client: str, tmp_path: Path, folder: Path, index_url: str, what: Sequence[str]
) -> subprocess.CompletedProcess[str]:
    python = str(folder / "bin" / "python")
    if client == "pip":
        command = ["-m", "pip", "--python", python, "install", "--index-url", index_url]
    else:
        command = ["-m", "uv", "pip", "install", "--python", python, "--default-index", index_url]
    return run(tmp_path, *command, *what)


def check(client: str, tmp_path: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    python = str(folder / "bin" / "python")
    if client == "pip":
        return run(tmp_path, "-m", "pip", "--python", python, "check")
    return run(tmp_path, "-m", "uv", "pip", "check", "--python", python)


def installed(folder: Path) -> set[str]:
    return {path.name.partition("-")[0] for path in folder.glob("lib/*/site-packages/*.dist-info")}


@pytest.fixture
def index(tmp_path: Path) -> Iterator[FakeIndex]:
    with FakeIndex() as index:
        add_marked(index, tmp_path / "files", v1_0=["plainlib"], v2_0=REQUIRES)
        yield index


@pytest.mark.parametrize("client", ["pip", "uv"])
@pytest.mark.parametrize(
    ("what", "libraries"),
    [
        (NAME, "plainlib gpulib cu128lib"),
        (f"{NAME}[more]", "plainlib gpulib cu128lib extralib"),
        ("on a machine without a GPU", "plainlib"),
    ],
)
def test_dependencies_follow_the_variant(
    index: FakeIndex, folder: Path, client: str, what: str, libraries: str
) -> None:
    tmp_path, expected = folder.parent, {NAME, *libraries.split()}
    machine, wanted = (cpu_machine, NAME) if " " in what else (None, what)
    cache = DiskCache(tmp_path / "cache")
    for _ in range(2):  # without a hash, then with the new one
        with running_shim(index.url, machine=machine, cache=cache) as shim:
            done = install(client, tmp_path, folder, shim.index_url, [wanted])
            assert done.returncode == 0, done.stderr
            assert "inconsistent" not in done.stderr
            assert shim.journal.warnings == shim.journal.failures == ()
        assert installed(folder) == expected
        checked = check(client, tmp_path, folder)
        assert checked.returncode == 0, checked.stdout + checked.stderr
        python = str(folder / "bin" / "python")
        run(tmp_path, "-m", "uv", "pip", "uninstall", "--python", python, *expected)


@pytest.mark.parametrize("client", ["pip", "uv"])
def test_metadata_at_the_beginning_of_the_wheel(
    index: FakeIndex, tmp_path: Path, folder: Path, client: str
) -> None:
    route = index.routes[next(path for path in index.routes if path.endswith(UPSTREAM))]
    entries = members(route.body)
    name = f"{NAME}-2.0.dist-info/METADATA"
    route.body = zip_bytes({name: entries[name], **entries})
    page = json.loads(index.routes[f"/simple/{NAME}/"].body)
    for file in page["files"]:
        if file["filename"] == UPSTREAM:
            file |= {"hashes": {"sha256": hashlib.sha256(route.body).hexdigest()}, "size": len(route.body)}
    index.routes[f"/simple/{NAME}/"].body = json.dumps(page).encode()
    with running_shim(index.url) as shim:
        done = install(client, tmp_path, folder, shim.index_url, [NAME])
        assert done.returncode == 0, done.stderr
        assert shim.journal.warnings == shim.journal.failures == ()
    assert installed(folder) == {NAME, "plainlib", "gpulib", "cu128lib"}
    assert check(client, tmp_path, folder).returncode == 0


@pytest.mark.parametrize("client", ["pip", "uv"])
def test_wrong_bytes_are_not_installed(index: FakeIndex, tmp_path: Path, folder: Path, client: str) -> None:
    path = next(path for path in index.routes if path.endswith(UPSTREAM))
    evil = bytearray(index.routes[path].body)
    evil[evil.index(b".py") + 4] ^= 1
    index.routes[path].body = bytes(evil)
    with running_shim(index.url) as shim:
        done = install(client, tmp_path, folder, shim.index_url, [f"{NAME}==2.0"])
        assert done.returncode != 0
        assert "does not have the sha256" in shim.journal.failures[0]
    assert NAME not in installed(folder)


@pytest.mark.parametrize("client", ["pip", "uv"])
def test_required_hashes_do_not_fit_and_a_line_says_why(
    index: FakeIndex, tmp_path: Path, folder: Path, client: str
) -> None:
    digests = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in [*tmp_path.glob("files/*.whl"), tmp_path / "files" / "v2_0" / UPSTREAM]
    }
    lines = [
        f"{name.partition('-')[0]}=={name.split('-')[1]} --hash=sha256:{d}" for name, d in digests.items()
    ]
    (tmp_path / "requirements.txt").write_text("\n".join(lines))
    with running_shim(index.url) as shim:
        what = ["--require-hashes", "-r", str(tmp_path / "requirements.txt")]
        done = install(client, tmp_path, folder, shim.index_url, what)
        assert done.returncode != 0
        hints = [hint for hint in shim.journal.hints if "--require-hashes cannot work" in hint]
        assert len(hints) == 1
        assert UPSTREAM in hints[0]
    assert not installed(folder) & {NAME, *LIBRARIES}
