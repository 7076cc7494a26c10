from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from tests.variant_index.torch_index.fake_torch import (
    cpu_machine,
    cuda_machine,
    intel_machine,
    rocm_machine,
)
from variant_index.model.filename import WheelFilename
from variant_index.model.machine import MachineProfile
from variant_index.selection.choice import TargetTags
from variant_index.selection.preference import Preference
from variant_index.simple_api.page import ProjectFile
from variant_index.torch_index.agreement import FamilyBackend
from variant_index.torch_index.backends import parse_backend
from variant_index.torch_index.builds import Build
from variant_index.torch_index.decide import decide, family_backend
from variant_index.torch_index.release import ReleaseDecision

LINUX = "manylinux_2_28_x86_64"
TAGS = TargetTags([f"cp312-cp312-{LINUX}", "cp312-cp312-linux_x86_64", "py3-none-any"])
AARCH64 = TargetTags(["cp312-cp312-manylinux_2_28_aarch64", "cp312-cp312-linux_aarch64"])
MAC = TargetTags(["cp312-none-macosx_11_0_arm64"])
WINDOWS_ARM = TargetTags(["cp312-cp312-win_arm64"])
Builds = dict[Version, list[Build]]

V100 = cuda_machine("12.8", "7.0")
ADA_12_4 = cuda_machine("12.4", "8.9")
ADA_13 = cuda_machine("13.0", "8.9")
CPU = cpu_machine()
MI300 = rocm_machine("gfx942", "7.1", "7.0", "6.4")


def build(
    folder: str,
    version: str,
    *,
    name: str = "torch",
    tags: str = f"cp312-cp312-{LINUX}",
    hashed: bool = True,
    yanked: bool = False,
    needs: str | None = None,
) -> Build:
    wheel = WheelFilename.parse(f"{name}-{version}-{tags}.whl")
    url = f"https://download.pytorch.org/whl/{folder + '/' if folder else ''}{wheel.filename}"
    file = ProjectFile(wheel.filename, url, {"sha256": "0" * 64} if hashed else {}, needs, yanked)
    return Build(parse_backend(folder) if folder else None, wheel, Version(version), file)


def sorted_builds(builds: Iterable[Build]) -> Builds:
    found: Builds = {}
    for one in builds:
        found.setdefault(Version(one.version.public), []).append(one)
    return found


def releases(table: Mapping[str, Sequence[str]], name: str = "torch") -> Builds:
    """Return releases whose wheels have the backend as local version."""
    return sorted_builds(
        build(folder, f"{version}+{folder}", name=name)
        for version, folders in table.items()
        for folder in folders
    )


def decided(
    builds: Builds,
    machine: MachineProfile,
    *,
    name: str = "torch",
    tags: TargetTags = TAGS,
    family: FamilyBackend | None = None,
    prefer: Preference = "hardware",
    allow_unhashed: bool = False,
) -> dict[str, ReleaseDecision]:
    found = decide(
        name,
        builds,
        machine.supported(),
        tags,
        family=family,
        prefer=prefer,
        allow_unhashed=allow_unhashed,
    )
    return {str(decision.version): decision for decision in found}


def labels(found: Mapping[str, ReleaseDecision]) -> dict[str, str]:
    return {
        version: decision.label + ("" if decision.held_back is None else " held back")
        for version, decision in found.items()
    }


TORCH = releases(
    {
        "2.9.0": ["cpu", "cu126", "cu128", "cu130", "rocm6.4", "xpu"],
        "2.14.1": ["cpu", "cu126", "cu130", "cu132", "rocm7.1", "xpu"],
        "2.15.0": ["cpu", "cu130", "cu132", "rocm7.2"],
    }
)


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        (ADA_13, {"2.15.0": "cu132", "2.14.1": "cu132", "2.9.0": "cu130"}),
        (ADA_12_4, {"2.15.0": "cpu held back", "2.14.1": "cu126", "2.9.0": "cu128"}),
        (V100, {"2.15.0": "cpu held back", "2.14.1": "cu126", "2.9.0": "cu128"}),
        (cuda_machine("13.1", "7.0"), {"2.15.0": "cpu held back", "2.14.1": "cu126", "2.9.0": "cu128"}),
        (cuda_machine("11.8", "8.0"), {"2.15.0": "cpu", "2.14.1": "cpu", "2.9.0": "cpu"}),
        (MI300, {"2.15.0": "cpu held back", "2.14.1": "rocm7.1", "2.9.0": "rocm6.4"}),
        (intel_machine("20.1.0"), {"2.15.0": "cpu held back", "2.14.1": "xpu", "2.9.0": "xpu"}),
        (CPU, {"2.15.0": "cpu", "2.14.1": "cpu", "2.9.0": "cpu"}),
    ],
)
def test_the_newest_release_that_uses_the_hardware(machine: MachineProfile, expected: dict[str, str]) -> None:
    assert labels(decided(TORCH, machine)) == expected


