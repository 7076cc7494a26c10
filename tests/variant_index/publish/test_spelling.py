"""One version has one spelling where there are variants, in what is built, added and changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.making import make_wheel
from tests.variant_index.publish.family import CU128, CU130, make_variant
from tests.variant_index.publish.test_incremental import settle
from variant_index.model.build_report import BuildReport
from variant_index.publish.build import build_index
from variant_index.publish.edit import add_files, parse_target, remove, yank
from variant_index.publish.folder.store import FolderStore
from variant_index.publish.spelling import equal_releases, same_release

NOW = "2026-01-01T00:00:00Z"
SHORT = "vdemo-1.0-py3-none-any-cu128.whl"
LONG = "vdemo-1.0.0-py3-none-any-cu130.whl"
PLAIN = "vdemo-1.0.0-py3-none-any.whl"


def build(folder: Path, out: Path, notes: Path | None = None) -> BuildReport:
    return build_index([folder], out, now=NOW, notes=notes)


def listed(out: Path) -> set[str]:
    page = FolderStore(out).page("vdemo")
    return {file.filename for file in page.files} if page is not None else set()


def yanked(out: Path) -> set[str]:
    page = FolderStore(out).page("vdemo")
    return {file.filename for file in page.files if file.yanked} if page is not None else set()


def plain_both(out: Path) -> Path:
    """Publish two spellings, which is legal as long as there are no variants."""
    make_wheel(out.parent / "in", "vdemo-1.0-py3-none-any.whl")
    make_wheel(out.parent / "in", PLAIN)
    assert len(build(out.parent / "in", out).releases) == 2
    return out


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("1.0", "1.0.0", True),
        ("1", "1.0", True),
        ("1.0rc1", "1rc1", True),
        ("1!1.0+cu128", "1!1+cu128", True),
        ("1.0+cu128", "1.0", False),
        ("1.0", "1.0.1", False),
        ("10", "1", False),
        ("1.0.post1", "1.0", False),
    ],
)
def test_what_is_one_version(first: str, second: str, same: bool) -> None:
    assert same_release(("a", first), ("a", second)) is same
    assert bool(equal_releases([("a", first), ("a", second)])) is same
    assert not same_release(("a", first), ("b", second))
    assert equal_releases([("a", first), ("b", second)]) == []


@pytest.mark.parametrize("second", [LONG, PLAIN])
def test_both_spellings_are_refused_and_their_files_named(tmp_path: Path, second: str) -> None:
    make_variant(tmp_path / "in", SHORT, CU128)
    if second == LONG:
        make_variant(tmp_path / "in", LONG, CU130)
    else:
        make_wheel(tmp_path / "in", PLAIN)
    make_wheel(tmp_path / "in", "vdemo-2.0-py3-none-any.whl")
    report = build(tmp_path / "in", tmp_path / "out")
    assert [(one.version, one.rule) for one in report.refused] == [("1.0", "REL011"), ("1.0.0", "REL011")]
    assert all(SHORT in one.reason and second in one.reason for one in report.refused)
    assert listed(tmp_path / "out") == {"vdemo-2.0-py3-none-any.whl"}


@pytest.mark.parametrize("noted", [True, False])
def test_a_later_build_sees_what_stays_published(tmp_path: Path, noted: bool) -> None:
    notes = tmp_path / "notes" if noted else None
    make_variant(tmp_path / "in", SHORT, CU128)
    settle(tmp_path / "in")
    build(tmp_path / "in", tmp_path / "out", notes)
    before = listed(tmp_path / "out")
    make_variant(tmp_path / "in", LONG, CU130)
    report = build(tmp_path / "in", tmp_path / "out", notes)
    both = [] if noted else ["1.0"]
    assert [(one.version, one.rule) for one in report.refused] == [
        (version, "REL011") for version in [*both, "1.0.0"]
    ]
    assert listed(tmp_path / "out") == before


def test_the_spelling_may_change_from_one_build_to_the_next(tmp_path: Path) -> None:
    make_variant(tmp_path / "one", SHORT, CU128)
    build(tmp_path / "one", tmp_path / "out")
    make_variant(tmp_path / "two", LONG, CU130)
    assert build(tmp_path / "two", tmp_path / "out").refused == []
    assert listed(tmp_path / "out") == {LONG, "vdemo-1.0.0-variants.json"}


@pytest.mark.parametrize("published", [SHORT, "vdemo-1.0-py3-none-any.whl"])
@pytest.mark.parametrize("new", [LONG, PLAIN])
def test_adding_asks_what_is_listed(tmp_path: Path, published: str, new: str) -> None:
    for folder, name in (("in", published), ("new", new)):
        if name.endswith("any.whl"):
            make_wheel(tmp_path / folder, name)
        else:
            make_variant(tmp_path / folder, name, CU128)
    out = tmp_path / "out"
    build(tmp_path / "in", out)
    report = add_files([tmp_path / "new"], FolderStore(out), now=NOW)
    if published != SHORT and new == PLAIN:
        assert any("(REL113)" in warning for one in report.releases for warning in one.warnings)
        return
    (refusal,) = report.refused
    assert (refusal.version, refusal.rule) == ("1.0.0", "REL011")
    assert published in refusal.reason
    assert new in refusal.reason
    assert new not in listed(out)


def test_yanking_means_every_spelling(tmp_path: Path) -> None:
    out = plain_both(tmp_path / "out")
    report = yank([parse_target("vdemo==1"), parse_target("vdemo==1.0")], FolderStore(out))
    assert [release.version for release in report.releases] == ["1.0", "1.0.0"]
    assert yanked(out) == {"vdemo-1.0-py3-none-any.whl", PLAIN}
    yank([parse_target("vdemo==1.0.0.0")], FolderStore(out), undo=True)
    assert yanked(out) == set()
    yank([parse_target(PLAIN)], FolderStore(out))
    assert yanked(out) == {PLAIN}


def test_removing_means_every_spelling_and_a_file_only_itself(tmp_path: Path) -> None:
    out = plain_both(tmp_path / "out")
    remove([parse_target(PLAIN)], FolderStore(out), now=NOW)
    assert listed(out) == {"vdemo-1.0-py3-none-any.whl"}
    remove([parse_target("vdemo==1.0.0")], FolderStore(out), now=NOW)
    assert listed(out) == set()
