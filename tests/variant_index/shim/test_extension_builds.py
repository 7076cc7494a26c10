"""Builds for particular torch versions through the shim: pages, and what pip and uv install."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

from tests.making import make_wheel
from tests.variant_index.extensions.test_environment import write_torch
from tests.variant_index.shim import serving
from tests.variant_index.shim.family import cpu_machine
from tests.variant_index.shim.serving import Shim
from tests.variant_index.shim.test_marker_clients import check, install, installed, run
from tests.variant_index.torch_index.fake_torch import FakeTorch, cuda_machine
from tests.variant_index.upstream.fake_index import HTML_TYPE, FakeIndex, Route
from variant_index.extensions.asked import read_asked
from variant_index.extensions.environment import Environment
from variant_index.extensions.settings import ExtensionSettings
from variant_index.model.wishes import Wishes
from variant_index.simple_api.page import ProjectFile
from variant_index.torch_index.settings import TorchSettings
from variant_index.upstream.source import Source

BUILDS = (
    "0.6+864913fpt2.8.0cu128",
    "0.6+fd27788pt2.9.0cpu",
    "0.6+fd27788pt2.9.0cu128",
    "0.6+fd27788pt2.9.0cu130",
    "0.7+fd27788pt2.10.0cu130",
)
running_shim = partial(serving.running_shim, allow_unhashed=True)  # as these pages have no hashes

PYG = {
    "torch-2.9.0+cu128": "torch_scatter-2.1.2+pt29cu128-py3-none-any.whl",
    "torch-2.9.0+cu130": "torch_scatter-2.1.2+pt29cu130-py3-none-any.whl",
    "torch-2.10.0+cu130": "torch_scatter-2.1.2+pt210cu130-py3-none-any.whl",
}


@pytest.fixture
def index(tmp_path: Path) -> Iterator[FakeIndex]:
    """Serve a page as torch_packages_builder does: no hashes, no metadata beside, many local versions."""
    with FakeIndex() as index:
        wheels = [make_wheel(tmp_path / "files", f"det-{build}-py3-none-any.whl") for build in BUILDS]
        files = [index.add_file(path, hashed=False) for path in wheels]
        index.add_project("det", [ProjectFile(file.filename, file.url) for file in files], HTML_TYPE)
        plain = make_wheel(tmp_path / "files", "plain-1.0+cu128-py3-none-any.whl")
        index.add_project("plain", [index.add_file(plain)])
        for folder, name in PYG.items():
            data = make_wheel(tmp_path / folder, name).read_bytes()
            index.routes[f"/whl/{folder}/{name}"] = Route(data)
            link = f'<a href="/whl/{folder}/{name}">{name}</a>'.replace("+", "%2B", 2)
            index.routes[f"/whl/{folder}.html"] = Route(f"<html>{link}</html>".encode(), "text/html")
        yield index


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty environment."""
    place = tmp_path / "environment"
    run(tmp_path, "-m", "uv", "venv", "--quiet", "--python", sys.executable, str(place))
    return place


def with_torch(folder: Path, version: str, cuda: str | None) -> ExtensionSettings:
    write_torch(next(folder.glob("lib/*/site-packages")), version, cuda)
    python = folder / "bin" / "python"
    return ExtensionSettings(Environment(lambda: str(python)))


def stated(version: str) -> ExtensionSettings:
    return ExtensionSettings(stated={"torch": Version(version)})


def asking(*requirements: str, **wishes: Any) -> ExtensionSettings:
    asked = read_asked(Wishes(requirements, **wishes), dict)
    return ExtensionSettings(asked=lambda: asked)


def yanked(shim: Shim, project: str) -> dict[str, bool]:
    return {
        name.split("-")[1]: bool(entry.get("yanked"))
        for name, entry in shim.ask(f"{project}/").files().items()
    }


def test_the_page_shows_what_goes_with_torch(index: FakeIndex) -> None:
    with running_shim(index.url, extensions=stated("2.9.1+cu128")) as shim:
        assert yanked(shim, "det") == {
            BUILDS[0]: True,
            BUILDS[1]: True,
            BUILDS[2]: False,
            BUILDS[3]: True,
        }
        assert shim.journal.warnings == ()
        assert "det 0.7 has no build for torch 2.9.1+cu128" in shim.journal.hints[0]
        # A page that is none of this passes through untouched.
        assert shim.ask("plain/").body == index.routes["/simple/plain/"].body


def test_lock_files_name_what_goes_with_their_torch(index: FakeIndex) -> None:
    with running_shim(index.url, extensions=stated("2.9.1+cu128"), every_variant=True) as shim:
        assert [version for version, held in yanked(shim, "det").items() if not held] == [BUILDS[2]]
        assert shim.journal.warnings == (
            "det: it has another version for every torch and backend, so the lock file is for machines like"
            " this one",
        )


def test_without_any_torch_the_page_stays_and_a_line_says_why(index: FakeIndex) -> None:
    with running_shim(index.url) as shim:
        assert len(shim.ask("det/").files()) == len(BUILDS)
        assert "which torch there will be is not known" in shim.journal.warnings[0]


