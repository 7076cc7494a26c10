"""Releases that leave hardware idle which an older one uses: for projects with variants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from packaging.version import Version

from tests.making import document
from tests.variant_index.shim.family import (
    ANY,
    NAME,
    cpu_machine,
    cuda_machine,
    write_release,
    write_sidecar,
)
from tests.variant_index.shim.serving import running_shim
from tests.variant_index.upstream.fake_index import FakeIndex
from variant_index.model.document import VariantsDocument
from variant_index.model.machine import MachineProfile
from variant_index.selection.preference import Preference
from variant_index.shim.present import Presented, present
from variant_index.simple_api.page import ProjectFile, ProjectPage
from variant_index.upstream.releases import group_releases

NEEDS = {
    "cu126": {"nvidia": {"cuda_version_lower_bound": ["12.6"]}},
    "cu130": {"nvidia": {"cuda_version_lower_bound": ["13.0"]}},
    "null": {},
}
Labels = Mapping[str, Iterable[str]]
RELEASES: Labels = {"1.0": ["", "cu126", "null"], "2.0": ["", "cu130", "null"], "3.0": ["", "cu130"]}
CUDA_12, CUDA_13, CPU = cuda_machine("12.8"), cuda_machine("13.0"), cpu_machine()


def shown(
    machine: MachineProfile,
    releases: Labels = RELEASES,
    prefer: Preference = "hardware",
    *,
    without: str = "",
    yanked: str = "",
) -> Presented:
    """Present the releases; `without` is one without a document, `yanked` one that upstream yanked."""
    files = []
    for version, labels in releases.items():
        for label in labels:
            tail = f"-{label}" if label else ""
            filename = f"{NAME}-{version}-py3-none-any{tail}.whl"
            url = f"https://files.example/{filename}"
            files.append(ProjectFile(filename, url, {"sha256": "0" * 64}, yanked=version == yanked))
        sdist = f"{NAME}-{version}.tar.gz"
        files.append(ProjectFile(sdist, f"https://files.example/{sdist}", yanked=version == yanked))
    page = ProjectPage(NAME, tuple(files))
    documents = {
        Version(version): VariantsDocument.model_validate(
            document({label: NEEDS[label] for label in labels if label})
        )
        for version, labels in releases.items()
        if any(labels) and version != without
    }
    return present(page, group_releases(page), documents, machine.supported(), ANY, prefer=prefer)


def held(presented: Presented) -> set[str]:
    """Return the versions that are yanked, after looking that all their files are."""
    by_version: dict[str, set[bool]] = {}
    for listed in presented.files:
        version = listed.file.filename.removesuffix(".tar.gz").split("-")[1]
        by_version.setdefault(version, set()).add(bool(listed.file.yanked))
    assert all(len(kinds) == 1 for kinds in by_version.values())
    return {version for version, kinds in by_version.items() if True in kinds}


def test_releases_without_a_build_for_this_gpu_are_yanked_whole() -> None:
    assert held(shown(CUDA_12)) == {"2.0", "3.0"}
    assert held(shown(CUDA_13)) == set()
    assert held(shown(CPU)) == set()


def test_the_reason_names_what_is_missing_and_the_other_choice() -> None:
    listed = next(one for one in shown(CUDA_12).files if one.file.filename.startswith(f"{NAME}-2.0-"))
    assert listed.file.yanked == (
        f"{NAME} 2.0 has no build for this machine's GPU (cu130 needs CUDA ≥ 13.0, driver supports 12.8);"
        " 1.0 (cu126) uses it, VARIANT_INDEX_PREFER=version takes the newest"
    )
    assert listed.chosen is not None
    assert listed.chosen.reason.startswith("pinned; ")


def test_the_newest_one_is_named_to_those_who_asked_for_it(tmp_path: Path) -> None:
    assert shown(CUDA_13).held_back is None
    assert str(shown(CUDA_12).held_back).startswith(f"{NAME} 3.0 has no build for this machine's GPU (")
    with FakeIndex() as index:
        files = [index.add_file(path) for path in write_release(tmp_path, "1.0", ["cu126", "null"])]
        files += [index.add_file(path) for path in write_release(tmp_path, "2.0", ["cu130", "null"])]
        files += [index.add_file(write_sidecar(tmp_path, version=version)) for version in ("1.0", "2.0")]
        index.add_project(NAME, files)
        with running_shim(index.url, machine=lambda: CUDA_12) as shim:
            shim.ask(f"{NAME}/")
            assert len(shim.journal.hints) == 1
            assert shim.journal.hints[0].startswith(f"{NAME} 2.0 has no build for this machine's GPU (")
            assert any("yanked" in file for file in shim.ask(f"{NAME}/").files().values())
        # Where all is built from sources no build is better than another.
        with running_shim(index.url, machine=lambda: CUDA_12, built=lambda name: name == NAME) as shim:
            assert not any("yanked" in file for file in shim.ask(f"{NAME}/").files().values())


def test_who_prefers_the_newest_gets_it() -> None:
    assert held(shown(CUDA_12, prefer="version")) == set()


def test_releases_without_variants_are_left_alone() -> None:
    assert held(shown(CUDA_12, {**RELEASES, "4.0": [""]})) == {"2.0", "3.0"}


def test_a_release_whose_document_is_missing_neither_holds_nor_is_held() -> None:
    assert held(shown(CUDA_12, without="2.0")) == {"3.0"}
    assert held(shown(CUDA_12, without="1.0")) == set()


def test_a_yanked_release_holds_none_back() -> None:
    assert held(shown(CUDA_12, yanked="1.0")) == {"1.0"}


@pytest.mark.parametrize("order", [1, -1])
def test_the_order_of_the_page_does_not_matter(order: int) -> None:
    releases = dict(list(RELEASES.items())[::order])
    assert held(shown(CUDA_12, releases)) == {"2.0", "3.0"}
