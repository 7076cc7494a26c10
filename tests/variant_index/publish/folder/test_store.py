"""A folder as an index: complete files or none, everything at once, and never other bytes under a path."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from variant_index.publish.folder import exchange
from variant_index.publish.folder.dropped import DroppedFiles
from variant_index.publish.folder.store import FolderStore
from variant_index.publish.plan import Copy, Delete, Put, Step
from variant_index.publish.store import SourceChangedError, StoreError
from variant_index.simple_api.page import ProjectFile, ProjectPage
from variant_index.simple_api.render import render_html, render_json


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def copy(path: Path, content: bytes, *, owned: bool = False) -> Copy:
    path.write_bytes(content)
    digest = sha256(content)
    return Copy(f"files/{path.name[0]}/{digest[:32]}/{path.name}", path, digest, len(content), owned)


def carry_out(out: Path, steps: Iterable[Step], grace: int = 3600) -> list[tuple[str, bool]]:
    told: list[tuple[str, bool]] = []
    store = FolderStore(out, grace=grace)
    with store.exclusive():
        store.carry_out(steps, lambda step, did: told.append((step.path, did)))
    return told


def tree(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def page(name: str, *paths: str) -> Put:
    files = tuple(
        ProjectFile(path.rpartition("/")[2], f"../../{path}", {"sha256": "ab" * 32}) for path in paths
    )
    return Put(f"simple/{name}/index.json", render_json(ProjectPage(name, files)))


def test_steps_are_carried_out_in_order_and_only_where_needed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    carry_out(out, [Put("simple/b/index.html", b"old"), Put("simple/index.html", b"b")])
    wheel = copy(tmp_path / "a-1-py3-none-any.whl", b"wheel")
    steps: list[Step] = [
        wheel,
        Put("simple/a/index.html", b"page"),
        Delete("simple/b/index.html"),
        Put("simple/index.html", b"a"),
    ]
    assert carry_out(out, steps) == [(step.path, True) for step in steps]
    assert tree(out) == {wheel.path: b"wheel", "simple/a/index.html": b"page", "simple/index.html": b"a"}
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert carry_out(out, steps) == [(step.path, False) for step in steps]
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


def test_pages_that_no_step_names_stay(tmp_path: Path) -> None:
    carry_out(
        tmp_path, [Put(f"simple/{name}/index.{form}", b"1") for name in "abc" for form in ("html", "json")]
    )
    (tmp_path / "simple" / "robots.txt").write_bytes(b"ours")
    before = FolderStore(tmp_path).stamps()
    carry_out(tmp_path, [Put("simple/b/index.html", b"2")])
    carry_out(tmp_path, [Put("simple/b/index.json", b"2"), Put("simple/index.html", b"2")])
    after = FolderStore(tmp_path).stamps()
    assert (before["a"], before["c"]) == (after["a"], after["c"])
    assert before["b"] != after["b"]
    assert tree(tmp_path) == {
        **{f"simple/{name}/index.{form}": b"1" for name in "ac" for form in ("html", "json")},
        "simple/b/index.html": b"2",
        "simple/b/index.json": b"2",
        "simple/index.html": b"2",
        "simple/robots.txt": b"ours",
    }


def test_everything_is_on_the_disk_before_the_switch_and_the_switch_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carry_out(tmp_path, [Put("simple/a/index.html", b"1"), Put("simple/b/index.html", b"1")])
    called: list[str] = []

    def recorded(name: str, call: Callable[..., object]) -> Callable[..., object]:
        def record(*arguments: object, **options: object) -> object:
            # Of a descriptor, the folder that it is.
            what = Path(f"/proc/self/fd/{arguments[0]}").readlink().name if name == "fsync" else name
            called.append(what)
            return call(*arguments, **options)

        return record

    for module, name in ((os, "link"), *((exchange, name) for name in exchange.__all__)):
        monkeypatch.setattr(module, name, recorded(name, getattr(module, name)))
    synced: list[list[str]] = [[], []]
    if sys.platform == "linux":
        monkeypatch.setattr(os, "fsync", recorded("fsync", os.fsync))
        synced = [["simple", "simple"], [".part", tmp_path.name]]
    carry_out(tmp_path, [Put("simple/a/index.html", b"22")])
    assert [re.sub("part-.*", "part", name) for name in called] == [
        *("flush", "exchange", "flush_folders", *synced[0])
    ]
    called.clear()
    carry_out(tmp_path, [Put("simple/a/index.html", b"333"), Put("simple/index.html", b"3")])
    assert [re.sub("part-.*", "part", name) for name in called] == [
        *("link", "flush", "exchange", "flush_folders", *synced[1])
    ]


def test_no_page_changes_before_the_last_step(tmp_path: Path) -> None:
    carry_out(tmp_path, [Put("simple/a/index.html", b"old")])

    def steps() -> Iterable[Step]:
        yield Put("simple/a/index.html", b"new")
        yield Put("simple/b/index.html", b"new")
        assert tree(tmp_path / "simple") == {"a/index.html": b"old"}

    carry_out(tmp_path, steps())
    assert tree(tmp_path / "simple") == {"a/index.html": b"new", "b/index.html": b"new"}


@pytest.mark.parametrize("owned", [True, False])
def test_a_copy_may_be_moved_when_it_is_ours(tmp_path: Path, owned: bool) -> None:
    (tmp_path / "out").mkdir()
    step = copy(tmp_path / "out" / "a.whl", b"wheel", owned=owned)
    carry_out(tmp_path / "out", [step])
    assert (tmp_path / "out" / step.path).read_bytes() == b"wheel"
    assert step.source.exists() == (not owned)


def test_a_damaged_file_is_mended(tmp_path: Path) -> None:
    step = copy(tmp_path / "a.whl", b"wheel")
    sidecar = Put("files/a/aa/a-variants.json", b"{}")
    out = tmp_path / "out"
    carry_out(out, [step, sidecar])
    (out / step.path).write_bytes(b"whole")
    (out / sidecar.path).write_bytes(b"")
    assert carry_out(out, [step, sidecar]) == [(step.path, True), (sidecar.path, True)]
    assert ((out / step.path).read_bytes(), (out / sidecar.path).read_bytes()) == (b"wheel", b"{}")


def test_a_wheel_that_changed_since_it_was_read_is_not_published(tmp_path: Path) -> None:
    step = copy(tmp_path / "a.whl", b"read")
    step.source.write_bytes(b"other")
    with pytest.raises(SourceChangedError, match="changed while"):
        carry_out(tmp_path / "out", [step])
    assert tree(tmp_path / "out") == {}


def test_a_failed_write_leaves_the_old_index_and_no_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    carry_out(out, [Put("simple/a/index.html", b"old")])
    wheel = copy(tmp_path / "a.whl", b"wheel")
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        if bytes(data) == b"page":
            raise OSError(28, "No space left on device")
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match=r"No space left on device: .*index\.html"):
        carry_out(out, [wheel, Put("simple/a/index.html", b"page")])
    assert tree(out) == {"simple/a/index.html": b"old"}
    assert sorted(path.name for path in out.iterdir()) == ["simple"]


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
    carry_out(tmp_path, [Put("simple/index.html", b"0123456789")])
    assert (tmp_path / "simple" / "index.html").read_bytes() == b"0123456789"


def test_a_web_server_may_read_what_is_written(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        wheel = copy(tmp_path / "a.whl", b"wheel")
        carry_out(tmp_path / "out", [wheel, Put("simple/index.html", b"")])
    finally:
        os.umask(before)
    for path in ("simple/index.html", wheel.path):
        assert stat.S_IMODE((tmp_path / "out" / path).stat().st_mode) == 0o644
    for folder in ("simple", "files"):
        assert stat.S_IMODE((tmp_path / "out" / folder).stat().st_mode) == 0o755


def test_what_is_published_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    assert (store.page("a"), store.stamps()) == (None, {})
    file = ProjectFile("a-1+b.tar.gz", "../../files/a/abc/a-1%2Bb.tar.gz", {"sha256": "ab" * 32}, size=3)
    page = ProjectPage("a", (file,))
    carry_out(tmp_path, [Put("simple/a/index.json", render_json(page))])
    assert store.page("a") == page
    assert list(store.stamps()) == ["a"]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"<html>", "is not JSON"),
        (b'{"files": [{"filename": "a.whl"}]}', "it has no address"),
        (b'{"files": [{"filename": "a.whl", "url": "a.whl"}]}', "not under files/"),
        (b'{"files": [{"filename": "a.whl", "url": "../../files/../../x/a.whl"}]}', "not under files/"),
        (b'{"files": [{"filename": "a.whl", "url": "https://localhost/files/a.whl"}]}', "not under files/"),
    ],
)
def test_a_page_that_is_not_ours_is_refused(tmp_path: Path, body: bytes, problem: str) -> None:
    carry_out(tmp_path, [Put("simple/a/index.json", body)])
    with pytest.raises(StoreError, match=problem) as caught:
        FolderStore(tmp_path).page("a")
    assert caught.value.exit_code == 2
    assert str(caught.value).isprintable()


def test_a_damaged_page_is_read_in_its_other_form(tmp_path: Path) -> None:
    page = ProjectPage("a", (ProjectFile("a-1.tar.gz", "../../files/a/b/a-1.tar.gz", {"sha256": "ab" * 32}),))
    whole, root = Put("simple/a/index.html", render_html(page)), Put("simple/index.json", b"")
    carry_out(tmp_path, [root, whole, Put("simple/a/index.json", b"{")])
    assert FolderStore(tmp_path).page("a") == page
    carry_out(tmp_path, [Put("simple/a/index.html", b"\xff")])
    with pytest.raises(StoreError, match=r"index.json: .*remove the page in both forms .* --no-cache"):
        FolderStore(tmp_path).page("a")


def test_files_stay_for_a_grace_period(tmp_path: Path) -> None:
    out = tmp_path / "out"
    name = "a-1-py3-none-any.whl"
    wheel = copy(tmp_path / name, b"wheel")
    metadata = Put(f"{wheel.path}.metadata", b"Name: a")
    carry_out(out, [wheel, metadata, page("a", wheel.path)])
    gone: list[Step] = [page("a"), Delete(wheel.path), Delete(metadata.path)]
    carry_out(out, gone)
    assert {wheel.path, metadata.path} <= tree(out).keys()
    carry_out(out, [], grace=-1)
    assert tree(out).keys() == {"simple/a/index.json"}


def test_a_file_that_is_listed_again_stays(tmp_path: Path) -> None:
    out = tmp_path / "out"
    wheel = copy(tmp_path / "a-1-py3-none-any.whl", b"wheel")
    carry_out(out, [wheel, page("a", wheel.path)])
    carry_out(out, [page("a"), Delete(wheel.path)])
    carry_out(out, [wheel, page("a", wheel.path)], grace=-1)
    assert wheel.path in tree(out)
    assert not (out / ".dropped").exists()


def test_notes_that_cannot_be_written_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.EFBIG, "File too large")

    dropped = DroppedFiles(tmp_path)
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="File too large") as noting:
        dropped.drop(["files/a/b/c"], 1)
    with pytest.raises(OSError, match="File too large") as creating:
        dropped.creating("files/a/b/c")
    names = [noting.value.filename, creating.value.filename]
    assert names == [str(tmp_path / ".dropped"), str(tmp_path / ".created")]


def test_hostile_notes_remove_nothing(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"")
    out = tmp_path / "out"
    (out / "files").mkdir(parents=True)
    carry_out(out, [Put("simple/index.html", b"")])
    (out / ".dropped").write_text(
        "1 ../precious\n1 files/../../precious\nx files/a\n1 simple/index.html\n1\n"
    )
    (out / ".created").write_text("files/../../precious\n../precious\n\n")
    carry_out(out, [], grace=-1)
    assert (tmp_path / "precious").exists()
    assert (out / "simple" / "index.html").exists()


def test_what_a_killed_run_made_is_used_or_removed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    wheel = copy(tmp_path / "a-1-py3-none-any.whl", b"wheel")
    other = copy(tmp_path / "b-1-py3-none-any.whl", b"other")
    carry_out(out, [wheel, other])
    (out / ".created").write_text("".join(f"{step.path.rpartition('/')[0]}\n" for step in (wheel, other)))
    carry_out(out, [wheel, page("a", wheel.path)])
    assert {wheel.path, other.path} <= tree(out).keys()
    carry_out(out, [], grace=-1)
    assert tree(out).keys() == {wheel.path, "simple/a/index.json"}
