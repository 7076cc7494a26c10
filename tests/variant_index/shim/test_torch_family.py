from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.making import make_wheel
from tests.variant_index.shim.serving import Answer
from tests.variant_index.torch_index.fake_torch import FakeTorch, cpu_machine, cuda_machine
from tests.variant_index.upstream.fake_index import FakeIndex, Route
from variant_index.errors import UpstreamError
from variant_index.model.machine import MachineProfile
from variant_index.selection.choice import TargetTags
from variant_index.shim.family_choice import choose_family_release, passes_over
from variant_index.shim.journal import Journal
from variant_index.shim.server import ShimServer
from variant_index.shim.torch_family import (
    FamilyProject,
    TorchFamily,
    held_back_note,
    present_family,
)
from variant_index.simple_api.page import ProjectFile
from variant_index.simple_api.render import HTML_TYPE, JSON_TYPE
from variant_index.torch_index.settings import TorchSettings
from variant_index.upstream.network import Network
from variant_index.upstream.source import Source

LINUX = "cp312-cp312-manylinux_2_28_x86_64"
TAGS = TargetTags([LINUX, "py3-none-any"])
V100 = cuda_machine("12.8", "7.0")


@pytest.fixture
def torch(tmp_path: Path) -> Iterator[FakeTorch]:
    with FakeTorch(tmp_path / "upstream") as torch:
        for version, folders in {"2.9.0": "cpu cu126 cu128", "2.15.0": "cpu cu130"}.items():
            for folder in folders.split():
                torch.add(folder, f"torch-{version}+{folder}-{LINUX}.whl")
        torch.add("cu126", f"torchao-0.14.0+cu126-{LINUX}.whl")
        torch.add("cu128", f"torchao-0.14.0+cu128-{LINUX}.whl")
        torch.publish(["cpu", "cu126", "cu128", "cu130"])
        yield torch


def settings(torch: FakeTorch, **changes: Any) -> TorchSettings:
    return TorchSettings(Source(torch.url), **changes)


def opened(torch: FakeTorch, **changes: Any) -> TorchFamily:
    family = TorchFamily.open(settings(torch, **changes), Network())
    assert family is not None
    return family


def project(
    torch: FakeTorch, machine: MachineProfile = V100, name: str = "torch", **changes: Any
) -> FamilyProject:
    found = opened(torch, **changes).project(name, machine.supported(), TAGS)
    assert found is not None
    return found


def lines(found: FamilyProject) -> dict[str, bool | str]:
    return {
        listed.file.filename.partition(f"-{LINUX}")[0]: listed.file.yanked
        for listed in present_family(found).files
    }


def test_one_build_of_each_release_is_free_and_the_rest_yanked(torch: FakeTorch) -> None:
    shown = lines(project(torch))
    assert shown["torch-2.9.0+cu128"] is False
    assert shown["torch-2.9.0+cu126"] == "cu128 is chosen for this machine"
    assert shown["torch-2.9.0+cpu"] == "cu128 is chosen for this machine"
    assert "has no build for this machine's GPU" in str(shown["torch-2.15.0+cpu"])
    assert "torch-2.15.0+cu130" not in shown


def test_without_a_gpu_nothing_is_held_back(torch: FakeTorch) -> None:
    found = project(torch, cpu_machine())
    shown = lines(found)
    assert [name for name, yanked in shown.items() if not yanked] == ["torch-2.15.0+cpu", "torch-2.9.0+cpu"]
    assert held_back_note(found) is None


def test_the_note_names_both_choices(torch: FakeTorch) -> None:
    assert held_back_note(project(torch)) == (
        "torch 2.9.0 (cu128) is the newest release that uses this machine's GPU;"
        " 2.15.0 is installed only by == or with VARIANT_INDEX_PREFER=version"
    )
    assert held_back_note(project(torch, prefer="version")) is None


def test_files_of_the_user_come_first_and_instead(torch: FakeTorch) -> None:
    own = ProjectFile(f"torch-2.9.0+cu128-{LINUX}.whl", "file:///wheels/torch.whl")
    files = present_family(project(torch), [own]).files
    assert files[0].file is own
    assert [listed.file.filename for listed in files].count(own.filename) == 1


def test_others_ask_for_torch_first_and_once(torch: FakeTorch) -> None:
    family = opened(torch)
    for _ in range(2):
        found = family.project("torchao", V100.supported(), TAGS)
        assert found is not None
        assert [decision.label for decision in found.decisions] == ["cu128"]
    assert torch.index.asked("/whl/cu128/torch/") == 1
    assert torch.index.asked("/whl/cu128/torchao/") == 2


