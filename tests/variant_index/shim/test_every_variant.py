"""Pages for tools that write lock files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.variant_index.shim.family import ANY, DOCUMENT, NAME, add_family, cpu_machine, cuda_machine
from tests.variant_index.upstream.fake_index import FakeIndex
from variant_index.model.document import VariantsDocument
from variant_index.model.machine import MachineProfile
from variant_index.shim.every_variant import OTHER_MACHINES, with_every_variant
from variant_index.shim.present import Listed, Presented, present
from variant_index.simple_api.page import ProjectFile, ProjectPage
from variant_index.upstream.releases import group_releases


def presented(files: list[ProjectFile], machine: MachineProfile) -> tuple[Presented, Presented]:
    """Return the page for installing and the one for locking."""
    page = ProjectPage(NAME, tuple(files))
    releases = group_releases(page)
    version = next(iter(releases.with_variants)).version
    documents = {version: VariantsDocument.model_validate(DOCUMENT)}
    for_this = present(page, releases, documents, machine.supported(), ANY)
    return for_this, with_every_variant(for_this, releases)


@pytest.fixture
def files(tmp_path: Path) -> list[ProjectFile]:
    return add_family(FakeIndex(), tmp_path)


def names(files: tuple[Listed, ...]) -> list[str]:
    return [listed.file.filename.removeprefix(f"{NAME}-").removesuffix(".whl") for listed in files]


@pytest.mark.parametrize(
    ("machine", "label"),
    [(cuda_machine("12.8"), "cu128"), (cuda_machine("13.0"), "cu130"), (cpu_machine(), "null")],
)
def test_all_variants_and_the_default_wheel(
    machine: MachineProfile, label: str, files: list[ProjectFile]
) -> None:
    for_this, for_all = presented(files, machine)
    assert names(for_this.files) == ["1.0-py3-none-any", f"2.0-0_{label}-py3-none-any"]
    assert sorted(names(for_all.files)) == [
        "1.0-py3-none-any",
        "2.0-0_cu126-py3-none-any",
        "2.0-0_cu128-py3-none-any",
        "2.0-0_cu130-py3-none-any",
        "2.0-0_null-py3-none-any",
        "2.0-py3-none-any",
    ]
    for listed in for_all.files:
        assert bool(listed.file.yanked) == (listed not in for_this.files)
        assert (listed.file.yanked == OTHER_MACHINES) == bool(listed.file.yanked)
        # Anything without an ordinary name upstream must be linked through the shim.
        assert (listed.chosen is None) == ("_" not in listed.file.filename)
    assert {tuple(listed.file.hashes.items()) for listed in for_all.files} == {
        tuple(file.hashes.items()) for file in files if file.filename.endswith(".whl")
    }


def test_wheels_without_a_hash_stay_out(files: list[ProjectFile]) -> None:
    from dataclasses import replace

    stripped = [replace(file, hashes={}) if "cu126" in file.filename else file for file in files]
    assert not any("cu126" in name for name in names(presented(stripped, cuda_machine("12.8"))[1].files))


def test_a_release_of_which_no_variant_was_chosen_stays_as_it_is(files: list[ProjectFile]) -> None:
    page = ProjectPage(NAME, tuple(files))
    releases = group_releases(page)
    plain = present(page, releases, {}, {}, ANY)
    assert with_every_variant(plain, releases) == plain
