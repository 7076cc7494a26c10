"""Repacked wheels pass check and build, and real installers take the right one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.loopback import serving
from tests.making import make_wheel
from tests.variant_index.publish.clients import installed_file, pip_install, uv_install
from variant_index.check.releases import check_files
from variant_index.publish.build import build_index
from variant_index.publish.serve import IndexServer
from variant_index.repack.carry_out import carry_out
from variant_index.repack.load import find_wheels, load_rules, read_sources
from variant_index.repack.plan import plan_repack

_CUDA = "NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION"
_SM = "NV_VARIANT_PROVIDER_FORCE_SM_ARCH"


@dataclass(frozen=True)
class Site:
    """Repacked wheels, and the index made of them."""

    wheels: Path
    url: str


def _make_sources(folder: Path) -> None:
    for backend in ("cu126", "cu128", "cu130", "rocm6.4", "xpu", "cpu"):
        # A name that differs in the local version alone, and one that differs in the folder alone.
        make_wheel(folder / backend, f"torch-2.10.0+{backend}-py3-none-any.whl")
        requires = [f"torch==2.10.0+{backend}"]
        place = folder / "whl" / backend
        module = {"torchvision.py": f"__file_name__ = {backend!r}\n".encode()}
        make_wheel(
            place, "torchvision-0.25.0-py3-none-linux_x86_64.whl", files=module, requires_dist=requires
        )
    for torch in ("2.9.0", "2.10.0"):
        for backend in ("cpu", "cu126"):
            make_wheel(folder, f"detectron2-0.6+fd27788pt{torch}{backend}-py3-none-any.whl")
    make_wheel(folder, "torch-2.9.0+cpu-py3-none-any.whl")
    for cuda in ("cuda12x", "cuda13x"):
        module = {"cupy.py": f"__file_name__ = {cuda!r}\n".encode()}
        make_wheel(folder, f"cupy_{cuda}-13.6.0-py3-none-any.whl", files=module)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("repacked")
    _make_sources(folder / "in")
    wheels = folder / "wheels"
    found, unreadable = read_sources(find_wheels([folder / "in"], wheels))
    plan = plan_repack(found, load_rules())
    assert not unreadable
    assert not plan.refused
    assert not plan.left_out
    assert [outcome.error for outcome in carry_out(plan.planned, wheels) if outcome.error] == []
    report = build_index([wheels], folder / "out", now="2026-01-01T00:00:00Z")
    assert not report.refused
    with serving(IndexServer(folder / "out")) as server:
        yield Site(wheels, server.url)


def test_check_finds_nothing_to_correct(site: Site) -> None:
    findings = check_files(sorted(site.wheels.glob("*.whl"))).findings
    # cupy has no build for every machine, which is its publisher's to say.
    told = {(finding.code, finding.message.split(":")[0]) for finding in findings if finding.code != "REL112"}
    assert told == {("REL101", "cupy 13.6.0")}


@pytest.mark.parametrize(
    ("driver", "capability", "label"),
    [("12.4", "8.0", "-cu128"), ("12.4", "6.1", "-cu126"), ("13.0", "9.0", "-cu130"), (None, None, "")],
)
def test_uv_takes_the_build_for_the_machine(
    site: Site, tmp_path: Path, driver: str | None, capability: str | None, label: str
) -> None:
    """And the same build of torchvision, whose file name is the same for all of them."""
    machine = {_CUDA: driver, _SM: capability} if driver and capability else {_CUDA: "", _SM: ""}
    done = uv_install(
        site.url, "torchvision", tmp_path / "t", "--preview-features", "wheel-variants", extra=machine
    )
    assert done.returncode == 0, done.stderr
    backend = label.removeprefix("-") or "cpu"
    assert installed_file(tmp_path / "t", "torch") == f"torch-2.10.0+{backend}-py3-none-any.whl"
    assert installed_file(tmp_path / "t", "torchvision") == backend
    assert (tmp_path / "t" / "torch-2.10.0.dist-info").is_dir()


def test_pip_takes_the_default(site: Site, tmp_path: Path) -> None:
    done = pip_install(site.url, "torchvision==0.25.0", tmp_path / "t")
    assert done.returncode == 0, done.stderr
    assert "torch-2.10.0" in done.stdout
    assert installed_file(tmp_path / "t", "torchvision") == "cpu"


def test_uv_takes_a_renamed_project(site: Site, tmp_path: Path) -> None:
    options = ("--preview-features", "wheel-variants")
    done = uv_install(site.url, "cupy", tmp_path / "t", *options, extra={_CUDA: "12.8", _SM: "9.0"})
    assert done.returncode == 0, done.stderr
    assert installed_file(tmp_path / "t", "cupy") == "cuda12x"


def test_an_extension_follows_the_torch_that_is_wanted(site: Site, tmp_path: Path) -> None:
    for number, torch in enumerate(("2.9.0", "2.10.0")):
        pip = pip_install(site.url, "detectron2", tmp_path / f"p{number}", f"torch=={torch}")
        assert pip.returncode == 0, pip.stderr
        wanted = f"detectron2-0.6+fd27788pt{torch}cpu-py3-none-any.whl"
        assert installed_file(tmp_path / f"p{number}", "detectron2") == wanted
    machine = {_CUDA: "12.8", _SM: "9.0"}
    options = ("--preview-features", "wheel-variants", "torch==2.10.0")
    uv = uv_install(site.url, "detectron2", tmp_path / "u", *options, extra=machine)
    assert uv.returncode == 0, uv.stderr
    assert installed_file(tmp_path / "u", "detectron2").endswith("pt2.10.0cu126-py3-none-any.whl")