def test_the_newest_release_for_those_who_prefer_it() -> None:
    assert labels(decided(TORCH, V100, prefer="version")) == {
        "2.15.0": "cpu",
        "2.14.1": "cu126",
        "2.9.0": "cu128",
    }


def test_a_release_held_back_says_why_and_lists_one_build() -> None:
    held = decided(TORCH, ADA_12_4)["2.15.0"]
    assert held.held_back is not None
    assert held.held_back.startswith("torch 2.15.0 has no build for this machine's GPU (")
    assert "cu132 needs CUDA ≥ 13.0, driver supports 12.4" in held.held_back
    assert held.held_back.endswith("2.14.1 (cu126) uses it, VARIANT_INDEX_PREFER=version takes the newest")
    # pip takes the highest yanked local version for `==2.15.0`; only the one that runs may be there.
    assert [one.folder for one in held.chosen] == ["cpu"]
    assert held.pinnable == ()
    assert {verdict.build.folder for verdict in held.refused} == {"cu130", "cu132", "rocm7.2"}


def test_old_releases_without_the_hardware_are_not_held_back() -> None:
    builds = releases({"2.6.0": ["cpu", "cu118"], "2.7.1": ["cpu", "cu128"]})
    assert labels(decided(builds, cuda_machine("12.8", "12.0"))) == {"2.7.1": "cu128", "2.6.0": "cpu"}


def test_a_gap_in_the_middle_is_held_back() -> None:
    builds = releases({"2.7": ["cpu", "cu126"], "2.8": ["cpu"], "2.9": ["cpu", "cu126"]})
    assert labels(decided(builds, V100)) == {"2.9": "cu126", "2.8": "cpu held back", "2.7": "cu126"}


def test_a_prerelease_that_uses_the_hardware_holds_no_final_release_back() -> None:
    builds = releases({"2.8.0rc1": ["cpu", "cu126"], "2.8.0": ["cpu"], "2.9.0rc1": ["cpu"]})
    assert labels(decided(builds, V100)) == {
        "2.9.0rc1": "cpu held back",
        "2.8.0": "cpu",
        "2.8.0rc1": "cu126",
    }


def test_others_can_be_pinned_and_say_why() -> None:
    found = decided(TORCH, ADA_12_4)["2.9.0"]
    assert [one.file.filename for one in found.chosen] == [f"torch-2.9.0+cu128-cp312-cp312-{LINUX}.whl"]
    assert "CUDA ≥ 12.0 (driver supports 12.4)" in found.reason
    assert "priority" not in found.reason
    why = {verdict.build.folder: verdict.yanked for verdict in found.pinnable}
    assert list(why)[:2] == ["cu126", "cpu"]
    assert why["cu126"] == "cu128 is chosen for this machine"
    assert why["cu130"] == "not for this machine: needs CUDA ≥ 13.0, driver supports 12.4"
    assert why["rocm6.4"] is not None
    assert "no AMD GPU found" in why["rocm6.4"]


def test_a_machine_without_a_gpu_is_told_so_in_few_words() -> None:
    assert decided(TORCH, CPU)["2.15.0"].reason == "runs on any machine, no GPU found"


def test_a_release_that_cannot_run_is_hidden() -> None:
    builds = releases({"2.8": ["cpu"], "2.9": ["rocm6.4", "cu130"]})
    assert list(decided(builds, CPU)) == ["2.8"]


def test_tags_come_first() -> None:
    builds = sorted_builds(
        [
            build("cu126", "2.9.0+cu126", tags=f"cp313-cp313-{LINUX}"),
            build("cpu", "2.9.0+cpu"),
            build("cu126", "2.8.0+cu126", tags=f"cp313-cp313-{LINUX}"),
        ]
    )
    assert labels(decided(builds, V100)) == {"2.9.0": "cpu"}


def test_a_mac_gets_its_wheel_without_a_local_version() -> None:
    mac = build("cpu", "2.9.0", tags="cp312-none-macosx_11_0_arm64")
    builds = sorted_builds([build("cpu", "2.9.0+cpu"), mac, build("cu126", "2.9.0+cu126")])
    found = decided(builds, CPU, tags=MAC)["2.9.0"]
    assert found.chosen == (mac,)
    assert found.pinnable == ()


