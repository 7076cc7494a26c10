"""Adding, removing and yanking: one release changes, without the files of the others at hand."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.making import make_wheel
from tests.variant_index.publish.family import CU128, CU130, make_family, make_variant, published_file
from tests.variant_index.publish.folder.crash import consistent_pages, pages
from variant_index.errors import InputError
from variant_index.model.build_report import BuildReport
from variant_index.publish.build import build_index
from variant_index.publish.edit import NotPublishedError, Target, add_files, parse_target, remove, yank
from variant_index.publish.folder.store import FolderStore
from variant_index.publish.store import StoreError
from variant_index.simple_api.page import ProjectFile

NOW = "2026-01-01T00:00:00Z"
LATER = "2026-02-01T00:00:00Z"
CU129 = "vdemo-2.0-py3-none-any-cu129.whl"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    make_wheel(tmp_path / "in", "other-1.0-py3-none-any.whl")
    build_index([make_family(tmp_path / "in")], tmp_path / "out", now=NOW)
    shutil.rmtree(tmp_path / "in")
    return tmp_path / "out"


def store(out: Path) -> FolderStore:
    return FolderStore(out, grace=-1)


def add(out: Path, *paths: Path) -> BuildReport:
    report = add_files(paths, store(out), now=LATER)
    consistent_pages(out)
    return report


def listed(out: Path, name: str = "vdemo") -> dict[str, ProjectFile]:
    page = store(out).page(name)
    return {file.filename: file for file in page.files} if page is not None else {}


def labels(out: Path) -> list[str]:
    return list(json.loads(published_file(out, "vdemo-2.0-variants.json").read_bytes())["variants"])


def test_what_is_added_to_a_release_joins_its_variants(out: Path, tmp_path: Path) -> None:
    before = listed(out)
    wheel = make_variant(tmp_path / "new", CU129, CU128)
    (release,) = add(out, wheel).releases
    assert (release.version, len(release.files)) == ("2.0", 11)
    assert {Path(path).name for path in release.changed} == {
        CU129,
        f"{CU129}.metadata",
        "vdemo-2.0-variants.json",
    }
    assert labels(out) == ["cu128", "cu129", "cu130", "null"]
    after = listed(out)
    assert after[CU129].upload_time == LATER
    sidecar = "vdemo-2.0-variants.json"
    assert {name: file for name, file in after.items() if name not in (CU129, sidecar)} == {
        name: file for name, file in before.items() if name != sidecar
    }
    assert after[sidecar].url != before[sidecar].url
    assert "other" in store(out).stamps()


def test_adding_gives_what_building_everything_gives(tmp_path: Path) -> None:
    make_family(tmp_path / "in")
    (tmp_path / "in" / "vdemo-2.0.tar.gz").write_bytes(b"source")
    for path in sorted((tmp_path / "in").iterdir()):
        add(tmp_path / "one", path)
    build_index([tmp_path / "in"], tmp_path / "all", now=LATER)
    contents = []
    for name in ("one", "all"):
        found = listed(tmp_path / name).values()
        contents.append([(file.filename, file.hashes, file.size, file.requires_python) for file in found])
    assert contents[0] == contents[1]


def test_what_is_published_already_changes_nothing(out: Path, tmp_path: Path) -> None:
    before = pages(out)
    report = add(out, make_family(tmp_path / "again"))
    assert [release.changed for release in report.releases] == [[], []]
    assert pages(out) == before


def test_new_projects_are_listed(out: Path, tmp_path: Path) -> None:
    add(out, make_wheel(tmp_path / "new", "new-1.0-py3-none-any.whl"))
    assert b'"new"' in (out / "simple" / "index.json").read_bytes()
    assert b'"other"' in (out / "simple" / "index.json").read_bytes()


@pytest.mark.parametrize(
    ("filename", "properties", "rule"),
    [
        ("vdemo-2.0-cp312-cp312-linux_x86_64-cu128.whl", CU130, "REL001"),
        ("vdemo-2.0-py3-none-any-cu128.whl", CU130, "REL008"),
        ("VDemo-2.0-py3-none-any-cu128.whl", CU128, "REL004"),
    ],
)
def test_what_does_not_fit_is_refused(
    out: Path, tmp_path: Path, filename: str, properties: dict[str, dict[str, list[str]]], rule: str
) -> None:
    before = pages(out)
    bad = make_variant(tmp_path / "new", filename, properties)
    good = make_wheel(tmp_path / "new", "new-1.0-py3-none-any.whl")
    report = add(out, bad, good)
    assert [(refusal.version, refusal.rule) for refusal in report.refused] == [("2.0", rule)]
    assert [release.name for release in report.releases] == ["new"]
    assert all(pages(out)[path] == before[path] for path in before if "vdemo" in path)


def test_namespaces_that_do_not_fit_are_refused(out: Path, tmp_path: Path) -> None:
    wheel = make_variant(tmp_path / "new", CU129, CU128, ["amd", "nvidia"])
    assert [refusal.rule for refusal in add(out, wheel).refused] == ["REL002"]


def test_a_bad_file_is_refused_and_nothing_else_happens(out: Path, tmp_path: Path) -> None:
    before = pages(out)
    (tmp_path / "x-1-py3-none-any.whl").write_bytes(b"")
    (tmp_path / "not a wheel.whl").write_bytes(b"")
    report = add(out, tmp_path / "x-1-py3-none-any.whl", tmp_path / "not a wheel.whl")
    assert len(report.refused) == 2
    assert pages(out) == before
    with pytest.raises(InputError, match="no wheels"):
        add(out, _empty(tmp_path))


def _empty(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def test_a_damaged_sidecar_is_not_built_upon(out: Path, tmp_path: Path) -> None:
    published_file(out, "vdemo-2.0-variants.json").write_bytes(b"{}")
    with pytest.raises(StoreError, match="is damaged"):
        add(out, make_variant(tmp_path / "new", CU129, CU128))


def test_a_release_is_removed(out: Path) -> None:
    (edited,) = remove([parse_target("VDemo==2.0")], store(out), now=LATER).releases
    assert (edited.version, len(edited.files)) == ("2.0", 4)
    assert list(listed(out)) == ["vdemo-1.0-py3-none-any.whl"]
    consistent_pages(out)
    assert {path.name for path in (out / "files").rglob("vdemo-2*")} == set()


def test_a_wheel_is_removed_and_its_label_with_it(out: Path) -> None:
    remove([parse_target("vdemo-2.0-py3-none-any-cu128.whl")], store(out), now=LATER)
    assert labels(out) == ["cu130", "null"]
    consistent_pages(out)
    assert len(listed(out)) == 5


def test_without_its_last_file_a_project_is_gone(out: Path) -> None:
    remove([parse_target("other-1.0-py3-none-any.whl")], store(out), now=LATER)
    assert listed(out, "other") == {}
    assert b"other" not in (out / "simple" / "index.html").read_bytes()
    assert b"vdemo" in (out / "simple" / "index.html").read_bytes()


@pytest.mark.parametrize("undo", [False, True])
@pytest.mark.parametrize("reason", ["", "wrong results & <more>"])
def test_a_release_is_yanked(out: Path, undo: bool, reason: str) -> None:
    before = pages(out)
    yank([parse_target("vdemo==2.0")], store(out), reason=reason)
    marks = {name: file.yanked for name, file in listed(out).items()}
    assert {mark for name, mark in marks.items() if name.startswith("vdemo-2.0-py3")} == {reason or True}
    assert marks["vdemo-1.0-py3-none-any.whl"] is False
    assert marks["vdemo-2.0-variants.json"] is False
    assert b"data-yanked" in (out / "simple/vdemo/index.html").read_bytes()
    if undo:
        yank([parse_target("vdemo==2.0")], store(out), undo=True)
        assert pages(out) == before


def test_a_yank_stays(out: Path, tmp_path: Path) -> None:
    yank([Target(("vdemo", "2.0"))], store(out), reason="broken")
    add(out, make_variant(tmp_path / "new", CU129, CU128))
    assert listed(out)[CU129].yanked == "broken"
    make_wheel(tmp_path / "in", "other-1.0-py3-none-any.whl")
    build_index([make_family(tmp_path / "in")], out, now=LATER)
    marks = {file.yanked for name, file in listed(out).items() if name.startswith("vdemo-2.0-py3")}
    assert marks == {"broken"}


def test_a_file_is_yanked_alone(out: Path) -> None:
    yank([parse_target("vdemo-2.0-py3-none-any-cu128.whl")], store(out))
    assert [name for name, file in listed(out).items() if file.yanked] == ["vdemo-2.0-py3-none-any-cu128.whl"]


@pytest.mark.parametrize("target", ["vdemo==3.0", "nothing==1", "vdemo-2.0-py3-none-any-cu999.whl"])
def test_what_is_not_listed_cannot_be_changed(out: Path, target: str) -> None:
    before = pages(out)
    wanted = [parse_target("vdemo==1.0"), parse_target(target)]
    with pytest.raises(NotPublishedError, match="does not list it"):
        remove(wanted, store(out), now=NOW)
    with pytest.raises(NotPublishedError, match="does not list it"):
        yank(wanted, store(out))
    assert pages(out) == before


@pytest.mark.parametrize(
    "text", ["", "vdemo", "vdemo==", "==1", "vdemo==x y", "a-1-variants.json", "../a==1/2", "a.whl"]
)
def test_what_names_no_target(text: str) -> None:
    with pytest.raises(InputError, match="NAME==VERSION"):
        parse_target(text)


@pytest.mark.parametrize("reason", ["a\nb", "\x1b[31m", "x" * 1001])
def test_a_reason_is_one_line(out: Path, reason: str) -> None:
    with pytest.raises(InputError, match="one line"):
        yank([parse_target("vdemo==1.0")], store(out), reason=reason)
