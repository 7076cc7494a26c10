"""Torch, its family and extensions agree on one backend, whatever an index lacks: against an own resolver."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from tests.making import make_wheel
from tests.variant_index.shim.serving import running_shim
from tests.variant_index.torch_index.fake_torch import (
    FakeTorch,
    cpu_machine,
    cuda_machine,
    intel_machine,
    rocm_machine,
)
from tests.variant_index.upstream.fake_index import HTML_TYPE, FakeIndex
from variant_index.extensions.asked import read_asked
from variant_index.extensions.coupling import read_coupling
from variant_index.extensions.decide import ExtensionWheel, match_builds
from variant_index.extensions.environment import Environment
from variant_index.extensions.settings import ExtensionSettings
from variant_index.extensions.torch_build import TorchBuild
from variant_index.model.filename import WheelFilename
from variant_index.model.machine import MachineProfile
from variant_index.model.properties import Properties
from variant_index.model.wishes import Wishes
from variant_index.selection.choice import TargetTags
from variant_index.shim.expected_torch import ExpectedTorch
from variant_index.shim.torch_family import TorchFamily, present_family
from variant_index.shim.torch_requirement import TorchRequirements
from variant_index.simple_api.page import ProjectFile
from variant_index.torch_index.backends import Backend, parse_backend
from variant_index.torch_index.builds import Build
from variant_index.torch_index.reader import TorchIndex, TorchProject
from variant_index.torch_index.settings import TorchSettings
from variant_index.upstream.source import Source

TAG = "cp312-cp312-linux_x86_64"
TAGS = TargetTags([TAG, "py3-none-any"])
TORCHES = ("2.8.0", "2.9.0", "2.9.1", "2.10.0")
AO = ("0.13.0", "0.14.0")
FOLDERS = ("cpu", "cu118", "cu126", "cu128", "cu130", "rocm6.4", "rocm7.1", "xpu")
MACHINES: dict[str, tuple[MachineProfile, frozenset[str]]] = {
    "Ada, CUDA 12": (cuda_machine("12.4", "8.9"), frozenset({"cu118", "cu126", "cu128"})),
    "Ada, CUDA 13": (cuda_machine("13.0", "8.9"), frozenset({"cu118", "cu126", "cu128", "cu130"})),
    "MI300": (rocm_machine("gfx942", "7.1", "7.0", "6.4"), frozenset({"rocm6.4", "rocm7.1"})),
    "Intel": (intel_machine("20.1.0"), frozenset({"xpu"})),
    "no GPU": (cpu_machine(), frozenset()),
}
"""Name -> machine, and the backends for its GPU, by hand."""


def version_of(name: str, torch: str) -> str:
    """Return the release of a project that goes with a torch release."""
    major, minor, patch = torch.split(".")
    return f"0.{int(minor) + 15}.{patch}" if name == "torchvision" else f"{major}.{minor}.{patch}"


def torch_of(name: str, version: str) -> str | None:
    """Return the torch that a release requires, as its metadata says."""
    return next(
        (
            one
            for one in TORCHES
            if name in ("torchvision", "torchaudio") and version_of(name, one) == version
        ),
        None,
    )


@dataclass(frozen=True)
class World:
    """An index with holes: project -> release -> backends; torch and backend of the extension's builds."""

    projects: Mapping[str, Mapping[str, Sequence[str]]]
    extension: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Command:
    """Requirements, in order; `installed` is a torch such as 2.9.0+cpu."""

    specifiers: Mapping[str, str]
    constraint: str = ""
    installed: str = ""


@st.composite
def worlds(draw: st.DrawFn) -> World:
    def releases(versions: Sequence[str]) -> dict[str, list[str]]:
        chosen = draw(st.lists(st.sampled_from(versions), unique=True, min_size=1))
        return {
            version: draw(st.lists(st.sampled_from(FOLDERS), unique=True, min_size=1)) for version in chosen
        }

    projects = {
        "torch": releases(TORCHES),
        "torchvision": releases([version_of("torchvision", one) for one in TORCHES]),
        "torchaudio": releases(TORCHES),
        "torchao": releases(AO),
    }
    couples = st.tuples(st.sampled_from(["2.8", "2.9", "2.10"]), st.sampled_from(["cpu", "cu126", "cu130"]))
    return World(projects, draw(st.lists(couples, unique=True, max_size=6)))


@st.composite
def commands(draw: st.DrawFn, world: World) -> Command:
    names = draw(st.lists(st.sampled_from(sorted(world.projects)), unique=True, min_size=1))
    specifiers = {}
    for name in names:
        known = sorted(world.projects[name])
        version = draw(st.sampled_from(known))
        pins = ["", "", f"=={version}", f"<={version}"]
        if name == "torch":
            pins += [f"=={version}+{folder}" for folder in world.projects[name][version]]
        specifiers[name] = draw(st.sampled_from(pins))
    constraint = draw(st.sampled_from(["", "", "<2.10", "==2.9.*"]))
    installed = draw(st.sampled_from(["", "", *(f"2.9.0+{folder}" for folder in FOLDERS), "2.8.0+cu126"]))
    return Command(specifiers, constraint, installed)