def test_windows_on_arm_gets_its_wheel_with_a_commit_for_a_local_version() -> None:
    arm = build("cpu", "0.24.0+966da7e", name="torchvision", tags="cp312-cp312-win_arm64")
    x86 = build("cpu", "0.24.0+cpu", name="torchvision", tags="cp312-cp312-win_amd64")
    builds = sorted_builds([x86, arm])
    assert decided(builds, CPU, name="torchvision", tags=WINDOWS_ARM)["0.24.0"].chosen == (arm,)


def test_of_two_local_versions_of_one_backend_one_is_chosen() -> None:
    builds = sorted_builds([build("cpu", "2.6.0+cpu.cxx11.abi"), build("cpu", "2.6.0+cpu")])
    found = decided(builds, CPU)["2.6.0"]
    assert [str(one.version) for one in found.chosen] == ["2.6.0+cpu"]
    assert [str(verdict.build.version) for verdict in found.pinnable] == ["2.6.0+cpu.cxx11.abi"]


def test_one_name_in_several_backends_is_listed_once() -> None:
    tags = "cp312-cp312-manylinux_2_28_aarch64"
    folders = ("cpu", "cu126", "cu130")
    builds = sorted_builds(build(folder, "0.24.0", name="torchvision", tags=tags) for folder in folders)
    for machine, folder in (
        (cuda_machine("13.0", "9.0"), "cu130"),
        (cuda_machine("12.6", "9.0"), "cu126"),
        (CPU, "cpu"),
    ):
        found = decided(builds, machine, name="torchvision", tags=AARCH64)["0.24.0"]
        assert [one.folder for one in found.chosen] == [folder]
        assert f"/{folder}/" in found.chosen[0].file.url
        assert found.pinnable == ()
        assert len(found.refused) == 2


def test_wheels_at_the_root_are_the_last_choice_and_never_held_back() -> None:
    root = build("", "2.0.1")
    older = releases({"2.0.1": ["cpu", "cu118"], "1.13.0": ["cu117"]})
    older[Version("2.0.1")].append(root)
    assert labels(decided(older, CPU)) == {"2.0.1": "cpu"}
    assert labels(decided(older, V100)) == {"2.0.1": "cu118", "1.13.0": "cu117"}
    only_root = {**older, Version("2.0.1"): [root]}
    assert labels(decided(only_root, V100)) == {"2.0.1": "any backend", "1.13.0": "cu117"}


def test_a_wheel_without_a_hash_is_refused_unless_allowed() -> None:
    builds = sorted_builds([build("cu126", "2.9.0+cu126", hashed=False), build("cpu", "2.9.0+cpu")])
    found = decided(builds, V100)["2.9.0"]
    assert found.label == "cpu"
    assert "without a hash" in found.refused[0].reason
    assert decided(builds, V100, allow_unhashed=True)["2.9.0"].label == "cu126"


def test_what_the_index_yanked_stays_yanked() -> None:
    builds = sorted_builds([build("cu126", "2.9.0+cu126", yanked=True), build("cpu", "2.9.0+cpu")])
    found = decided(builds, V100)["2.9.0"]
    assert found.label == "cpu"
    assert [verdict.build.folder for verdict in found.pinnable] == ["cu126"]
    only = sorted_builds([build("cu126", "2.9.0+cu126", yanked=True)])
    assert decided(only, V100)["2.9.0"].chosen[0].file.yanked is True


def test_the_higher_build_number_comes_first_but_not_across_backends() -> None:
    builds = sorted_builds(
        [build("cpu", "2.9.0+cpu"), build("cu126", "2.9.0+cu126"), build("cu126", "2.9.0+cu126")]
    )
    with_number = [replace(one, wheel=replace(one.wheel, build="3")) for one in builds[Version("2.9.0")][:1]]
    second = replace(builds[Version("2.9.0")][2], wheel=replace(builds[Version("2.9.0")][2].wheel, build="2"))
    found = decided({Version("2.9.0"): [*with_number, builds[Version("2.9.0")][1], second]}, V100)["2.9.0"]
    assert [one.wheel.build for one in found.chosen] == ["2", ""]


def family(machine: MachineProfile, builds: Builds = TORCH) -> FamilyBackend:
    return family_backend(list(decided(builds, machine).values()))


