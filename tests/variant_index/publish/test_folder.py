"""Writing: complete files or none, in order, and never other bytes under a published name."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import pytest

from tests.variant_index.publish.family import make_family
from variant_index.publish.group import group_releases
from variant_index.publish.plan import Copy, Delete, Plan, Put
from variant_index.publish.scan import find_files, scan
from variant_index.publish.write import IndexFolderError, carry_out, find_conflicts, read_published
from variant_index.simple_api.page import ProjectFile, ProjectPage
from variant_index.simple_api.render import render_json


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_steps_are_carried_out_in_order_and_only_where_needed(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"wheel")
    out = tmp_path / "out"
    plan = Plan(
        (
            Copy("simple/a/a.whl", source, sha256(b"wheel")),
            Put("simple/a/index.html", b"page"),
            Delete("simple/b/index.html"),
        ),
        (),
    )
    (out / "simple" / "b").mkdir(parents=True)
    (out / "simple" / "b" / "index.html").write_bytes(b"old")
    done: list[str] = []
    assert carry_out(plan, out, on_step=done.append) == {step.path for step in plan.steps}
    assert done == [step.path for step in plan.steps]
    assert (out / "simple/a/a.whl").read_bytes() == b"wheel"
    assert (out / "simple/a/index.html").read_bytes() == b"page"
    assert not (out / "simple/b/index.html").exists()
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert carry_out(plan, out) == frozenset()
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


def test_a_page_is_replaced_and_a_wheel_never(tmp_path: Path) -> None:
    (tmp_path / "new").write_bytes(b"new")
    place = tmp_path / "out" / "a.whl"
    carry_out(Plan((Put("a.whl", b"old"), Put("index.html", b"old")), ()), tmp_path / "out")
    with pytest.raises(IndexFolderError, match="never changes"):
        carry_out(Plan((Copy("a.whl", tmp_path / "new", sha256(b"new")),), ()), tmp_path / "out")
    assert place.read_bytes() == b"old"
    carry_out(Plan((Put("index.html", b"new"),), ()), tmp_path / "out")
    assert (tmp_path / "out" / "index.html").read_bytes() == b"new"


def test_a_wheel_that_changed_since_it_was_read_is_not_published(tmp_path: Path) -> None:
    (tmp_path / "a.whl").write_bytes(b"other")
    with pytest.raises(IndexFolderError, match="changed while"):
        carry_out(Plan((Copy("a.whl", tmp_path / "a.whl", sha256(b"read")),), ()), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_failed_write_leaves_the_old_file_and_no_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    carry_out(Plan((Put("index.html", b"old"),), ()), out)

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match=r"No space left on device: .*index\.html"):
        carry_out(Plan((Put("index.html", b"new"),), ()), out)
    assert [path.name for path in out.iterdir()] == ["index.html"]
    assert (out / "index.html").read_bytes() == b"old"


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
    carry_out(Plan((Put("index.html", b"0123456789"),), ()), tmp_path)
    assert (tmp_path / "index.html").read_bytes() == b"0123456789"


def test_a_web_server_may_read_what_is_written(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        carry_out(Plan((Put("index.html", b""),), ()), tmp_path)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "index.html").stat().st_mode) == 0o644


def test_conflicts_with_what_is_published(tmp_path: Path) -> None:
    releases, _ = group_releases(scan(find_files([make_family(tmp_path / "in")])))
    out = tmp_path / "out"
    assert list(find_conflicts(out, releases)) == []
    folder = out / "simple" / "vdemo"
    folder.mkdir(parents=True)
    plain = "vdemo-1.0-py3-none-any.whl"
    data = (tmp_path / "in" / plain).read_bytes()
    (folder / plain).write_bytes(data)
    assert list(find_conflicts(out, releases)) == []
    (folder / plain).write_bytes(data[:-1] + b"\x01")  # the same size
    ((release, refusal),) = find_conflicts(out, releases)
    assert release.key == refusal.release == ("vdemo", "1.0")
    assert "published with other bytes" in refusal.reason


def test_what_is_published_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    assert read_published(tmp_path / "nowhere") == {}
    page = ProjectPage("a", (ProjectFile("a-1+b.tar.gz", "a-1%2Bb.tar.gz", {"sha256": "ab" * 32}, size=3),))
    carry_out(Plan((Put("simple/a/index.json", render_json(page)),), ()), tmp_path)
    assert read_published(tmp_path) == {"a": page}
    (tmp_path / "simple/a/index.json").write_bytes(b"<html>")
    with pytest.raises(IndexFolderError, match="is not JSON") as caught:
        read_published(tmp_path)
    assert caught.value.exit_code == 2
