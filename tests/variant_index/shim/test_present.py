from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import parse_wheel_filename
from packaging.version import Version

from tests.variant_index.shim.family import ANY, DOCUMENT, LABELS, NAME, cpu_machine, cuda_machine
from variant_index.model.document import VariantsDocument, parse_document
from variant_index.model.filename import WheelFilename
from variant_index.model.machine import MachineProfile
from variant_index.selection.choice import TargetTags
from variant_index.shim.present import Presented, legal_filename, present
from variant_index.simple_api.page import ProjectFile, ProjectPage
from variant_index.upstream.releases import group_releases

DIGEST = {"sha256": "0" * 64}
PARSED = parse_document(json.dumps(DOCUMENT).encode(), "family")


def entry(filename: str, **fields: Any) -> ProjectFile:
    return ProjectFile(filename, f"https://files.example/{filename}", **{"hashes": DIGEST, **fields})


def wheel(
    label: str = "", version: str = "2.0", build: str = "", platform: str = "any", **fields: Any
) -> ProjectFile:
    return entry(WheelFilename(NAME, version, build, "py3", "none", platform, label).filename, **fields)


def show(
    *files: ProjectFile,
    machine: MachineProfile | None = None,
    document: VariantsDocument | None = PARSED,
    tags: TargetTags = ANY,
) -> Presented:
    page = ProjectPage(NAME, files)
    releases = group_releases(page)
    documents = dict.fromkeys(releases.by_version, document) if document is not None else {}
    return present(page, releases, documents, (machine or cuda_machine("12.8")).supported(), tags)


def names(presented: Presented) -> list[str]:
    return [listed.file.filename for listed in presented.files]


def test_only_the_best_variant_is_listed_under_a_legal_name() -> None:
    sdist = entry(f"{NAME}-2.0.tar.gz")
    presented = show(*(wheel(label) for label in ("", *LABELS)), sdist, entry(f"{NAME}-2.0-variants.json"))
    assert names(presented) == [f"{NAME}-2.0-0_cu128-py3-none-any.whl", f"{NAME}-2.0.tar.gz"]
    chosen = presented.files[0].chosen
    assert chosen is not None
    assert (chosen.name, chosen.version, chosen.label) == (NAME, "2.0", "cu128")
    assert chosen.filename == f"{NAME}-2.0-py3-none-any-cu128.whl"
    assert str(chosen) == f"{NAME} 2.0: cu128 — {chosen.reason}"
    assert presented.files[1].chosen is None
    assert not presented.warnings


def test_the_entry_passes_unchanged_except_for_its_name() -> None:
    original = wheel("cu128", size=7, requires_python=">=3.8", core_metadata=DIGEST, upload_time="2026-01-01")
    (listed,) = show(original).files
    assert replace(listed.file, filename=original.filename) == original


def test_machines_without_gpu_get_the_null_variant_then_the_plain_wheel() -> None:
    assert names(show(wheel(), wheel("cu128"), wheel("null"), machine=cpu_machine())) == [
        f"{NAME}-2.0-0_null-py3-none-any.whl"
    ]
    presented = show(wheel(), wheel("cu128"), machine=cpu_machine())
    assert names(presented) == [f"{NAME}-2.0-py3-none-any.whl"]
    assert presented.files[0].chosen is not None
    assert str(presented.files[0].chosen).startswith(f"{NAME} 2.0: the default wheel — ")


def test_releases_without_variants_stay_as_they_are() -> None:
    files = (
        wheel(version="1.0", hashes={}),
        wheel(version="1.0", platform="win32"),
        entry(f"{NAME}-1.0.exe"),
    )
    presented = show(*files, wheel("cu128"))
    assert tuple(listed.file for listed in presented.files[:-1]) == files
    assert all(listed.chosen is None for listed in presented.files[:-1])


def test_when_nothing_fits_the_default_wheels_stay_for_the_client_to_refuse() -> None:
    files = (wheel(platform="win32"), wheel("cu128", platform="win32"))
    assert names(show(*files)) == [f"{NAME}-2.0-py3-none-win32.whl"]
    assert names(show(wheel("cu130"), entry(f"{NAME}-2.0.tar.gz"))) == [f"{NAME}-2.0.tar.gz"]


def test_an_unusable_document_degrades_to_the_default_wheel() -> None:
    assert names(show(wheel(), wheel("cu128"), wheel("null"), document=None)) == [
        f"{NAME}-2.0-py3-none-any.whl"
    ]


def test_variants_without_hash_are_left_out_with_a_warning() -> None:
    presented = show(
        wheel(), wheel("cu126"), wheel("cu128", hashes={"md5": "0" * 32}), wheel("cu130", hashes={})
    )
    assert names(presented) == [f"{NAME}-2.0-0_cu126-py3-none-any.whl"]
    (warning,) = presented.warnings
    assert warning == (
        f"{NAME} 2.0: {NAME}-2.0-py3-none-any-cu128.whl and 1 more left out:"
        " listed without a SHA-256 hash, so the bytes could not be checked"
    )


def test_local_variants_need_no_hash() -> None:
    local = replace(wheel("cu128", hashes={}), url="file:///wheels/x.whl")
    assert names(show(wheel(), local)) == [f"{NAME}-2.0-0_cu128-py3-none-any.whl"]


