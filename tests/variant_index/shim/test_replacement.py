"""Wheels that are hidden because of their variant markers, and what installers get instead."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version

from tests.making import make_wheel
from tests.variant_index.shim.family import ANY, cuda_machine
from tests.variant_index.shim.marked import (
    DOCUMENT,
    LABELS,
    NAME,
    REQUIRES,
    UNDECIDABLE,
    Requires,
    add_marked,
)
from tests.variant_index.shim.serving import running_shim
from tests.variant_index.shim.test_markers import requirements
from tests.variant_index.upstream.fake_index import FakeIndex, Route
from variant_index.generations.read import read_document
from variant_index.model.filename import WheelFilename
from variant_index.selection.choice import TargetTags
from variant_index.shim.present import choose_release, present
from variant_index.shim.replacement import present_settled
from variant_index.shim.settle import SettledWheels
from variant_index.shim.verification import WheelVerifier
from variant_index.simple_api.page import ProjectFile, ProjectPage
from variant_index.upstream.network import Network
from variant_index.upstream.releases import group_releases
from variant_index.upstream.remote_wheel import WheelReader

OTHERS = ["cu126", "null", ""]


def upstream(label: str, version: str = "2.0") -> str:
    return f"{NAME}-{version}-py3-none-any{'-' if label else ''}{label}.whl"


def shown(label: str, version: str = "2.0") -> str:
    return f"{NAME}-{version}-{f'0_{label}-' if label else ''}py3-none-any.whl"


def served(tmp_path: Path, **releases: Requires) -> tuple[Mapping[str, Mapping[str, object]], Sequence[str]]:
    """Return the entries of the page that a machine with CUDA 12.8 gets, and the warnings."""
    with FakeIndex() as index:
        add_marked(index, tmp_path, **releases)
        with running_shim(index.url) as shim:
            return shim.ask(f"{NAME}/").files(), shim.journal.warnings


def test_the_next_best_variant_is_taken_and_a_warning_names_both(tmp_path: Path) -> None:
    with FakeIndex() as index:
        add_marked(index, tmp_path, v2_0={"cu128": UNDECIDABLE})
        with running_shim(index.url) as shim:
            for _ in range(2):
                files = shim.ask(f"{NAME}/").files()
                assert list(files) == [shown("cu126")]
            metadata = shim.ask(files[shown("cu126")]["url"] + ".metadata").body
            assert shim.journal.warnings == (
                f"{NAME} 2.0: {upstream('cu128')} is hidden and {upstream('cu126')} is taken instead, because"
                " its variant markers cannot be decided: marker \"variant_label ~= '1'\" is not defined;"
                " variant_label goes with ==, !=, in or not in",
            )
    assert requirements(metadata) == [
        "plainlib",
        "gpulib",
        "extralib ; extra == 'more'",
    ]


@pytest.mark.parametrize("count", range(1, 4))
def test_one_warning_for_all_that_were_tried(tmp_path: Path, count: int) -> None:
    labels = ["cu128", *OTHERS]
    files, warnings = served(tmp_path, v2_0=dict.fromkeys(labels[:count], UNDECIDABLE))
    assert list(files) == [shown(labels[count])]
    more = f" (and {count - 1} more)" if count > 1 else ""
    (warning,) = warnings
    assert f"{upstream('cu128')}{more} is hidden and {upstream(labels[count])} is taken instead" in warning


def test_where_nothing_is_left_the_release_is_gone(tmp_path: Path) -> None:
    files, warnings = served(tmp_path, v1_0=["plainlib"], v2_0=UNDECIDABLE)
    assert list(files) == [shown("cu128", "1.0")]
    (warning,) = warnings
    assert f"{upstream('cu128')} (and 3 more) is hidden and no other wheel of the release fits" in warning


def test_an_older_release_with_the_hardware_is_said(tmp_path: Path) -> None:
    hidden = dict.fromkeys(["cu128", "cu126"], UNDECIDABLE)
    files, warnings = served(tmp_path, v1_0=["plainlib"], v2_0=hidden)
    assert [name for name, file in files.items() if file.get("yanked")] == [shown("null")]
    assert "no build for this machine's GPU" in str(files[shown("null")]["yanked"])
    (warning,) = warnings
    assert f"and vmark 1.0 (cu128) is taken instead, or {upstream('null')} where 2.0 is pinned" in warning


def test_old_releases_share_a_line(tmp_path: Path) -> None:
    releases = {f"v{number}_0": {"cu128": UNDECIDABLE} for number in range(1, 6)}
    files, warnings = served(tmp_path, **releases)
    assert set(files) == {shown("cu126", f"{number}.0") for number in range(1, 6)}
    assert [line.partition(":")[0] for line in warnings] == [f"{NAME} {n}.0" for n in (5, 4, 3)] + [NAME]
    assert warnings[-1] == f"{NAME}: wheels of 2 older releases are hidden likewise: 2.0, 1.0"


def test_older_releases_are_decided_also_when_the_newest_wheel_was_replaced(tmp_path: Path) -> None:
    older: dict[str, Requires] = {f"v1_{number}": {"cu128": REQUIRES} for number in range(12)}
    plain = dict.fromkeys(OTHERS, ("plainlib",))
    for number in range(4, 12):
        older[f"v1_{number}"] = {"cu128": ["plainlib"]}
    files, _ = served(tmp_path, v2_0={"cu128": UNDECIDABLE, **plain}, **older)
    assert files[shown("cu128", "1.0")]["hashes"] == {}
    assert files[shown("cu128", "1.11")]["hashes"] != {}
    assert files[shown("cu126")]["hashes"] != {}


def test_the_replacement_is_compared_with_the_document_too(tmp_path: Path) -> None:
    with FakeIndex() as index:
        files = add_marked(index, tmp_path / "served", v2_0={"cu128": UNDECIDABLE})
        wrong = {**DOCUMENT, "variants": {"cu126": LABELS["cu128"]}}
        path = make_wheel(tmp_path / "wrong", upstream("cu126"), variant_json=wrong)
        new = index.add_file(path)
        index.add_project(NAME, [new if file.filename == new.filename else file for file in files])
        with running_shim(index.url) as shim:
            assert list(shim.ask(f"{NAME}/").files()) == [shown("")]
            assert any(f"variants of {NAME} 2.0 are ignored" in line for line in shim.journal.warnings)
            assert any(f"{upstream('')} is taken instead" in line for line in shim.journal.warnings)


def test_another_wheel_of_the_same_variant_remains(tmp_path: Path) -> None:
    with FakeIndex() as index:
        files = add_marked(index, tmp_path / "served", v2_0={"cu128": UNDECIDABLE})
        own = {**DOCUMENT, "variants": {"cu128": LABELS["cu128"]}}
        wheel = f"{NAME}-2.0-py2.py3-none-any-cu128.whl"
        path = make_wheel(tmp_path / "more", wheel, variant_json=own, requires_dist=REQUIRES)
        index.add_project(NAME, [*files, index.add_file(path)])
        with running_shim(index.url) as shim:
            assert list(shim.ask(f"{NAME}/").files()) == [f"{NAME}-2.0-0_cu128-py2.py3-none-any.whl"]
            assert f"{wheel} is taken instead" in shim.journal.warnings[0]


def test_wheels_for_other_machines_are_hidden_too_where_locks_want_all(tmp_path: Path) -> None:
    with FakeIndex() as index:
        add_marked(index, tmp_path, v2_0={"cu128": UNDECIDABLE})
        with running_shim(index.url, every_variant=True) as shim:
            assert set(shim.ask(f"{NAME}/").files()) == {shown(label) for label in OTHERS}


def test_no_hidden_wheel_is_listed_where_nothing_fits() -> None:
    page = _page(["", *LABELS])
    releases = group_releases(page)
    nothing = TargetTags([])
    assert [one.file.filename for one in present(page, releases, {}, {}, nothing).files] == [upstream("")]
    assert present(page, releases, {}, {}, nothing, hidden={upstream("")}).files == ()


def test_plain_wheels_that_nobody_chose_are_hidden(tmp_path: Path) -> None:
    with FakeIndex() as index:
        requires = ["plainlib; variant_label ~= '1'"]
        other = make_wheel(tmp_path, f"{NAME}-2.0-cp39-cp39-win32.whl", requires_dist=requires)
        files = add_marked(index, tmp_path / "served", v2_0=UNDECIDABLE)
        index.add_project(NAME, [*files, index.add_file(other)])
        with running_shim(index.url) as shim:
            assert shim.ask(f"{NAME}/").files() == {}
            assert len(shim.journal.warnings) == 1


def test_a_server_that_is_down_is_no_reason_to_take_another_build(tmp_path: Path) -> None:
    with FakeIndex() as index:
        add_marked(index, tmp_path, v2_0=REQUIRES)
        # METADATA is served apart, so that the markers are known.
        index.routes[f"/files/{upstream('cu128')}"] = Route(status=503)
        with running_shim(index.url) as shim:
            assert shim.ask(f"{NAME}/").status == 424
            assert "answered 503" in shim.journal.failures[0]


def _page(labels: Sequence[str]) -> ProjectPage:
    files = [
        ProjectFile(name, f"http://127.0.0.1:9/{name}", {"sha256": "0" * 64})
        for name in map(upstream, labels)
    ]
    return ProjectPage(NAME, tuple(files))


class _Unread(WheelReader):
    """Reads nothing: no wheel contradicts its document."""

    def read(self, file: ProjectFile, *, whole: bool = False) -> None:
        return None


_UNREAD = _Unread(Network())


@settings(max_examples=200, deadline=None)
@given(st.sets(st.sampled_from(["cu128", *OTHERS])), st.sampled_from(["12.6", "12.8", "13.0"]))
def test_what_remains_is_what_a_release_without_the_hidden_wheels_offers(
    undecided: set[str], cuda: str
) -> None:
    page = _page(["", *LABELS])
    releases = group_releases(page)
    documents = {Version("2.0"): read_document(json.dumps(DOCUMENT).encode(), "x")}
    supported = cuda_machine(cuda).supported()

    settled = present_settled(
        lambda usable, hidden: present(page, releases, usable, supported, ANY, hidden=hidden),
        lambda presented, _documents, _every: SettledWheels(
            undecided={
                one.chosen.filename: "because"
                for one in presented.files
                if one.chosen is not None and one.chosen.label in undecided
            }
        ),
        documents,
        WheelVerifier(_UNREAD),
        releases,
    )
    release = releases.by_version[Version("2.0")]
    left = {wheel: file for wheel, file in release.wheels.items() if wheel.label not in undecided}
    best = choose_release(replace(release, wheels=left), documents[Version("2.0")], supported, ANY)
    listed = [one.chosen.filename for one in settled.presented.files if one.chosen is not None]
    assert listed == [wheel.filename for wheel in best.presented]
    assert {WheelFilename.parse(name).label for name in settled.hidden} <= undecided
    assert len(settled.presented.warnings) == (1 if settled.hidden else 0)


def test_an_end_comes_although_nothing_can_be_decided() -> None:
    labels = [f"l{number}" for number in range(40)]
    data = json.dumps({**DOCUMENT, "variants": dict.fromkeys(labels, LABELS["cu126"])}).encode()
    page = _page(labels)
    releases = group_releases(page)
    settled = present_settled(
        lambda usable, hidden: present(
            page, releases, usable, cuda_machine("12.8").supported(), ANY, hidden=hidden
        ),
        lambda presented, _documents, _every: SettledWheels(
            undecided={one.chosen.filename: "because" for one in presented.files if one.chosen is not None}
        ),
        {Version("2.0"): read_document(data, "x")},
        WheelVerifier(_UNREAD),
        releases,
    )
    assert settled.presented.files == ()
    assert len(settled.presented.warnings) == 1


PIP_MAIN = "from variant_index.cli.variant_pip import main; raise SystemExit(main())"


def test_variant_pip_installs_the_replacement_and_says_so(tmp_path: Path) -> None:
    place = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "uv", "venv", "-q", "--python", sys.executable, place], check=True)
    machine = tmp_path / "machine.json"
    machine.write_text(cuda_machine("12.8").model_dump_json())
    dropped = ("PIP_", "UV_", "VIRTUAL_ENV", "VARIANT_", "NV_", "AMD_")
    with FakeIndex() as index:
        add_marked(index, tmp_path / "files", v2_0={"cu128": UNDECIDABLE})
        variables = {
            **{name: value for name, value in os.environ.items() if not name.startswith(dropped)},
            "HOME": str(tmp_path),
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": index.url,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "VARIANT_INDEX_MACHINE": str(machine),
        }

        def pip(*arguments: str) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-c", PIP_MAIN, "--python", str(place), *arguments]
            return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=120)

        done = pip("install", "--quiet", NAME)
        assert done.returncode == 0, done.stderr
        checked = pip("check")
    assert checked.returncode == 0, checked.stdout
    assert (
        f"variant-pip: warning: {NAME} 2.0: {upstream('cu128')} is hidden and {upstream('cu126')} is taken"
        " instead, because its variant markers cannot be decided: marker \"variant_label ~= '1'\""
    ) in done.stderr
    (module,) = place.glob(f"lib/*/site-packages/{NAME}.py")
    assert module.read_text() == "LABEL = 'cu126'\n"
    found = {path.name.partition("-")[0] for path in place.glob("lib/*/site-packages/*.dist-info")}
    assert found == {NAME, "plainlib", "gpulib"}
