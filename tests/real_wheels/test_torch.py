"""A real torch wheel through the publisher's whole line: check, repack, build, serve, install.

Set TORCH_WHEEL to the path of a CPU build from PyTorch's index, `torch-...+cpu-...whl`, to run this.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.tags import sys_tags

from tests.variant_index.publish.clients import uv_install
from variant_index.model.filename import WheelFilename

BACKENDS = ("cu126", "cu130")
# Machine -> what is chosen there; without a driver the variables say so.
MACHINES = {
    "13.0": "cu130",
    "12.8": "cu126",
    "none": "",
}


@pytest.fixture(scope="module")
def wheel() -> Path:
    path = os.environ.get("TORCH_WHEEL")
    if not path or not Path(path).is_file():
        pytest.skip("TORCH_WHEEL does not name a wheel of torch")
    if not {*WheelFilename.parse(Path(path).name).tags} & {*sys_tags()}:
        pytest.skip("the wheel that TORCH_WHEEL names is not for this Python")
    return Path(path)


def variant_index(*arguments: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "variant_index.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def repacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the variants of a release; its builds for CUDA are the CPU build under their names."""
    folder = tmp_path_factory.mktemp("torch")
    for backend in BACKENDS:
        rules = folder / f"{backend}.toml"
        rules.write_text(f'[[rule]]\nname = "torch"\ndefault = true\nkeep-local = "{backend}"\n')
        variant_index("repack", wheel, "--rules", rules, "--out", folder / "whl" / backend)
    out = folder / "wheels"
    for state in ("written", "done"):
        report = json.loads(variant_index("repack", wheel, folder / "whl", "--out", out, "--json"))
        files = [file for source in report["wheels"] for file in source["files"]]
        assert {file["label"]: file["state"] for file in files} == dict.fromkeys(("", *BACKENDS), state)
    return out


def test_nothing_is_wrong_with_it(wheel: Path, repacked: Path) -> None:
    for paths in ([wheel], [repacked]):
        report = json.loads(variant_index("check", "--json", *paths))
        assert [finding for finding in report["findings"] if finding["severity"] != "note"] == []


def test_the_payload_is_the_same(wheel: Path, repacked: Path) -> None:
    def payload(path: Path) -> list[tuple[str, int, int]]:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if ".dist-info/" not in entry.filename]
            return [(entry.filename, entry.CRC, entry.compress_size) for entry in entries]

    wanted = payload(wheel)
    assert len(wanted) > 1000
    assert all(payload(made) == wanted for made in repacked.glob("*.whl"))


@pytest.fixture(scope="module")
def index_url(repacked: Path) -> Iterator[str]:
    site = repacked.parent / "site"
    variant_index("build", repacked, "--out", site)
    serve = [sys.executable, "-m", "variant_index.cli", "serve", str(site), "--port", "0"]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.terminate()


@pytest.mark.parametrize("driver", MACHINES)
def test_each_machine_gets_its_build(driver: str, index_url: str, tmp_path: Path) -> None:
    machine = {
        "NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION": driver,
        "NV_VARIANT_PROVIDER_FORCE_SM_ARCH": "none" if driver == "none" else "9.0",
    }
    options = ("--no-deps", "--preview-features", "wheel-variants")
    done = uv_install(index_url, "torch", tmp_path / "site", *options, extra=machine)
    assert done.returncode == 0, done.stderr
    (dist_info,) = (tmp_path / "site").glob("torch-*.dist-info")
    assert "+" not in dist_info.name
    document = dist_info / "variant.json"
    labels = [*json.loads(document.read_text())["variants"]] if document.exists() else [""]
    assert labels == [MACHINES[driver]]
    assert (tmp_path / "site/torch/__init__.py").is_file()