def test_the_family_follows_the_newest_torch_to_take() -> None:
    known = family(ADA_12_4)
    assert known.newest == Version("2.14.1")
    assert known.by_release[known.newest].folder == "cu126"
    assert family_backend(()).newest is None


def test_torchvision_follows_the_torch_it_belongs_to() -> None:
    vision = releases(
        {
            "0.24.0": ["cpu", "cu126", "cu128", "cu130"],
            "0.29.1": ["cpu", "cu126", "cu130", "cu132"],
            "0.30.0": ["cpu", "cu126"],
        },
        "torchvision",
    )
    found = decided(vision, ADA_12_4, name="torchvision", family=family(ADA_12_4))
    # 0.30.0 goes with torch 2.15.0, which runs on the CPU here: a CUDA build of it would not load.
    assert labels(found) == {"0.30.0": "cpu held back", "0.29.1": "cu126", "0.24.0": "cu128"}


def test_a_patch_release_without_a_twin_follows_its_minor_release() -> None:
    torch = family(ADA_12_4, releases({"2.9.0": ["cpu", "cu126"], "2.10.0": ["cpu", "cu128"]}))
    audio = releases({"2.9.7": ["cpu", "cu126", "cu128"]}, "torchaudio")
    assert labels(decided(audio, ADA_12_4, name="torchaudio", family=torch)) == {"2.9.7": "cu126"}


def test_others_follow_the_newest_torch() -> None:
    torch = releases({"2.9.0": ["cpu", "cu126", "cu128"]})
    other = releases({"0.14.0": ["cpu", "cu128", "cu129", "cu130"]}, "torchao")
    found = decided(other, ADA_13, name="torchao", family=family(ADA_13, torch))
    assert labels(found) == {"0.14.0": "cu128"}


def test_a_prerelease_of_torch_leads_nobody() -> None:
    torch = releases({"2.9.0": ["cpu", "cu126"], "2.10.0rc1": ["cpu", "cu128"]})
    other = releases({"0.14.0": ["cpu", "cu126", "cu128"]}, "torchao")
    found = decided(other, ADA_13, name="torchao", family=family(ADA_13, torch))
    assert labels(found) == {"0.14.0": "cu126"}


def test_gpus_that_only_builds_for_aarch64_know() -> None:
    thor = cuda_machine("13.0", "11.0")
    tags = "cp312-cp312-manylinux_2_28_aarch64"
    builds = sorted_builds(build(folder, f"2.9.0+{folder}", tags=tags) for folder in ("cpu", "cu130"))
    assert labels(decided(builds, thor, tags=AARCH64)) == {"2.9.0": "cu130"}
    assert labels(decided(releases({"2.9.0": ["cpu", "cu130"]}), thor)) == {"2.9.0": "cpu"}


def test_others_are_judged_like_the_torch_they_go_with() -> None:
    # CUDA 12.8 builds of torch 2.9 run on Volta, those of newer ones do not.
    torch = family(V100, releases({"2.9.0": ["cpu", "cu128"]}))
    other = releases({"0.14.0": ["cpu", "cu128"]}, "torchao")
    assert labels(decided(other, V100, name="torchao", family=torch)) == {"0.14.0": "cu128"}
    assert labels(decided(other, V100, name="torchao")) == {"0.14.0": "cpu"}


def test_without_torchs_backend_one_of_its_toolkit_or_none_is_taken() -> None:
    torch = family(ADA_13, releases({"2.9.0": ["cpu", "cu126"]}))
    near = releases({"0.14.0": ["cpu", "cu128", "cu130"]}, "torchao")
    assert labels(decided(near, ADA_13, name="torchao", family=torch)) == {"0.14.0": "cu128"}
    far = releases({"0.14.0": ["cpu", "cu130"]}, "torchao")
    assert labels(decided(far, ADA_13, name="torchao", family=torch)) == {"0.14.0": "cpu"}
    only = releases({"0.14.0": ["cu130"]}, "torchao")
    assert labels(decided(only, ADA_13, name="torchao", family=torch)) == {"0.14.0": "cu130 held back"}


MACHINES = [
    *(V100, ADA_12_4, ADA_13, CPU, MI300, cuda_machine("11.8", "8.0"), cuda_machine("13.2", "12.0")),
    *(rocm_machine("gfx1100", "6.4", "6.3"), intel_machine("20.1.0")),
]
FOLDERS = [
    "",
    "cpu",
    "cu118",
    "cu126",
    "cu128",
    "cu130",
    "cu132",
    "rocm6.4",
    "rocm7.1",
    "xpu",
    "cpu-cxx11-abi",
]
LOCALS = ["", "+{}", "+{}", "+abc"]


