"""Which torch there will be: what everything a command says allows, over a real index."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from packaging.version import Version

from tests.variant_index.torch_index.fake_torch import FakeTorch, cuda_machine
from variant_index.extensions.asked import read_asked
from variant_index.extensions.environment import Environment
from variant_index.extensions.settings import ExtensionSettings
from variant_index.extensions.torch_build import TorchBuild
from variant_index.model.wishes import Wishes
from variant_index.selection.choice import TargetTags
from variant_index.shim.expected_torch import ExpectedTorch
from variant_index.shim.torch_family import TorchFamily
from variant_index.shim.torch_requirement import TorchRequirements, torch_requirement
from variant_index.torch_index.settings import TorchSettings
from variant_index.upstream.network import Network
from variant_index.upstream.published_metadata import PublishedMetadata
from variant_index.upstream.remote_wheel import WheelReader
from variant_index.upstream.source import Source

TAG = "py3-none-any"
TAGS = TargetTags([TAG])
FOLDERS = ("cpu", "cu126", "cu128")
MACHINE = cuda_machine("12.8", "8.9")
VISION = {"0.23.0": "2.8.0", "0.24.0": "2.9.0", "0.24.1": "2.8.0", "0.25.0": "2.10.0"}


@pytest.fixture(scope="module")
def torch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeTorch]:
    with FakeTorch(tmp_path_factory.mktemp("torch")) as torch:
        for version in ("2.8.0", "2.9.0", "2.9.1", "2.10.0", "2.11.0rc1"):
            for folder in FOLDERS:
                torch.add(folder, f"torch-{version}+{folder}-{TAG}.whl")
        # By its number 0.24.1 would go with torch 2.9.1; what it says itself counts.
        for vision, version in VISION.items():
            for folder in FOLDERS:
                name = f"torchvision-{vision}+{folder}-{TAG}.whl"
                torch.add(folder, name, requires_dist=[f"torch=={version}; python_version > '3'"])
        torch.add("cpu", f"torchaudio-2.9.0+cpu-{TAG}.whl", requires_dist=["torch (==2.9.0)"])
        torch.add("cu126", f"torchaudio-2.9.0+cu126-{TAG}.whl", requires_dist=["torch (==2.9.0)"])
        torch.add("cpu", f"torchao-0.14.0+cpu-{TAG}.whl", requires_dist=["torch-other==1", "numpy"])
        torch.publish(FOLDERS)
        yield torch


class Installed(Environment):
    """An environment with these packages."""

    def __init__(self, **versions: str) -> None:
        self._known = {name: Version(version) for name, version in versions.items()}

    def versions(self) -> Mapping[str, Version]:
        return self._known

    def torch(self) -> TorchBuild | None:
        version = self._known.get("torch")
        return None if version is None else TorchBuild.of(version, "installed")


def expected(torch: FakeTorch, wishes: Wishes, installed: Environment | None = None) -> str:
    network = Network()
    family = TorchFamily.open(TorchSettings(Source(torch.url)), network)
    assert family is not None
    asked = read_asked(wishes, lambda: {"python_version": "3.12"})
    settings = ExtensionSettings(installed, lambda: asked)
    metadata = PublishedMetadata(WheelReader(network), network)
    requirements = TorchRequirements(metadata, lambda: {"python_version": "3.12"})
    found = ExpectedTorch(settings, family, requirements)
    family.follow(found)
    return str(found.build(MACHINE.supported(), TAGS)).removeprefix("torch ").replace("(CUDA 12.8, ", "(")


@pytest.mark.parametrize(
    ("asked", "limits", "version"),
    [
        ("det", "", "2.10.0+cu128 (to be installed)"),
        ("torch", "", "2.10.0+cu128 (to be installed)"),
        ("torch<2.10", "", "2.9.1+cu128 (pinned)"),
        ("torch", "torch<2.10 torch!=2.9.1", "2.9.0+cu128 (pinned)"),
        ("torch==2.9.0", "", "2.9.0+cu128 (pinned)"),
        ("torch==2.9.0+cu126", "", "2.9.0+cu126 (CUDA 12.6, pinned)"),
        ("torch==2.9.*", "", "2.9.1+cu128 (pinned)"),
        ("torch>=2.11.0rc1", "", "2.11.0rc1+cu128 (pinned)"),
        ("torchvision", "", "2.10.0+cu128 (pinned)"),
        ("torchvision==0.24.0", "", "2.9.0+cu128 (pinned)"),
        ("torchvision==0.24.1", "", "2.8.0+cu128 (pinned)"),
        ("torchvision", "torchvision<0.25", "2.8.0+cu128 (pinned)"),
        ("torchvision torch!=2.10.0", "", "2.8.0+cu128 (pinned)"),
        ("torchvision torch==2.9.0", "", "2.9.0+cu128 (pinned)"),
        ("torch torchvision<0.24", "", "2.8.0+cu128 (pinned)"),
        ("torchaudio", "", "2.9.0+cu126 (CUDA 12.6, pinned)"),
        ("torchvision torchaudio", "", "2.9.0+cu126 (CUDA 12.6, pinned)"),
        # A constraint asks for nothing.
        ("det", "torchvision==0.23.0", "2.10.0+cu128 (to be installed)"),
        ("torchao", "", "2.10.0+cu128 (to be installed)"),
        # What cannot be had is the installer's to say.
        ("torch==2.8.0 torchvision==0.24.0", "", "2.8.0+cu128 (pinned)"),
        ("torch<2", "", "None"),
        ("torchvision==9", "", "2.10.0+cu128 (to be installed)"),
    ],
)
def test_everything_that_is_said_counts(torch: FakeTorch, asked: str, limits: str, version: str) -> None:
    assert expected(torch, Wishes(tuple(asked.split()), tuple(limits.split()))) == version


@pytest.mark.parametrize(
    ("asked", "there", "version"),
    [
        ("det", {}, "2.8.0+cpu (CPU only, installed)"),
        ("torch", {}, "2.8.0+cpu (CPU only, installed)"),
        ("torch<3 det", {}, "2.8.0+cpu (CPU only, installed)"),
        ("torch>2.8", {}, "2.10.0+cu128 (pinned)"),
        ("torchvision==0.23.0", {}, "2.8.0+cpu (CPU only, installed)"),
        ("torchvision==0.24.0", {}, "2.9.0+cu128 (pinned)"),
        # Installers decide on what is named first.
        ("torchvision", {}, "2.10.0+cu128 (pinned)"),
        ("torch torchvision", {}, "2.8.0+cpu (CPU only, installed)"),
        ("torchvision", {"torchvision": "0.23.0+cpu"}, "2.8.0+cpu (CPU only, installed)"),
        ("torchvision>0.23", {"torchvision": "0.23.0+cpu"}, "2.10.0+cu128 (pinned)"),
    ],
)
def test_the_installed_torch_stays_unless_something_needs_another(
    torch: FakeTorch, asked: str, there: Mapping[str, str], version: str
) -> None:
    environment = Installed(torch="2.8.0+cpu", **there)
    assert expected(torch, Wishes(tuple(asked.split())), environment) == version


def test_upgrades(torch: FakeTorch) -> None:
    there = Installed(torch="2.8.0+cu128", torchvision="0.23.0+cu128")
    stays, newest = "2.8.0+cu128 (installed)", "2.10.0+cu128 (to be installed)"
    assert expected(torch, Wishes(("torch", "det"), upgrade="named"), there) == newest
    assert expected(torch, Wishes(("det",), upgrade="named"), there) == stays
    assert expected(torch, Wishes(("det",), upgrade="all"), there) == stays
    assert expected(torch, Wishes(("det",), upgraded=frozenset({"torch"})), there) == newest
    pinned = ("torchvision==0.23.0",)
    assert expected(torch, Wishes(pinned, upgrade="named"), there) == stays
    assert expected(torch, Wishes(pinned, upgrade="all"), there) == "2.8.0+cu128 (pinned)"


def test_what_a_lock_file_keeps(torch: FakeTorch) -> None:
    def locked(*requirements: str, torch_version: str = "2.9.0", **more: object) -> str:
        kept = {"torch": torch_version, "torchvision": "0.24.0"}
        return expected(torch, Wishes(requirements, kept=kept, **more))  # type: ignore[arg-type]

    assert locked("torch", "torchvision") == "2.9.0+cu128 (pinned)"
    assert locked("torch", torch_version="2.9.0+cpu") == "2.9.0+cpu (CPU only, pinned)"
    assert locked("torch>2.9.0") == "2.10.0+cu128 (pinned)"
    assert locked("torch", upgraded=frozenset({"torch"})) == "2.10.0+cu128 (to be installed)"
    assert locked("torchvision>0.24.1") == "2.10.0+cu128 (pinned)"


def test_prereleases(torch: FakeTorch) -> None:
    assert expected(torch, Wishes(("torch",), prereleases=True)) == "2.11.0rc1+cu128 (to be installed)"


@pytest.mark.parametrize(
    ("metadata", "required"),
    [
        ("Requires-Dist: torch==2.9.0\nRequires-Dist: numpy", "==2.9.0"),
        ("Requires-Dist: torch (==2.0.1)", "==2.0.1"),
        ("Requires-Dist: Torch>=2 ; python_version > '3'\nRequires-Dist: torch<3", "<3,>=2"),
        ("Requires-Dist: torch==1; python_version < '3'", ""),
        ("Requires-Dist: torch==1; extra == 'x'", ""),
        ("Requires-Dist: torchvision==1\nRequires-Dist: torch-x==1", ""),
        ("Name: x", ""),
        ("Requires-Dist: torch==", None),
        ("no header\n", None),
    ],
)
def test_what_metadata_says(metadata: str, required: str | None) -> None:
    found = torch_requirement(metadata.encode(), lambda: {"python_version": "3.12"})
    assert (None if found is None else str(found)) == required


def test_metadata_that_is_not_the_listed_one_does_not_count(torch: FakeTorch) -> None:
    place = f"/whl/cu128/torchvision-0.24.1+cu128-{TAG}.whl.metadata"
    original = torch.index.routes[place]
    torch.index.routes[place] = torch.index.routes[place.replace("0.24.1", "0.23.0")]
    try:
        # Then its number does.
        assert expected(torch, Wishes(("torchvision==0.24.1",))) == "2.9.1+cu128 (pinned)"
    finally:
        torch.index.routes[place] = original