def test_yanked_wheels_are_the_last_resort() -> None:
    assert names(show(wheel("cu126"), wheel("cu128", yanked="broken"))) == [
        f"{NAME}-2.0-0_cu126-py3-none-any.whl"
    ]
    presented = show(wheel("cu126", yanked=True), wheel("cu128", yanked="broken"))
    assert names(presented) == [f"{NAME}-2.0-0_cu128-py3-none-any.whl"]
    assert presented.files[0].file.yanked == "broken"


def test_wheels_for_another_python_are_never_chosen() -> None:
    tags = TargetTags(["py3-none-any"], "3.11.7")
    newer = wheel("cu128", requires_python=">=3.12")
    assert names(show(wheel(), newer, wheel("cu126", requires_python=">=3.8"), tags=tags)) == [
        f"{NAME}-2.0-0_cu126-py3-none-any.whl"
    ]
    assert names(show(newer, wheel("null", requires_python="no specifier"), tags=tags)) == [
        f"{NAME}-2.0-0_null-py3-none-any.whl"
    ]
    assert names(show(newer, tags=tags.for_any_python())) == [f"{NAME}-2.0-0_cu128-py3-none-any.whl"]
    # What nothing of fits is the installer's to refuse, with its own words.
    assert names(show(wheel(requires_python=">=3.12"), newer, tags=tags)) == [f"{NAME}-2.0-py3-none-any.whl"]


def test_malformed_labels_are_skipped_with_a_warning() -> None:
    presented = show(wheel("cu128"), entry(f"{NAME}-2.0-py3-none-any-CU130.whl"))
    assert names(presented) == [f"{NAME}-2.0-0_cu128-py3-none-any.whl"]
    assert "CU130" in presented.warnings[0]


def test_the_build_number_decides_first_and_stays_visible() -> None:
    presented = show(wheel("cu128"), wheel("cu126", build="1"), wheel(build="1"))
    assert names(presented) == [f"{NAME}-2.0-1_cu126-py3-none-any.whl"]


def test_all_platforms_of_the_chosen_label_that_fit_are_listed() -> None:
    tags = TargetTags(["py3-none-linux_x86_64", "py3-none-any"])
    files = [wheel("cu128", platform=platform) for platform in ("any", "linux_x86_64", "win32")]
    assert names(show(*files, tags=tags)) == [
        f"{NAME}-2.0-0_cu128-py3-none-any.whl",
        f"{NAME}-2.0-0_cu128-py3-none-linux_x86_64.whl",
    ]


_LABELS = st.sampled_from(["", *LABELS, "unknown"])
_BUILDS = st.sampled_from(["", "1", "2x"])
_WHEELS = st.builds(
    wheel,
    _LABELS,
    version=st.sampled_from(["1.0", "2.0", "2.0+local"]),
    build=_BUILDS,
    platform=st.sampled_from(["any", "linux_x86_64", "win32"]),
    hashes=st.sampled_from([DIGEST, DIGEST, {}]),
    yanked=st.sampled_from([False, False, True, "why"]),
)
_MACHINES = st.sampled_from([cpu_machine(), cuda_machine("12.6"), cuda_machine("13.0")])


@given(files=st.lists(_WHEELS, max_size=12), machine=_MACHINES, usable=st.booleans())
def test_one_build_of_a_release_is_visible_and_none_is_lost(
    files: list[ProjectFile], machine: MachineProfile, usable: bool
) -> None:
    tags = TargetTags(["py3-none-linux_x86_64", "py3-none-any"])
    presented = show(*files, machine=machine, document=PARSED if usable else None, tags=tags)
    listed: dict[Version, set[tuple[int, str] | tuple[()]]] = {}
    for one in presented.files:
        name, version, build, _ = parse_wheel_filename(one.file.filename)  # pip and uv can read it
        assert name == NAME
        listed.setdefault(version, set()).add(build)
    for version, release in group_releases(ProjectPage(NAME, tuple(files))).by_version.items():
        if release.has_variants:
            labels = {
                one.chosen.label
                for one in presented.files
                if one.chosen and one.chosen.version == str(version)
            }
            assert len(labels) <= 1
            assert not labels or len(listed[version]) == 1
        plain = [wheel for wheel in release.wheels if not wheel.label]
        if any(tags.position(wheel) is not None for wheel in plain):
            assert version in listed
        if usable and any(
            wheel.label == "null" and file.hashes and tags.position(wheel) is not None
            for wheel, file in release.wheels.items()
        ):
            assert version in listed
    order = [file.url for file in files]
    shown = list(dict.fromkeys(one.file.url for one in presented.files))
    assert shown == sorted(shown, key=order.index)


@given(label=st.from_regex(r"[0-9a-z_.]{1,30}", fullmatch=True), build=st.sampled_from(["", "7", "07", "7a"]))
def test_legal_names_keep_the_build_number_and_tell_labels_apart(label: str, build: str) -> None:
    original = WheelFilename(NAME, "2.0+cu1", build, "py3", "none", "any", label)
    name, version, shown, tags = parse_wheel_filename(legal_filename(original))
    assert (name, str(version), {str(tag) for tag in tags}) == (NAME, "2.0+cu1", {"py3-none-any"})
    assert shown
    assert shown[0] == int(build.rstrip("a") or 0)
    assert shown[1].endswith(f"_{label}")


def test_a_file_that_is_listed_twice_is_shown_once() -> None:
    assert names(show(wheel("cu128"), wheel("cu128"), wheel())) == [f"{NAME}-2.0-0_cu128-py3-none-any.whl"]