class ToyIndex(TorchIndex):
    """An index without pages."""

    def __init__(self, world: World) -> None:
        self.source = Source("https://toys.example/whl")
        self._projects = {
            name: TorchProject(
                name,
                {
                    Version(version): tuple(build(name, version, folder) for folder in folders)
                    for version, folders in releases.items()
                },
            )
            for name, releases in world.projects.items()
        }

    def project(self, name: str, supported: Properties) -> TorchProject | None:
        return self._projects.get(name)


def build(name: str, version: str, folder: str) -> Build:
    wheel = WheelFilename.parse(f"{name}-{version}+{folder}-{TAG}.whl")
    file = ProjectFile(
        wheel.filename, f"https://toys.example/whl/{folder}/{wheel.filename}", {"sha256": "0" * 64}
    )
    return Build(parse_backend(folder), wheel, Version(f"{version}+{folder}"), file)


class ToyRequirements(TorchRequirements):
    """Metadata without files."""

    def __init__(self) -> None:
        pass

    def of(self, file: ProjectFile) -> SpecifierSet | None:
        wheel = WheelFilename.parse(file.filename)
        torch = torch_of(wheel.name, Version(wheel.version).public)
        return SpecifierSet() if torch is None else SpecifierSet(f"=={torch}")


class ToyEnvironment(Environment):
    """An environment without files."""

    def __init__(self, torch: str) -> None:
        self._torch = TorchBuild.of(Version(torch), "installed") if torch else None

    def versions(self) -> Mapping[str, Version]:
        return {"torch": self._torch.version} if self._torch is not None else {}

    def torch(self) -> TorchBuild | None:
        return self._torch


