from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.version import Version

from tests.variant_index.torch_index.fake_torch import FakeTorch, cpu_machine, cuda_machine
from tests.variant_index.upstream.fake_index import Route
from variant_index.errors import UpstreamError
from variant_index.model.machine import MachineProfile
from variant_index.torch_index.backends import parse_backends
from variant_index.torch_index.reader import TorchIndex, TorchProject
from variant_index.upstream.cache import DiskCache
from variant_index.upstream.network import Network
from variant_index.upstream.source import Source

LINUX = "cp312-cp312-manylinux_2_28_x86_64"


@pytest.fixture
def torch(tmp_path: Path) -> Iterator[FakeTorch]:
    with FakeTorch(tmp_path / "upstream") as torch:
        for folder in ("cpu", "cu118", "cu126"):
            torch.add(folder, f"torch-2.9.0+{folder}-{LINUX}.whl")
        torch.add("", "torch-2.0.1-cp310-cp310-manylinux1_x86_64.whl")
        torch.publish(["cpu", "cu118", "cu126", "cu130"])
        yield torch


def read(
    torch: FakeTorch, machine: MachineProfile, name: str = "torch", backends: str = ""
) -> TorchProject | None:
    index = TorchIndex(Source(torch.url), Network(), parse_backends(backends))
    return index.project(name, machine.supported())


def folders(project: TorchProject | None, version: str = "2.9.0") -> list[str]:
    assert project is not None
    return sorted(build.folder for build in project.builds[Version(version)])


def test_all_current_folders_and_those_older_ones_that_run(torch: FakeTorch) -> None:
    assert folders(read(torch, cpu_machine())) == ["cpu", "cu126"]
    assert torch.index.asked("/whl/cu118/") == 0
    assert folders(read(torch, cuda_machine("12.8", "8.9"))) == ["cpu", "cu118", "cu126"]


def test_root_wheels_and_other_folders_keep_apart(torch: FakeTorch) -> None:
    assert folders(read(torch, cpu_machine()), "2.0.1") == [""]


def test_only_the_folders_that_are_wanted(torch: FakeTorch) -> None:
    assert folders(read(torch, cuda_machine("12.8", "8.9"), backends="cu118,cpu")) == ["cpu", "cu118"]
    assert torch.index.asked("/torch/") == 2


def test_a_project_that_no_folder_has(torch: FakeTorch) -> None:
    assert read(torch, cpu_machine(), "torchvision") is None


def test_addresses_and_hashes_stay_as_they_are(torch: FakeTorch) -> None:
    project = read(torch, cpu_machine())
    assert project is not None
    build = next(one for one in project.builds[Version("2.9.0")] if one.folder == "cpu")
    assert build.file.url == f"{torch.index.root}/whl/cpu/torch-2.9.0%2Bcpu-{LINUX}.whl"
    assert build.file.hashes == {"sha256": torch.digests[f"cpu/torch-2.9.0+cpu-{LINUX}.whl"]}
    assert build.file.core_metadata


def test_links_to_another_host(torch: FakeTorch) -> None:
    torch.add("cu130", f"torch-2.10.0+cu130-{LINUX}.whl", host="https://download-r2.pytorch.org")
    torch.publish(["cu130"])
    assert folders(read(torch, cpu_machine()), "2.10.0") == ["cu130"]


@pytest.mark.parametrize("status", [400, 401, 429, 500])
def test_a_folder_that_fails_is_an_error_that_names_it(torch: FakeTorch, status: int) -> None:
    torch.index.routes["/whl/cu126/torch/"] = Route(status=status)
    with pytest.raises(UpstreamError, match=rf"/whl/cu126/torch/ answered {status}"):
        read(torch, cpu_machine())


def test_pages_are_fetched_at_the_same_time(torch: FakeTorch) -> None:
    meet = threading.Barrier(3, timeout=60)
    for folder in ("cpu", "cu126", "cu130"):
        torch.index.routes[f"/whl/{folder}/torch/"].before = meet.wait
    assert folders(read(torch, cpu_machine())) == ["cpu", "cu126"]


def test_pages_are_kept_and_only_confirmed(torch: FakeTorch, tmp_path: Path) -> None:
    for folder in ("cpu", "cu126", "cu130"):
        route = torch.index.routes[f"/whl/{folder}/torch/"]
        route.headers, route.unless = {"ETag": '"1"'}, ("If-None-Match", '"1"')
    for _ in range(2):
        network = Network(cache=DiskCache(tmp_path / "cache"))
        project = TorchIndex(Source(torch.url), network).project("torch", cpu_machine().supported())
        assert folders(project) == ["cpu", "cu126"]
    assert torch.index.not_modified == 3


def test_a_copy_in_a_folder(tmp_path: Path) -> None:
    page = tmp_path / "mirror" / "cpu" / "torch" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(f'<a href="../torch-2.9.0%2Bcpu-{LINUX}.whl">torch</a>')
    index = TorchIndex(Source((tmp_path / "mirror").as_uri()), Network())
    assert folders(index.project("torch", {})) == ["cpu"]


def test_a_page_that_is_none(torch: FakeTorch) -> None:
    torch.index.routes["/whl/cpu/torch/"] = Route(b"\x00" * 100, "application/zip")
    with pytest.raises(UpstreamError, match="not a project page"):
        read(torch, cpu_machine())