def test_a_pin_without_pytorchs_index_counts(index: FakeIndex) -> None:
    with running_shim(index.url, extensions=asking("torch==2.8.0+cu128")) as shim:
        assert yanked(shim, "det")[BUILDS[0]] is False


@pytest.mark.parametrize("client", ["pip", "uv"])
@pytest.mark.parametrize(
    ("torch", "expected"),
    [
        (("2.9.0+cu128", "12.8"), BUILDS[2]),
        (("2.9.1", "13.0"), BUILDS[3]),
        (("2.9.0+cpu", None), BUILDS[1]),
        (("2.8.0", "12.6"), BUILDS[0]),
    ],
)
def test_the_build_for_the_installed_torch_is_installed(
    index: FakeIndex, folder: Path, client: str, torch: tuple[str, str | None], expected: str
) -> None:
    extensions = with_torch(folder, *torch)
    with running_shim(index.url, extensions=extensions) as shim:
        done = install(client, folder.parent, folder, shim.index_url, ["det"])
        assert done.returncode == 0, done.stderr
        assert [(one.name, one.version) for one in shim.journal.chosen()] == [("det", expected)]
        assert "goes with torch" in shim.journal.chosen()[0].reason
    assert (next(folder.glob("lib/*/site-packages/det.py"))).read_text().count(expected) == 1


@pytest.mark.parametrize("client", ["pip", "uv"])
def test_a_build_that_is_named_in_full_is_installed(index: FakeIndex, folder: Path, client: str) -> None:
    extensions = with_torch(folder, "2.9.0+cu128", "12.8")
    with running_shim(index.url, extensions=extensions) as shim:
        done = install(client, folder.parent, folder, shim.index_url, [f"det=={BUILDS[1]}"])
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("client", ["pip", "uv"])
def test_when_none_goes_with_torch_nothing_is_installed_and_said(
    index: FakeIndex, folder: Path, client: str
) -> None:
    extensions = with_torch(folder, "2.5.1+cu124", "12.4")
    with running_shim(index.url, extensions=extensions) as shim:
        done = install(client, folder.parent, folder, shim.index_url, ["det"])
        assert done.returncode != 0
        assert shim.journal.warnings == (
            "det: no build for torch 2.5.1+cu124 (CUDA 12.4, installed); there are builds for"
            " torch 2.10.0 (cu130), 2.9.0 (cpu, cu128, cu130), 2.8.0 (cu128)",
        )
    assert "det" not in installed(folder)


def pages(index: FakeIndex, folders: Sequence[str]) -> list[Source]:
    return [Source.find_links(f"{index.root}/whl/{folder}.html".replace("+", "%2B")) for folder in folders]


def test_pages_of_pyg(index: FakeIndex, folder: Path) -> None:
    index.routes = {path.replace("%2B", "+"): route for path, route in index.routes.items()}
    extensions = with_torch(folder, "2.9.0+cu128", "12.8")
    with running_shim(*pages(index, list(PYG)), extensions=extensions) as shim:
        done = install("pip", folder.parent, folder, shim.index_url, ["torch-scatter"])
        assert done.returncode == 0, done.stderr
        assert [one.version for one in shim.journal.chosen()] == ["2.1.2+pt29cu128"]
    with running_shim(*pages(index, ["torch-2.10.0+cu130"]), extensions=extensions) as shim:
        assert shim.ask("torch-scatter/").files() == {}
        assert "no build for torch 2.9.0+cu128" in shim.journal.warnings[0]


@pytest.fixture
def served(index: FakeIndex, tmp_path: Path) -> Iterator[tuple[FakeIndex, FakeTorch]]:
    with FakeTorch(tmp_path / "torch") as torch:
        for version in ("2.8.0", "2.9.0"):
            for place in ("cpu", "cu128", "cu130"):
                torch.add(place, f"torch-{version}+{place}-py3-none-any.whl")
        torch.publish(["cpu", "cu128", "cu130"])
        yield index, torch


@pytest.mark.parametrize(
    ("asked", "driver", "expected"),
    [
        (["torch==2.8.0"], "12.8", BUILDS[0]),
        (["torch"], "13.0", BUILDS[3]),
        ([], "12.8", BUILDS[2]),
        (["torch<=2.9.0"], "", BUILDS[1]),
    ],
)
def test_torch_first_then_the_rest(
    served: tuple[FakeIndex, FakeTorch], folder: Path, asked: list[str], driver: str, expected: str
) -> None:
    index, torch = served
    with running_shim(
        index.url,
        machine=lambda: cuda_machine(driver, "8.9") if driver else cpu_machine(),
        extensions=asking(*asked, "det"),
        torch=TorchSettings(Source(torch.url)),
    ) as shim:
        done = install("pip", folder.parent, folder, shim.index_url, ["det", *asked])
        assert done.returncode == 0, done.stderr
        assert {one.name: one.version for one in shim.journal.chosen()}["det"] == expected
        assert shim.journal.warnings == ()
    assert check("pip", folder.parent, folder).returncode == 0
