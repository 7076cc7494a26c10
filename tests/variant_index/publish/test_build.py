"""A build from end to end: what is published, what stays, and what a second run changes."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.making import make_wheel
from tests.variant_index.publish.family import CU128, CU130, make_family, make_variant, published_file
from variant_index.errors import InputError
from variant_index.model.build_report import BuildReport
from variant_index.publish.build import NothingToPublishError, build_index
from variant_index.publish.folder.store import FolderStore
from variant_index.publish.store import StoreError
from variant_index.simple_api.page import ProjectPage

NOW = "2026-01-01T00:00:00Z"


def build(folder: Path, default_from: str | None = None, now: str = NOW) -> BuildReport:
    return build_index([folder / "in"], folder / "out", now=now, default_from=default_from)


def page(folder: Path, name: str = "vdemo") -> ProjectPage:
    found = FolderStore(folder / "out").page(name)
    assert found is not None
    return found


def listed(folder: Path, name: str = "vdemo") -> list[str]:
    return [file.filename for file in page(folder, name).files]


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_report_says_what_was_published(tmp_path: Path) -> None:
    make_family(tmp_path / "in")
    report = build(tmp_path)
    assert [(release.name, release.version) for release in report.releases] == [
        ("vdemo", "1.0"),
        ("vdemo", "2.0"),
    ]
    first, second = report.releases
    assert (first.sidecar, first.default_wheel) == (None, "vdemo-1.0-py3-none-any.whl")
    assert second.sidecar == "vdemo-2.0-variants.json"
    assert second.default_wheel == "vdemo-2.0-py3-none-any.whl"
    assert second.files == second.changed
    assert all((tmp_path / "out" / path).is_file() for path in second.files)
    assert (second.warnings, report.refused, report.warnings) == ([], [], [])


def test_a_second_build_changes_nothing(tmp_path: Path) -> None:
    make_family(tmp_path / "in")
    build(tmp_path)
    before = state(tmp_path / "out")
    report = build(tmp_path, now="2027-01-01T00:00:00Z")
    assert state(tmp_path / "out") == before
    assert all(release.changed == [] for release in report.releases)


def test_the_result_does_not_depend_on_the_place_or_order_of_the_input(tmp_path: Path) -> None:
    make_family(tmp_path / "a" / "in")
    build(tmp_path / "a")
    for number, wheel in enumerate(sorted((tmp_path / "a" / "in").iterdir(), reverse=True)):
        folder = tmp_path / "b" / "in" / str(number)
        folder.mkdir(parents=True)
        (folder / wheel.name).write_bytes(wheel.read_bytes())
    build(tmp_path / "b")
    first, second = state(tmp_path / "a" / "out"), state(tmp_path / "b" / "out")
    assert {path: data for path, (_, data) in first.items()} == {
        path: data for path, (_, data) in second.items()
    }


def test_a_refused_release_stays_published_as_it_was(tmp_path: Path) -> None:
    make_family(tmp_path / "in")
    build(tmp_path)
    before = listed(tmp_path)
    make_variant(tmp_path / "in", "vdemo-2.0-cp312-cp312-linux_x86_64-cu128.whl", CU130)
    make_wheel(tmp_path / "in", "vdemo-3.0-py3-none-any.whl")
    report = build(tmp_path)
    assert [(refusal.name, refusal.version) for refusal in report.refused] == [("vdemo", "2.0")]
    assert [release.version for release in report.releases] == ["1.0", "3.0"]
    assert sorted(listed(tmp_path)) == sorted([*before, "vdemo-3.0-py3-none-any.whl"])
    assert not list(tmp_path.glob("out/files/*/*/vdemo-2.0-cp312-cp312-linux_x86_64-cu128.whl"))
    assert report.warnings == []


def test_nothing_of_a_release_refused_at_first_is_published(tmp_path: Path) -> None:
    make_family(tmp_path / "in")
    (tmp_path / "in" / "vdemo-2.0-py3-none-any-bad.whl").write_bytes(b"")
    build(tmp_path)
    assert {path.name for path in (tmp_path / "out").rglob("vdemo*") if path.is_file()} == {
        "vdemo-1.0-py3-none-any.whl",
        "vdemo-1.0-py3-none-any.whl.metadata",
    }


def test_when_every_release_is_refused_the_index_stays(tmp_path: Path) -> None:
    make_family(tmp_path / "in")
    build(tmp_path)
    before = state(tmp_path / "out")
    for path in (tmp_path / "in").iterdir():
        path.write_bytes(b"broken")
    report = build(tmp_path)
    assert report.releases == []
    assert {refusal.version for refusal in report.refused} == {"1.0", "2.0"}
    assert state(tmp_path / "out") == before


def test_a_file_of_no_release_does_not_empty_the_index(tmp_path: Path) -> None:
    make_family(tmp_path / "in")
    build(tmp_path)
    before = state(tmp_path / "out")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "not a wheel.whl").write_bytes(b"")
    report = build_index([tmp_path / "other"], tmp_path / "out", now=NOW)
    assert [refusal.name for refusal in report.refused] == [None]
    assert state(tmp_path / "out") == before


def test_a_published_name_with_other_bytes_is_refused(tmp_path: Path) -> None:
    make_family(tmp_path / "in")
    build(tmp_path)
    before = state(tmp_path / "out")
    make_wheel(tmp_path / "in", "vdemo-1.0-py3-none-any.whl", requires_dist=["other"])
    report = build(tmp_path)
    (refusal,) = report.refused
    assert refusal.version == "1.0"
    assert "with other bytes, and a published file never changes" in refusal.reason
    assert state(tmp_path / "out") == before


def test_what_is_gone_from_the_input_is_no_longer_listed_and_that_is_said(tmp_path: Path) -> None:
    make_family(tmp_path / "in")
    make_wheel(tmp_path / "in", "other-1.0-py3-none-any.whl")
    build(tmp_path)
    for path in (tmp_path / "in").glob("*1.0*"):
        path.unlink()
    report = build(tmp_path)
    assert [warning.partition(":")[0] for warning in report.warnings] == ["other 1.0", "vdemo 1.0"]
    assert "vdemo-1.0-py3-none-any.whl" not in listed(tmp_path)
    assert FolderStore(tmp_path / "out").page("other") is None
    assert b"other" not in (tmp_path / "out/simple/index.html").read_bytes()


def test_an_added_variant_joins_the_sidecar(tmp_path: Path) -> None:
    make_family(tmp_path / "in")
    build(tmp_path)
    make_variant(tmp_path / "in", "vdemo-2.0-py3-none-any-cu129.whl", CU128)
    report = build(tmp_path)
    changed = {Path(path).name for path in report.releases[1].changed}
    assert changed == {
        "vdemo-2.0-py3-none-any-cu129.whl",
        "vdemo-2.0-py3-none-any-cu129.whl.metadata",
        "vdemo-2.0-variants.json",
    }
    (sidecar,) = [tmp_path / "out" / path for path in report.releases[1].changed if path.endswith(".json")]
    assert b'"cu129"' in sidecar.read_bytes()


def test_an_index_is_never_emptied_by_accident(tmp_path: Path) -> None:
    make_family(tmp_path / "in")
    build(tmp_path)
    before = state(tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(NothingToPublishError, match="no wheels found"):
        build_index([tmp_path / "empty"], tmp_path / "out", now=NOW)
    assert state(tmp_path / "out") == before


def test_the_index_may_lie_inside_its_input(tmp_path: Path) -> None:
    make_family(tmp_path)
    for _ in range(2):
        report = build_index([tmp_path], tmp_path / "out", now=NOW)
        assert len(report.releases) == 2
        assert not report.refused


def test_progress_is_told(tmp_path: Path) -> None:
    make_family(tmp_path / "in")
    told: list[tuple[str, int, int]] = []
    build_index([tmp_path / "in"], tmp_path / "out", now=NOW, progress=lambda *step: told.append(step))
    assert [step for step in told if step[0] == "reading"] == [("reading", n, 5) for n in range(1, 6)]
    assert told[-1][1] == told[-1][2]


def test_a_default_wheel_is_made_from_a_variant(tmp_path: Path) -> None:
    make_family(tmp_path / "in", default=False)
    report = build(tmp_path, default_from="null")
    assert report.releases[1].default_wheel == "vdemo-2.0-py3-none-any.whl"
    assert report.releases[1].warnings == []
    assert "vdemo-2.0-py3-none-any.whl" in listed(tmp_path)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"simple", "files"}
    before = state(tmp_path / "out")
    build(tmp_path, default_from="null")
    assert state(tmp_path / "out") == before


def test_a_default_wheel_is_made_only_where_one_lacks(tmp_path: Path) -> None:
    make_family(tmp_path / "in")
    report = build(tmp_path, default_from="cu128")
    plain = (tmp_path / "in/vdemo-2.0-py3-none-any.whl").read_bytes()
    assert published_file(tmp_path / "out", "vdemo-2.0-py3-none-any.whl").read_bytes() == plain
    assert report.releases[1].warnings == []
    for tags in ("cp312-cp312-linux_x86_64", "cp313-cp313-linux_x86_64"):
        make_variant(tmp_path / "tagged", f"tagged-1-{tags}-cu128.whl", CU128)
    covered = make_wheel(tmp_path / "tagged", "tagged-1-cp312-cp312-linux_x86_64.whl")
    build_index([tmp_path / "tagged"], tmp_path / "tagged-out", now=NOW, default_from="cu128")
    assert len(list((tmp_path / "tagged-out").rglob("*.whl"))) == 4
    assert published_file(tmp_path / "tagged-out", covered.name).read_bytes() == covered.read_bytes()


def test_a_release_without_that_variant_is_named(tmp_path: Path) -> None:
    make_family(tmp_path / "in", default=False)
    make_variant(tmp_path / "in", "other-1.0-py3-none-any-cu999.whl", CU128)
    report = build(tmp_path, default_from="cu999")
    vdemo = report.releases[-1]
    assert (vdemo.name, vdemo.version, vdemo.default_wheel) == ("vdemo", "2.0", None)
    assert vdemo.warnings[-1] == "vdemo 2.0: no variant 'cu999' to make its plain wheel from"


@pytest.mark.parametrize(
    ("label", "rule"), [("cu999", "no wheel in the input"), ("CU 128", "is not a label")]
)
def test_a_default_from_nothing_is_refused(label: str, rule: str, tmp_path: Path) -> None:
    make_family(tmp_path / "in", default=False)
    with pytest.raises(InputError, match=rule):
        build(tmp_path, default_from=label)
    assert not (tmp_path / "out").exists()


def test_two_builds_never_write_at_once(tmp_path: Path) -> None:
    make_family(tmp_path / "in")
    with (
        FolderStore(tmp_path / "out").exclusive(),
        pytest.raises(StoreError, match="another build is writing"),
    ):
        build(tmp_path)
    assert build(tmp_path).releases


def test_what_a_killed_build_left_is_cleared_away(tmp_path: Path) -> None:
    make_family(tmp_path / "in")
    build(tmp_path)
    left = tmp_path / "out" / ".part-0123"
    left.write_bytes(b"half a wheel")
    folder = tmp_path / "out" / ".part-4567"
    folder.mkdir()
    (folder / "x").touch()
    assert not any(release.changed for release in build(tmp_path).releases)
    assert not left.exists()
    assert not folder.exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
def test_a_fifo_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    make_family(tmp_path / "in")
    os.mkfifo(tmp_path / "in" / "pipe-1.0-py3-none-any.whl")
    report = build(tmp_path)
    assert [refusal.reason.rpartition(": ")[2] for refusal in report.refused] == ["not a regular file"]
    assert [release.name for release in report.releases] == ["vdemo", "vdemo"]


def test_wheels_with_the_same_metadata_share_one_file_of_it(tmp_path: Path) -> None:
    make_family(tmp_path / "in")
    build(tmp_path)
    files = sorted((tmp_path / "out").glob("files/*/*/vdemo-2.0-*.metadata"))
    contents = {path.read_bytes() for path in files}
    assert len(files) == 4
    assert len({path.stat().st_ino for path in files}) == len(contents) < 4
    for path in files:
        (file,) = (file for file in page(tmp_path).files if f"{file.filename}.metadata" == path.name)
        assert file.core_metadata == {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def test_a_file_system_without_hard_links_gets_a_file_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    make_family(tmp_path / "in")
    monkeypatch.setattr(os, "link", refuse)
    assert not build(tmp_path).refused
    files = list((tmp_path / "out").glob("files/*/*/*.metadata"))
    assert len(files) == len({path.stat().st_ino for path in files}) == 5


def test_pydantic_is_not_loaded_for_plain_wheels(tmp_path: Path) -> None:
    make_wheel(tmp_path / "in", "a-1.0-py3-none-any.whl")
    arguments = ["build", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--no-cache"]
    code = (
        f"import sys; from variant_index.cli import main; main({arguments}); print('pydantic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False", done.stderr