def test_nothing_is_decided_again_until_a_page_changes(torch: FakeTorch) -> None:
    family = opened(torch)
    first = family.project("torch", V100.supported(), TAGS)
    assert family.project("torch", V100.supported(), TAGS) is first
    torch.add("cu126", f"torch-2.16.0+cu126-{LINUX}.whl")
    torch.publish(["cu126"])
    second = family.project("torch", V100.supported(), TAGS)
    assert second is not None
    assert str(second.decisions[0].version) == "2.16.0"
    # What follows torch follows the new one.
    other = family.project("torchao", V100.supported(), TAGS)
    assert other is not None
    assert [decision.label for decision in other.decisions] == ["cu126"]


def test_wheels_without_a_hash_are_refused_and_said(torch: FakeTorch) -> None:
    torch.add("cpu", f"triton-3.9.0-{LINUX}.whl", hashed=False)
    torch.publish(["cpu"])
    found = project(torch, name="triton")
    assert found.decisions == ()
    assert found.warnings == (
        f"triton: triton-3.9.0-{LINUX}.whl refused, because the index lists no hash to check the bytes with;"
        " VARIANT_INDEX_ALLOW_UNHASHED=1 takes them",
    )
    allowed = project(torch, name="triton", allow_unhashed=True)
    assert len(allowed.decisions) == 1
    assert allowed.warnings == ()


def test_wheels_without_a_hash_that_would_not_be_chosen_are_not_mentioned(torch: FakeTorch) -> None:
    torch.add("cpu", f"fbgemm_gpu-1.4.0+cpu-{LINUX}.whl")
    torch.add("cu128", f"fbgemm_gpu-1.4.0+cu128-{LINUX}.whl", hashed=False)
    torch.publish(["cpu", "cu128"])
    assert project(torch, cpu_machine(), "fbgemm-gpu").warnings == ()
    assert "fbgemm_gpu-1.4.0+cu128" in project(torch, V100, "fbgemm-gpu").warnings[0]


def test_a_release_skipped_in_the_middle_is_no_choice_to_point_at(torch: FakeTorch) -> None:
    torch.add("cu126", f"torch-2.16.0+cu126-{LINUX}.whl")
    torch.add("cu126", f"torch-2.17.0rc1+cu126-{LINUX}.whl")
    torch.publish(["cu126"])
    found = project(torch)
    assert found.decisions[2].held_back is not None
    assert held_back_note(found) is None
    assert not any(
        "PREFER" in listed.chosen.reason
        for listed in present_family(found).files
        if listed.chosen and not listed.file.yanked
    )
    torch.add("cpu", f"torch-2.18.0+cpu-{LINUX}.whl")
    torch.publish(["cpu"])
    assert str(held_back_note(project(torch))).startswith("torch 2.16.0 (cu126) is the newest release")


def test_an_index_without_torch_is_an_error(torch: FakeTorch) -> None:
    wrong = TorchSettings(Source(f"{torch.index.root}/elsewhere"))
    family = TorchFamily.open(wrong, Network())
    assert family is not None
    with pytest.raises(UpstreamError, match="/elsewhere has no torch"):
        family.project("torchvision", V100.supported(), TAGS)


def chosen(torch: FakeTorch, requirement: str, machine: MachineProfile = V100, **options: Any) -> list[str]:
    """Return the version and backend of the winner, then whether a held back release was passed over."""
    found = project(torch, machine)
    verdict = choose_family_release(Requirement(requirement), found, **options)
    if verdict is None:
        return []
    winner = verdict.selected.file.filename.split("-")[1] if verdict.selected else "nothing"
    return [winner, str(verdict.release.version), str(passes_over(Requirement(requirement), found))]


@pytest.mark.parametrize(
    ("requirement", "expected"),
    [
        ("torch", ["2.9.0+cu128", "2.9.0", "True"]),
        ("torch<2.10", ["2.9.0+cu128", "2.9.0", "False"]),
        ("torch==2.9.0", ["2.9.0+cu128", "2.9.0", "False"]),
        ("torch==2.9.0+cu126", ["2.9.0+cu126", "2.9.0", "False"]),
        ("torch==2.15.0", ["2.15.0+cpu", "2.15.0", "False"]),
        ("torch>=2.15", ["nothing", "2.15.0", "True"]),
        ("torch==2.15.*", ["nothing", "2.15.0", "True"]),
        ("torch==3", []),
        ("torch==2.15.0+cu130", []),
    ],
)
def test_the_release_that_an_installer_takes(torch: FakeTorch, requirement: str, expected: list[str]) -> None:
    assert chosen(torch, requirement) == expected


