"""Projects that are built on this machine: what they are built with comes through the shim too."""

from __future__ import annotations

import io
import os
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.making import make_wheel
from tests.variant_index.clients.workshop import Workshop
from tests.variant_index.shim.family import NAME, write_release, write_sidecar
from tests.variant_index.upstream.fake_index import FakeIndex

pytestmark = pytest.mark.skipif(os.name != "posix", reason="POSIX paths")

BACKEND = f"""
import base64, hashlib, pathlib, zipfile
import {NAME}

def build_wheel(folder, settings=None, metadata=None, module="here.py"):
    files = {{
        module: "built_with = " + repr({NAME}.__file_name__),
        "here-1.dist-info/METADATA":
            "Metadata-Version: 2.1\\nName: here\\nVersion: 1\\nRequires-Dist: {NAME}\\n",
        "here-1.dist-info/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }}
    rows = []
    for name, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        rows.append(f"{{name}},sha256={{digest}},{{len(text)}}")
    files["here-1.dist-info/RECORD"] = "\\n".join([*rows, "here-1.dist-info/RECORD,,"]) + "\\n"
    with zipfile.ZipFile(pathlib.Path(folder, "here-1-py3-none-any.whl"), "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return "here-1-py3-none-any.whl"

build_editable = build_wheel
"""
PYPROJECT = """\
[build-system]
requires = ["backend"]
build-backend = "backend"
"""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    """Return a project that is built by a backend which needs a project with variants."""
    with FakeIndex() as index:
        tools = tmp_path / "tools"
        (tools / "uv-bin").mkdir(parents=True)
        (tools / "uv-bin" / "uv").symlink_to(Path(sys.executable).with_name("uv"))
        shop = Workshop(tmp_path / "shop", tools, index)
        files = {"backend.py": BACKEND.encode()}
        wheel = make_wheel(tmp_path, "backend-1-py3-none-any.whl", files=files, requires_dist=[NAME])
        index.add_project("backend", [index.add_file(wheel)])
        shop.write("here/pyproject.toml", PYPROJECT)
        yield shop


def built_with(folder: Path) -> str:
    (module,) = folder.rglob("here.py")
    return module.read_text()


@pytest.mark.parametrize("how", [["./here"], ["--editable", "./here"]])
def test_pip_builds_with_the_variant(how: list[str], shop: Workshop) -> None:
    shop.make_environment()
    shop.variables |= {"PIP_INDEX_URL": shop.index.url, "VIRTUAL_ENV": sys.prefix}
    command = ["--python", ".venv", "install", "--no-cache-dir", *how]
    assert shop.behind("pip", *command) == 0, shop.last
    assert "cu128" in built_with(shop.project / ".venv")
    assert shop.installed() == "cu128"
    assert f"variant-pip: {NAME} 2.0: cu128 — " in shop.last


def test_pip_wheel(shop: Workshop) -> None:
    shop.variables |= {"PIP_INDEX_URL": shop.index.url, "VIRTUAL_ENV": sys.prefix}
    assert shop.behind("pip", "wheel", "--no-cache-dir", "-w", "wheels", "./here") == 0, shop.last
    wheels = sorted(path.name for path in (shop.project / "wheels").iterdir())
    assert wheels == ["here-1-py3-none-any.whl", f"{NAME}-2.0-0_cu128-py3-none-any.whl"]


@pytest.mark.parametrize("how", [["./here"], ["--editable", "./here"]])
def test_uv_builds_with_the_variant(how: list[str], shop: Workshop) -> None:
    shop.make_environment()
    shop.variables["UV_DEFAULT_INDEX"] = shop.index.url
    assert shop.behind("uv", "pip", "install", *how) == 0, shop.last
    assert "cu128" in built_with(shop.project / ".venv")
    assert shop.installed() == "cu128"


SDIST_BACKEND = """
import pathlib, zipfile

def build_wheel(folder, settings=None, metadata=None):
    name = "NAME-VERSION-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder, name), "w") as archive:
        info = "NAME-VERSION.dist-info"
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: NAME\\nVersion: VERSION\\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        archive.writestr(f"{info}/RECORD", "")
    return name
"""


def make_sdist(folder: Path, version: str) -> Path:
    """Write a source distribution that needs nothing to be built."""
    files = {
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {version}\n",
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["."]\n',
        "own.py": SDIST_BACKEND.replace("NAME", NAME).replace("VERSION", version),
    }
    path = folder / f"{NAME}-{version}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"{NAME}-{version}/{name}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return path


def test_what_is_built_from_sources_is_not_held_back(shop: Workshop) -> None:
    """Of 2.0 there is no wheel for this GPU, so its wheels are held back; its sources are as good as any."""
    shop.variables["VIRTUAL_ENV"] = sys.prefix
    folder = shop.folder / "held"
    labels = {"1.0": "cu126", "2.0": "cu130"}
    files = [path for version, label in labels.items() for path in write_release(folder, version, [label])]
    files += [write_sidecar(folder, version=version) for version in labels]
    files += [make_sdist(folder, version) for version in labels]
    shop.index.add_project(NAME, [shop.index.add_file(path) for path in files])
    shop.write("r.txt", f"-i {shop.index.url}\n{NAME}\n")
    shop.write("built.txt", f"-r r.txt\n--no-binary {NAME}\n")
    for name, expected in (
        ("r.txt", f"{NAME}-1.0-0_cu126-py3-none-any.whl"),
        ("built.txt", f"{NAME}-2.0.tar.gz"),
    ):
        assert shop.behind("pip", "download", "--no-deps", "-d", name[:-4], "-r", name) == 0, shop.last
        assert [path.name for path in (shop.project / name[:-4]).iterdir()] == [expected]