@dataclass
class Run:
    """What the shim shows to a command, and what an installer makes of it."""

    world: World
    command: Command
    machine: MachineProfile
    pages: dict[str, list[tuple[Version, bool]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        texts = tuple(f"{name}{specifier}" for name, specifier in self.command.specifiers.items())
        limits = (f"torch{self.command.constraint}",) if self.command.constraint else ()
        asked = read_asked(Wishes(texts, limits), dict)
        family = TorchFamily(ToyIndex(self.world))
        known = ExtensionSettings(ToyEnvironment(self.command.installed), lambda: asked)
        self.expected = ExpectedTorch(known, family, ToyRequirements())
        family.follow(self.expected)
        for name in self.world.projects:
            project = family.project(name, self.machine.supported(), TAGS)
            if project is not None:
                files = present_family(project).files
                self.pages[name] = [(version(one.file), bool(one.file.yanked)) for one in files]

    def resolve(self) -> dict[str, Version] | None:
        """Choose as installers do: project by project, the newest that goes with what is chosen."""
        order = list(self.command.specifiers)
        return next(self._resolutions(order, {}), None)

    def _resolutions(self, order: Sequence[str], chosen: dict[str, Version]) -> Iterator[dict[str, Version]]:
        if not order:
            yield chosen
            return
        for candidate in self._candidates(order[0], chosen):
            rest = list(order[1:])
            found = {**chosen, order[0]: candidate}
            needed = torch_of(order[0], candidate.public)
            if needed is not None and "torch" not in found and "torch" not in rest:
                rest.insert(0, "torch")
            if "torch" not in found or self._agree(found):
                yield from self._resolutions(rest, found)

    def _agree(self, chosen: Mapping[str, Version]) -> bool:
        needed = {torch_of(name, one.public) for name, one in chosen.items()}
        return needed <= {None, chosen["torch"].public}

    def _candidates(self, name: str, chosen: Mapping[str, Version]) -> list[Version]:
        specifier = SpecifierSet(self.command.specifiers.get(name, ""))
        if name == "torch":
            specifier &= SpecifierSet(self.command.constraint)
            for other, one in chosen.items():
                needed = torch_of(other, one.public)
                specifier &= SpecifierSet("" if needed is None else f"=={needed}")
            if self.command.installed and Version(self.command.installed) in specifier:
                return [Version(self.command.installed)]
        matching = [(one, yanked) for one, yanked in self.pages.get(name, []) if one in specifier]
        pinned = any(part.operator == "==" and "*" not in part.version for part in specifier)
        if matching and all(yanked for _, yanked in matching) and pinned:
            return sorted((one for one, _ in matching), reverse=True)
        return sorted((one for one, yanked in matching if not yanked), reverse=True)


def version(file: ProjectFile) -> Version:
    return Version(WheelFilename.parse(file.filename).version)


def backend(version: Version) -> Backend:
    found = parse_backend(version.local or "")
    assert found is not None
    return found


def go_together(one: Backend, other: Backend) -> bool:
    """Tell whether builds can be loaded together: the same hardware and major version of its toolkit."""
    return one.kind == other.kind and one.version[0] == other.version[0]


def test_what_would_keep_an_installed_torch_that_it_does_not_go_with_is_held_back() -> None:
    releases = {"2.8.0": ["cu126"], "2.9.0": ["cu126"]}
    vision = {"0.23.0": ["cu126"], "0.24.0": ["cu126"]}
    world = World({"torch": releases, "torchvision": vision, "torchaudio": {}, "torchao": {}})
    machine, _ = MACHINES["Ada, CUDA 12"]
    run = Run(world, Command({"torchvision": ""}, installed="2.9.0+rocm6.4"), machine)
    assert run.resolve() == {"torchvision": Version("0.23.0+cu126"), "torch": Version("2.8.0+cu126")}
    expected = run.expected.build(machine.supported(), TAGS)
    assert expected is not None
    assert expected.version == Version("2.8.0+cu126")


def can_be_had(world: World, names: Sequence[str], usable: frozenset[str]) -> bool:
    """Tell whether any releases of projects go together on a machine, by trying all."""
    fitting = usable | {"cpu"}
    for torch, folders in world.projects["torch"].items():
        for leading in map(parse_backend, fitting.intersection(folders)):
            assert leading is not None
            if all(
                any(
                    torch_of(name, release) in (None, torch)
                    and any(
                        one.kind == "cpu" or go_together(one, leading)
                        for one in map(parse_backend, fitting.intersection(backends))
                        if one is not None
                    )
                    for release, backends in world.projects[name].items()
                )
                for name in names
                if name != "torch"
            ):
                return True
    return False


cases = worlds().flatmap(lambda world: st.tuples(st.just(world), commands(world)))


@settings(max_examples=80, deadline=None)
@given(cases, st.sampled_from(sorted(MACHINES)))
def test_one_run_has_one_backend(case: tuple[World, Command], name: str) -> None:
    world, command = case
    machine, usable = MACHINES[name]
    run = Run(world, command, machine)
    chosen = run.resolve()
    assume(chosen is not None)
    assert chosen is not None
    torch = chosen.get("torch")
    if torch is None and command.installed and Version(command.installed) in SpecifierSet(command.constraint):
        torch = Version(command.installed)
    if torch is None:
        return
    leading = backend(torch)
    members = {one: version for one, version in chosen.items() if one != "torch"}
    for one, member in members.items():
        offered = {parse_backend(folder) for folder in world.projects[one][member.public]}
        if leading in offered:
            assert backend(member) == leading, one
        elif backend(member).kind == "cpu" and leading.kind != "cpu":
            possible = {known for known in offered if known is not None and known.folder in usable}
            assert not any(go_together(known, leading) for known in possible), one
        else:
            pinned = command.specifiers[one].startswith("==")
            assert go_together(backend(member), leading) or pinned, one
    is_ours = str(torch) != command.installed and "+" not in command.specifiers.get("torch", "")
    if not is_ours:
        return
    # What a GPU can be used with all of is used with all of.
    tied = [world.projects[one][member.public] for one, member in members.items() if one != "torchao"]
    common = usable.intersection(world.projects["torch"][torch.public], *tied)
    if common:
        assert leading.kind != "cpu"
        assert {backend(version) for one, version in chosen.items() if one != "torchao"} == {leading}


@settings(max_examples=80, deadline=None)
@given(
    worlds(),
    st.permutations(["torch", "torchvision", "torchaudio"]),
    st.sampled_from(sorted(MACHINES)),
)
def test_what_goes_together_is_found(world: World, names: Sequence[str], name: str) -> None:
    machine, usable = MACHINES[name]
    for asked in (names, names[:2]):
        run = Run(world, Command(dict.fromkeys(asked, "")), machine)
        assert (run.resolve() is not None) == can_be_had(world, asked, usable)


@settings(max_examples=80, deadline=None)
@given(cases, st.sampled_from(sorted(MACHINES)))
def test_extensions_go_with_the_torch_of_the_same_run(case: tuple[World, Command], name: str) -> None:
    world, command = case
    machine, _ = MACHINES[name]
    run = Run(world, command, machine)
    chosen = run.resolve()
    assume(chosen is not None)
    assert chosen is not None
    torch = chosen.get("torch")
    if torch is None and command.installed and Version(command.installed) in SpecifierSet(command.constraint):
        torch = Version(command.installed)
    expected = run.expected.build(machine.supported(), TAGS)
    if torch is None:
        return
    assert expected is not None
    assert expected.version == torch
    wheels = []
    for number, folder in world.extension:
        text = f"0.6+pt{number}.0{folder}"
        coupling = read_coupling(text, "")
        assert coupling is not None
        wheels.append(ExtensionWheel(f"det-{text}-{TAG}.whl", Version(text), 0, coupling))
    matched = match_builds("det", wheels, expected)
    suitable = {
        wheel.filename
        for wheel, (number, folder) in zip(wheels, world.extension, strict=True)
        if torch.public.startswith(f"{number}.")
        and go_together(backend(Version(f"1+{folder}")), backend(torch))
    }
    assert set(matched.chosen) <= suitable
    assert bool(matched.chosen) == bool(suitable)
    assert (matched.warning is not None) == (bool(wheels) and not suitable)


ANY = "py3-none-any"


def random_world(chance: random.Random) -> World:
    """Return an index in which most members have most backends, with triton for all of them."""

    def releases(versions: Sequence[str]) -> dict[str, list[str]]:
        kept = [one for one in versions if chance.random() < 0.8] or [versions[0]]
        return {one: [folder for folder in FOLDERS if chance.random() < 0.7] or ["cpu"] for one in kept}

    projects = {
        "torch": releases(TORCHES),
        "torchvision": releases([version_of("torchvision", one) for one in TORCHES]),
        "torchaudio": releases(TORCHES),
        "torchao": releases(AO),
    }
    folders = ("cpu", "cu118", "cu126", "cu130")
    couples = [(minor, folder) for minor in ("2.8", "2.9", "2.10") for folder in folders]
    return World(projects, couples)


@pytest.mark.parametrize(
    ("seed", "asked"),
    [
        (1, ["torch", "torchvision", "torchaudio", "torchao", "det"]),
        (2, ["torchvision", "det"]),
        (3, ["torch<2.10", "torchaudio", "det"]),
        (4, ["torchao", "torch==2.9.0", "torchvision", "det"]),
        (5, ["det", "torchaudio", "torchvision"]),
    ],
)
def test_pip_gets_what_goes_together(tmp_path: Path, seed: int, asked: Sequence[str]) -> None:
    chance = random.Random(seed)
    world = random_world(chance)
    machine, usable = MACHINES[chance.choice(["Ada, CUDA 12", "Ada, CUDA 13", "no GPU"])]
    with FakeTorch(tmp_path / "torch") as torch, FakeIndex() as index:
        for name, releases in world.projects.items():
            for version, folders in releases.items():
                needed = torch_of(name, version)
                requires = ["triton"] if name == "torch" else [f"torch=={needed}"] if needed else []
                for folder in folders:
                    torch.add(folder, f"{name}-{version}+{folder}-{ANY}.whl", requires_dist=requires)
        torch.add("", f"triton-3.5.0-{ANY}.whl")
        torch.publish(FOLDERS)
        builds = [f"det-0.6+pt{minor}.0{folder}-{ANY}.whl" for minor, folder in world.extension]
        wheels = [index.add_file(make_wheel(tmp_path / "files", build)) for build in builds]
        index.add_project("det", wheels, HTML_TYPE)
        known = read_asked(Wishes(tuple(asked)), dict)
        with running_shim(
            index.url,
            machine=lambda: machine,
            extensions=ExtensionSettings(asked=lambda: known),
            torch=TorchSettings(Source(torch.url), tuple(filter(None, map(parse_backend, FOLDERS)))),
        ) as shim:
            options = [
                "--dry-run",
                "-I",
                "-q",
                "--report",
                "-",
                "--no-cache-dir",
                "--index-url",
                shim.index_url,
            ]
            done = subprocess.run(
                [sys.executable, "-m", "pip", "install", *options, *asked],
                env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PIP_CONFIG_FILE": os.devnull},
                capture_output=True,
                text=True,
                timeout=120,
            )
    assert done.returncode == 0, done.stderr
    chosen = {
        one["metadata"]["name"]: Version(one["metadata"]["version"])
        for one in json.loads(done.stdout)["install"]
    }
    leading = backend(chosen["torch"])
    det = read_coupling(str(chosen["det"]), "")
    assert det is not None
    assert det.torch[:2] == chosen["torch"].release[:2]
    assert go_together(backend(Version(f"1+{det.backend}")), leading)
    tied = [name for name in ("torch", "torchvision", "torchaudio") if name in chosen]
    offered = [set(world.projects[name][chosen[name].public]) for name in tied]
    if common := usable.intersection(*offered):
        assert leading.folder in common
        assert {backend(chosen[name]) for name in tied} == {leading}
    if "torchao" in chosen:
        assert go_together(backend(chosen["torchao"]), leading) or backend(chosen["torchao"]).kind == "cpu"