def test_a_pinned_build_that_does_not_run_is_taken_nevertheless(torch: FakeTorch) -> None:
    assert chosen(torch, "torch==2.9.0+cu126", cpu_machine())[0] == "2.9.0+cu126"


def test_prereleases_only_on_request(torch: FakeTorch) -> None:
    torch.add("cu126", f"torch-2.16.0rc1+cu126-{LINUX}.whl")
    torch.publish(["cu126"])
    assert chosen(torch, "torch")[0] == "2.9.0+cu128"
    assert chosen(torch, "torch", allow_prereleases=True)[0] == "2.16.0rc1+cu126"
    assert chosen(torch, "torch>=2.16rc1")[0] == "2.16.0rc1+cu126"


class Served:
    """A shim with an index of the user's, find-links and PyTorch's index."""

    def __init__(self, index_url: str, journal: Journal, asked: list[str]) -> None:
        self.index_url = index_url
        self.journal = journal
        self.asked = asked

    def page(self, name: str, accept: str = JSON_TYPE) -> Answer:
        import urllib.error
        import urllib.request

        request = urllib.request.Request(f"{self.index_url}{name}/", headers={"Accept": accept})
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return Answer(response.status, dict(response.headers), response.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, dict(error.headers), error.read())


@pytest.fixture
def served(torch: FakeTorch, tmp_path: Path) -> Iterator[Served]:
    own = make_wheel(tmp_path / "links", f"torch-2.9.0+own-{LINUX}.whl")
    make_wheel(tmp_path / "links", f"torchaudio-1.0-{LINUX}.whl")
    with FakeIndex() as index:
        for name in ("torch", "torchvision", "numpy"):
            index.add_project(name, [index.add_file(make_wheel(tmp_path, f"{name}-99.0-py3-none-any.whl"))])
        asked: list[str] = []

        def machine() -> MachineProfile:
            asked.append("machine")
            return V100

        journal = Journal()
        sources = [Source(index.url), Source.find_links(str(own.parent))]
        server = ShimServer(sources, Network(), machine, lambda: TAGS, journal, torch=settings(torch))
        with server:
            yield Served(server.index_url, journal, asked)


def test_routes(served: Served) -> None:
    assert all("99.0" in name for name in served.page("numpy").files())
    assert served.asked == []
    files = served.page("torch").files()
    assert not any("99.0" in name for name in files)
    assert f"torch-2.9.0+cu128-{LINUX}.whl" in files
    assert f"torch-2.9.0+own-{LINUX}.whl" in files
    assert served.asked == ["machine"]
    assert served.journal.hints
    assert list(served.page("torchaudio").files()) == [f"torchaudio-1.0-{LINUX}.whl"]
    # PyTorch's index does not have it: then nobody does, or a stranger could offer it elsewhere.
    assert served.page("torchvision").status == 404


def test_both_forms_say_the_same(served: Served) -> None:
    entry = served.page("torch").files()[f"torch-2.9.0+cpu-{LINUX}.whl"]
    assert entry["yanked"] == "cu128 is chosen for this machine"
    assert entry["url"].endswith(f"/torch-2.9.0%2Bcpu-{LINUX}.whl")
    html = served.page("torch", HTML_TYPE).body.decode()
    assert f"/torch-2.9.0%2Bcpu-{LINUX}.whl#sha256=" in html
    assert 'data-yanked="cu128 is chosen for this machine"' in html


def test_a_folder_that_fails_is_an_error_and_no_smaller_page(served: Served, torch: FakeTorch) -> None:
    torch.index.routes["/whl/cu128/torch/"] = Route(status=500)
    answer = served.page("torch")
    assert answer.status == 424
    assert "/whl/cu128/torch/ answered 500" in answer.body.decode()
    assert served.journal.failures


def test_releases_without_a_usable_build_say_why(torch: FakeTorch) -> None:
    torch.add("cu126", "torch-2.8.0+cu126-cp311-cp311-manylinux_2_28_x86_64.whl")
    torch.add("cu130", f"torchao-0.15.0+cu130-{LINUX}.whl")
    torch.publish(["cpu", "cu126", "cu128", "cu130"])
    reasons = project(torch).unusable
    assert reasons == {Version("2.8.0"): "all of its wheels are for another Python or platform"}
