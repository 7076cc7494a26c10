"""Real installers through the shim: what their users get, not what the pages say."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from tests.making import make_wheel
from tests.variant_index.shim.family import (
    ANY,
    NAME,
    add_family,
    cpu_machine,
    cuda_machine,
    write_release,
    write_sidecar,
)
from tests.variant_index.shim.serving import running_shim
from tests.variant_index.upstream.fake_index import HTML_TYPE, FakeIndex, Route
from variant_index.model.machine import MachineProfile
from variant_index.shim.endpoint import Endpoint
from variant_index.shim.journal import Journal
from variant_index.shim.server import ShimServer
from variant_index.simple_api.page import ProjectFile
from variant_index.upstream.network import Network
from variant_index.upstream.source import Source

CU128 = f"{NAME}-2.0-py3-none-any-cu128.whl"
Installer = Callable[..., subprocess.CompletedProcess[str]]


def environment(folder: Path) -> Mapping[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PIP_", "UV_", "VIRTUAL_ENV"))
    }
    return {
        **kept,
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_CACHE_DIR": str(folder / "pip-cache"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "UV_CACHE_DIR": str(folder / "uv-cache"),
        "UV_NO_CONFIG": "1",
    }


@pytest.fixture
def pip(tmp_path: Path) -> Installer:
    def run(*arguments: str, index_url: str, target: str = "target") -> subprocess.CompletedProcess[str]:
        place = ["--target", str(tmp_path / target), "--upgrade", "--index-url", index_url]
        return subprocess.run(
            [sys.executable, "-m", "pip", "install", *place, *arguments],
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


@pytest.fixture
def uv(tmp_path: Path) -> Installer:
    def run(*arguments: str, index_url: str, target: str = "target") -> subprocess.CompletedProcess[str]:
        place = ["--target", str(tmp_path / target), "--python", sys.executable, "--default-index", index_url]
        return subprocess.run(
            [sys.executable, "-m", "uv", "pip", "install", *place, *arguments],
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


@pytest.fixture(params=["pip", "uv"])
def installer(request: pytest.FixtureRequest) -> Installer:
    installer: Installer = request.getfixturevalue(request.param)
    return installer


@pytest.fixture
def index(tmp_path: Path) -> Iterator[FakeIndex]:
    with FakeIndex() as index:
        add_family(index, tmp_path / "files")
        yield index


def installed(tmp_path: Path, target: str = "target") -> str:
    """Return the name of the wheel that the installed module came from."""
    namespace: dict[str, str] = {}
    exec((tmp_path / target / f"{NAME}.py").read_text(), namespace)
    return namespace["__file_name__"]


@pytest.mark.parametrize(
    ("machine", "label"),
    [(cuda_machine("12.8"), "cu128"), (cuda_machine("13.0"), "cu130"), (cpu_machine(), "null")],
)
def test_the_chosen_variant_is_installed(
    index: FakeIndex, tmp_path: Path, installer: Installer, machine: MachineProfile, label: str
) -> None:
    with running_shim(index.url, machine=lambda: machine) as shim:
        done = installer(NAME, index_url=shim.index_url)
        assert done.returncode == 0, done.stderr
        assert installed(tmp_path) == f"{NAME}-2.0-py3-none-any-{label}.whl"
        assert [(chosen.version, chosen.label) for chosen in shim.journal.chosen()] == [("2.0", label)]
        assert shim.journal.failures == ()
    assert list((tmp_path / "target").glob("*.dist-info/variant.json"))


def test_a_release_without_a_plain_wheel_is_not_lost(
    index: FakeIndex, tmp_path: Path, installer: Installer
) -> None:
    variants = write_release(tmp_path / "3", "3.0", ["cu126", "null"])[1:]
    older = json.loads(index.routes[f"/simple/{NAME}/"].body)["files"]
    files = [ProjectFile(one["filename"], one["url"], one["hashes"]) for one in older]
    files += [index.add_file(path) for path in [*variants, write_sidecar(tmp_path / "3", version="3.0")]]
    index.add_project(NAME, files, HTML_TYPE)
    with running_shim(index.url) as shim:
        assert installer(NAME, index_url=shim.index_url).returncode == 0
    assert installed(tmp_path) == f"{NAME}-3.0-py3-none-any-cu126.whl"


def test_a_dry_run_reads_metadata_and_no_wheel(index: FakeIndex, pip: Installer) -> None:
    with running_shim(index.url) as shim:
        done = pip("--dry-run", NAME, index_url=shim.index_url)
        assert done.returncode == 0, done.stderr
        assert "Would install vtorch-2.0" in done.stdout
        assert index.asked(f"{CU128}.metadata") == 1
        assert index.asked(f"{CU128}") - index.asked(f"{CU128}.metadata") == len(index.ranges) == 1
        assert shim.journal.chosen() == []


@pytest.mark.parametrize(("hashed", "works"), [("cu128", True), ("cu126", False), ("all", True)])
def test_required_hashes(
    index: FakeIndex, tmp_path: Path, installer: Installer, hashed: str, works: bool
) -> None:
    paths = sorted((tmp_path / "files").glob(f"{NAME}-2.0-*-{'*' if hashed == 'all' else hashed}.whl"))
    digests = " ".join(f"--hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}" for path in paths)
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"{NAME}==2.0 {digests}\n")
    with running_shim(index.url) as shim:
        done = installer("--require-hashes", "-r", str(requirements), index_url=shim.index_url)
    assert (done.returncode == 0) is works, done.stderr
    assert (tmp_path / "target" / f"{NAME}.py").exists() is works


def test_wrong_bytes_are_never_installed(index: FakeIndex, tmp_path: Path, installer: Installer) -> None:
    other = make_wheel(tmp_path / "other", CU128, files={f"{NAME}.py": b"evil = True\n"})
    index.routes[f"/files/{CU128}"] = Route(other.read_bytes())
    with running_shim(index.url) as shim:
        done = installer(NAME, index_url=shim.index_url)
    assert done.returncode != 0
    assert not (tmp_path / "target" / f"{NAME}.py").exists()


def test_an_unusable_document_installs_the_default_wheel(
    index: FakeIndex, tmp_path: Path, installer: Installer
) -> None:
    index.routes[f"/files/{NAME}-2.0-variants.json"].body = b"not json"
    with running_shim(index.url) as shim:
        assert installer(NAME, index_url=shim.index_url).returncode == 0
        assert shim.journal.warnings
    assert installed(tmp_path) == f"{NAME}-2.0-py3-none-any.whl"


def test_dependencies_come_from_the_same_sources(
    index: FakeIndex, tmp_path: Path, installer: Installer
) -> None:
    app = make_wheel(tmp_path / "links", "app-1.0-py3-none-any.whl", requires_dist=[NAME])
    with running_shim(index.url, Source.find_links(str(app.parent))) as shim:
        done = installer("app", index_url=shim.index_url)
    assert done.returncode == 0, done.stderr
    assert installed(tmp_path) == CU128


def test_a_wheelhouse_is_resolved_without_copying_wheels(tmp_path: Path, pip: Installer) -> None:
    make_wheel(tmp_path / "links", "app-1.0-py3-none-any.whl", requires_dist=[NAME])
    write_release(tmp_path / "links")
    write_sidecar(tmp_path / "links")
    with running_shim(Source.find_links(str(tmp_path / "links"))) as shim:
        done = pip("--dry-run", "app", index_url=shim.index_url)
        assert "Would install app-1.0 vtorch-2.0" in done.stdout
        assert "Downloading app-1.0-py3-none-any.whl.metadata" in done.stdout
        assert f"Downloading {NAME}-2.0-0_cu128-py3-none-any.whl.metadata" in done.stdout
        assert pip("app", index_url=shim.index_url).returncode == 0
    assert installed(tmp_path) == CU128


def test_a_broken_index_fails_quickly_and_says_so(index: FakeIndex, pip: Installer) -> None:
    index.routes[f"/simple/{NAME}/"] = Route(status=500)
    with running_shim(index.url) as shim:
        done = pip(NAME, index_url=shim.index_url)
        assert done.returncode == 1
        assert index.asked(f"/simple/{NAME}/") == 1  # pip waits before it asks again
        (failure,) = shim.journal.failures
        assert failure.endswith(f"{index.url}{NAME}/ answered 500 Internal Server Error")


def test_a_document_that_cannot_be_fetched_now_is_no_reason_for_another_build(
    index: FakeIndex, tmp_path: Path, installer: Installer
) -> None:
    index.routes[f"/files/{NAME}-2.0-variants.json"] = Route(status=503)
    with running_shim(index.url) as shim:
        assert installer(NAME, index_url=shim.index_url).returncode != 0
        assert "503" in shim.journal.failures[0]
    assert not (tmp_path / "target" / f"{NAME}.py").exists()


def test_uv_shows_the_failing_index(index: FakeIndex, uv: Installer) -> None:
    index.routes[f"/simple/{NAME}/"] = Route(status=500)
    with running_shim(index.url) as shim:
        done = uv(NAME, index_url=shim.index_url)
        assert index.asked(f"/simple/{NAME}/") == 1
    assert done.returncode != 0
    assert "424" in done.stderr


def test_uv_takes_no_stale_variant_from_its_cache(index: FakeIndex, tmp_path: Path, uv: Installer) -> None:
    first = Endpoint.open()
    port = first.listener.getsockname()[1]
    for target, version in (("t0", "12.8"), ("t1", "13.0")):
        # The same address for both: what a user with a fixed port has after a driver update.
        endpoint = first if target == "t0" else Endpoint(Endpoint.open(port).listener, first.token)
        profile = partial(cuda_machine, version)
        server = ShimServer(
            [Source(index.url)], Network(), profile, lambda: ANY, Journal(), endpoint=endpoint
        )
        with server:
            assert uv(NAME, index_url=server.index_url, target=target).returncode == 0
    assert installed(tmp_path, "t0") == CU128
    assert installed(tmp_path, "t1") == f"{NAME}-2.0-py3-none-any-cu130.whl"
