"""Torch from the user's own index: extensions go with the one that installers take there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.making import make_wheel
from tests.variant_index.shim.family import DOCUMENT, LABELS, cuda_machine
from tests.variant_index.shim.serving import Shim, running_shim
from tests.variant_index.shim.test_extension_builds import asking, folder, yanked
from tests.variant_index.shim.test_marker_clients import install
from tests.variant_index.upstream.fake_index import FakeIndex
from variant_index.cli import main

__all__ = ["folder"]

BUILDS = {minor: f"0.7+pt2.{minor}.0cu128" for minor in (7, 8, 9, 10)}
TORCH = ("2.7.0+cu128", "2.8.0+cu128", "2.9.0+cu128", "2.10.0rc1+cu128")
VISION = {"0.22.0": "2.7.0", "0.23.0": "2.8.0", "0.24.0": "2.9.0"}


class Torches(FakeIndex):
    """An index with torch, torchvision and an extension."""

    files: Path

    def publish(self, *torches: str, yanked: str = "", other: str = "") -> None:
        """List these versions of torch; one may be yanked, one for another platform."""
        found = []
        for version in torches:
            tag = "py3-none-win32" if version == other else "py3-none-any"
            file = self.add_file(make_wheel(self.files, f"torch-{version}-{tag}.whl"))
            found.append(replace(file, yanked=version == yanked))
        self.add_project("torch", found)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Torches]:
    with Torches() as index:
        index.files = tmp_path / "files"
        for name, builds in (("myext", BUILDS.values()), ("bare", ("0.7+torch2.8.0", "0.7+torch2.10.0"))):
            wheels = [make_wheel(index.files, f"{name}-{build}-py3-none-any.whl") for build in builds]
            index.add_project(name, map(index.add_file, wheels))
        made = [
            make_wheel(
                index.files,
                f"torchvision-{version}-py3-none-any.whl",
                requires_dist=[f"torch=={torch}"],
            )
            for version, torch in VISION.items()
        ]
        index.add_project("torchvision", map(index.add_file, made))
        index.publish(*TORCH)
        yield index


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def taken(shim: Shim, name: str = "myext") -> list[str]:
    return [version for version, held in yanked(shim, name).items() if not held]


@pytest.mark.parametrize("client", ["pip", "uv"])
def test_the_torch_of_the_index_and_its_build_are_installed(
    index: Torches, folder: Path, client: str
) -> None:
    with running_shim(index.url, extensions=asking("myext", "torch<2.9")) as shim:
        done = install(client, folder.parent, folder, shim.index_url, ["myext", "torch<2.9"])
        assert done.returncode == 0, done.stderr
        assert shim.journal.warnings == ()
        [chosen] = [one for one in shim.journal.chosen() if one.name == "myext"]
    assert chosen.version == BUILDS[8]
    assert "torch 2.8.0+cu128 (CUDA 12.8, of your index)" in chosen.reason
    assert list(folder.glob("lib/*/site-packages/torch-2.8.0+cu128.dist-info"))


@pytest.mark.parametrize(
    ("asked", "minor"),
    [
        ("myext", 9),
        ("torch", 9),
        ("torch==2.8.0", 8),
        ("torch!=2.9.0", 8),
        ("torch>=2.10.0rc1", 10),
        ("torchvision", 9),
        ("torchvision==0.23.0", 8),
        ("torchvision torch<2.9", 8),
        ("torchvision!=0.23.0 torch<2.9", 7),
    ],
)
def test_all_that_is_said_of_torch_counts(index: Torches, asked: str, minor: int) -> None:
    with running_shim(index.url, extensions=asking(*asked.split())) as shim:
        assert taken(shim) == [BUILDS[minor]]
        assert shim.journal.warnings == ()


def test_prereleases_count_where_they_are_allowed(index: Torches) -> None:
    with running_shim(index.url, extensions=asking("torch", prereleases=True)) as shim:
        assert taken(shim) == [BUILDS[10]]


def test_what_cannot_be_installed_does_not_count(index: Torches) -> None:
    index.publish(*TORCH[:3], yanked="2.9.0+cu128")
    with running_shim(index.url, extensions=asking("torch")) as shim:
        assert taken(shim) == [BUILDS[8]]
        index.publish(*TORCH[:3], other="2.9.0+cu128")
        assert taken(shim) == [BUILDS[8]]
        index.publish(*TORCH[:3])
        assert taken(shim) == [BUILDS[9]]


def test_a_torch_of_unknown_hardware_decides_only_where_none_is_named(index: Torches) -> None:
    index.publish("2.8.0")
    every = list(BUILDS.values())
    with running_shim(index.url, extensions=asking("torch")) as shim:
        assert taken(shim, "bare") == ["0.7+torch2.8.0"]
        assert shim.journal.warnings == ()
    with running_shim(index.url, extensions=asking("torch")) as shim:
        assert taken(shim) == every
        assert "which torch there will be is not known" in shim.journal.warnings[0]


@pytest.mark.parametrize(("driver", "cuda"), [("12.8", "cu128"), ("12.6", "cu126"), ("13.0", "cu130")])
def test_the_label_of_a_variant_of_torch_tells_its_hardware(index: Torches, driver: str, cuda: str) -> None:
    files = [index.files / "torch-2.9.0-variants.json"]
    files[0].write_text(json.dumps(DOCUMENT))
    for label in ("cu126", "cu128", "cu130"):
        own = {**DOCUMENT, "variants": {label: LABELS[label]}}
        files.append(make_wheel(index.files, f"torch-2.9.0-py3-none-any-{label}.whl", variant_json=own))
    index.add_project("torch", map(index.add_file, files))
    builds = [f"0.7+pt2.9.0{cuda}" for cuda in ("cpu", "cu126", "cu128", "cu130")]
    wheels = [make_wheel(index.files, f"ops-{build}-py3-none-any.whl") for build in builds]
    index.add_project("ops", map(index.add_file, wheels))
    with running_shim(index.url, machine=lambda: cuda_machine(driver), extensions=asking("torch")) as shim:
        assert taken(shim, "ops") == [f"0.7+pt2.9.0{cuda}"]


@pytest.mark.parametrize(("asked", "minor"), [(["torch<2.9"], 8), (["torchvision==0.22.0"], 7), ([], 9)])
def test_explain_agrees(
    index: Torches,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    asked: list[str],
    minor: int,
) -> None:
    machine = tmp_path / "machine.json"
    machine.write_text(cuda_machine("12.8").model_dump_json())
    status = main(["explain", "myext", *asked, "-i", index.url, "--machine", str(machine), "--json"])
    report = json.loads(capsys.readouterr().out)
    mine = report["requirements"][0] if asked else report
    assert status == 0
    assert mine["version"] == BUILDS[minor]
    with running_shim(index.url, extensions=asking("myext", *asked)) as shim:
        assert taken(shim) == [BUILDS[minor]]


def test_a_pin_of_unknown_hardware_is_told_to_name_it(index: Torches) -> None:
    index.publish("2.8.0")
    with running_shim(index.url, extensions=asking("torch==2.8.0")) as shim:
        assert taken(shim) == []
        assert "its hardware is not known" in shim.journal.warnings[0]


def test_only_wheels_of_torch_count(index: Torches) -> None:
    source = index.files / "torch-2.10.0.tar.gz"
    source.write_bytes(b"no archive")
    wheel = make_wheel(index.files, "torch-2.8.0+cu128-py3-none-any.whl")
    index.add_project("torch", map(index.add_file, (source, wheel)))
    with running_shim(index.url, extensions=asking("torch")) as shim:
        assert taken(shim) == [BUILDS[8]]


def test_a_release_of_torch_that_leaves_the_gpu_idle_is_passed_over(index: Torches) -> None:
    files = []
    for version, label in (("2.8.0", "cu128"), ("2.9.0", "cu130")):
        own = {**DOCUMENT, "variants": {label: LABELS[label]}}
        files.append(index.files / f"torch-{version}-variants.json")
        files[-1].write_text(json.dumps(DOCUMENT))
        files.append(make_wheel(index.files, f"torch-{version}-py3-none-any-{label}.whl", variant_json=own))
        files.append(make_wheel(index.files, f"torch-{version}-py3-none-any.whl"))
    index.add_project("torch", map(index.add_file, files))
    with running_shim(index.url, machine=lambda: cuda_machine("12.8"), extensions=asking("torch")) as shim:
        assert taken(shim) == [BUILDS[8]]
        assert "2.9.0" not in taken(shim, "torch")


def test_torch_is_read_only_for_extensions(index: Torches) -> None:
    with running_shim(index.url, extensions=asking("torch")) as shim:
        assert shim.ask("torchvision/").status == 200
        assert not index.asked("/torch/")
        assert taken(shim)
        assert index.asked("/torch/")