@st.composite
def some_builds(draw: st.DrawFn) -> list[Build]:
    found = []
    for version in draw(
        st.lists(st.sampled_from(["2.7.1", "2.8.0", "2.9.0", "2.10.0rc1", "2.15.0"]), unique=True)
    ):
        for folder in draw(st.lists(st.sampled_from(FOLDERS), unique=True)):
            local = draw(st.sampled_from(LOCALS)).format(folder.replace("-", ".") or "x")
            tags = draw(
                st.sampled_from([f"cp312-cp312-{LINUX}", "cp312-cp312-linux_x86_64", "cp313-cp313-any"])
            )
            hashed = draw(st.sampled_from([True, True, True, False]))
            found.append(build(folder, version + local, tags=tags, hashed=hashed))
    return found


@given(some_builds(), st.sampled_from(MACHINES), st.sampled_from(["hardware", "version"]), st.randoms())
def test_rules_that_hold_for_every_index(
    builds: list[Build], machine: MachineProfile, prefer: Preference, randomness: random.Random
) -> None:
    found = decided(sorted_builds(builds), machine, prefer=prefer)

    shuffled = list(builds)
    randomness.shuffle(shuffled)
    assert decided(sorted_builds(shuffled), machine, prefer=prefer) == found

    plain = decided(sorted_builds(builds), machine, prefer="version")
    assert found.keys() == plain.keys()
    for version, decision in found.items():
        assert decision.chosen
        # One backend and one local version, or the client's own order of local versions would decide.
        assert len({one.folder for one in decision.chosen}) == 1
        assert len({one.version for one in decision.chosen}) == 1
        listed = [one.file.filename for one in decision.chosen]
        listed += [verdict.build.file.filename for verdict in decision.pinnable]
        assert len(set(listed)) == len(listed)
        assert all(verdict.yanked for verdict in decision.pinnable)
        assert decision.chosen == plain[version].chosen
        everything = [
            *decision.chosen,
            *(verdict.build for verdict in (*decision.pinnable, *decision.refused)),
        ]
        assert len(everything) == len([one for one in builds if one.version.public == version])
        if decision.held_back is not None:
            assert prefer == "hardware"
            assert not decision.uses_hardware
            assert any(o.uses_hardware and o.version < decision.version for o in found.values())
    if machine is CPU:
        assert not any(decision.uses_hardware or decision.held_back for decision in found.values())


@given(some_builds(), st.sampled_from(MACHINES))
def test_no_release_that_fits_is_lost(builds: list[Build], machine: MachineProfile) -> None:
    found = decided(sorted_builds(builds), machine)
    for one in builds:
        runs_anywhere = one.backend is None or one.backend.kind == "cpu"
        if runs_anywhere and one.file.hashes and TAGS.position(one.wheel) is not None:
            assert str(Version(one.version.public)) in found


@given(some_builds(), some_builds(), st.sampled_from(MACHINES))
def test_the_family_is_never_split_where_it_need_not_be(
    torch: list[Build], other: list[Build], machine: MachineProfile
) -> None:
    torch_found = decided(sorted_builds(torch), machine)
    known = family_backend(list(torch_found.values()))
    audio = sorted_builds(other)
    found = decided(audio, machine, name="torchaudio", family=known)
    assert found.keys() == decided(audio, machine).keys()
    for version, decision in found.items():
        twin = torch_found.get(version)
        if twin is None or twin.backend is None or decision.backend is None:
            continue
        usable = {
            one.folder
            for one in audio[decision.version]
            if one.file.hashes and TAGS.position(one.wheel) is not None
        }
        if twin.backend.folder in usable:
            assert decision.backend == twin.backend


def test_builds_for_another_python_are_refused() -> None:
    """PyTorch's own pages name no Python, but those of mirrors do."""
    builds = sorted_builds(
        [build("cu128", "2.9.0+cu128", needs=">=3.13"), build("cu126", "2.9.0+cu126", needs=">=3.10")]
    )
    tags = TargetTags([f"cp312-cp312-{LINUX}"], "3.12.1")
    (decision,) = decided(builds, V100, tags=tags).values()
    assert decision.label == "cu126"
    assert [one.reason for one in decision.refused] == ["requires Python >=3.13, the target has 3.12.1"]
    assert decided(builds, V100, tags=tags.for_any_python())["2.9.0"].label == "cu128"
