"""A rebuild reads what changed and nothing else, and gives what a build of everything gives."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.making import make_wheel
from tests.variant_index.publish.family import CU128, CU130, NULL, make_family, make_variant, published_file
from tests.variant_index.publish.folder.crash import consistent_pages, pages
from variant_index.model.build_report import BuildReport
from variant_index.publish.build import build_index
from variant_index.publish.changes import ProjectChange, compare, group_states, inputs_digest, is_settled
from variant_index.publish.find import FileState, find_states, list_files
from variant_index.publish.folder.store import FolderStore
from variant_index.publish.known import known_files
from variant_index.publish.notes import FileNote, Notes, ReleaseNote, notes_file
from variant_index.publish.reading import Reading
from variant_index.publish.scan import read_files
from variant_index.simple_api.page import ProjectFile, ProjectPage

NOW = "2026-01-01T00:00:00Z"


def settle(folder: Path) -> None:
    """Make all files old enough to be noted; a change time can only be waited for."""
    for path in folder.rglob("*"):
        os.utime(path, (1_700_000_000.5, 1_700_000_000.5))
    time.sleep(0.11)


def changes(folder: Path) -> dict[Path, tuple[int, int, int]]:
    """Return what changes of each path when it is written, but not when it is read."""
    found = {path: path.stat() for path in folder.rglob("*")}
    return {path: (state.st_ino, state.st_size, state.st_mtime_ns) for path, state in found.items()}


class Builder:
    """Builds with notes, and keeps which files were read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source, self.out, self.notes = folder / "in", folder / "out", folder / "notes.sqlite"
        self.read: list[str] = []

    def build(
        self, *, notes: bool = True, default_from: str | None = None, details: bool = True
    ) -> BuildReport:
        self.read.clear()
        return build_index(
            [self.source],
            self.out,
            now=NOW,
            notes=self.notes if notes else None,
            reader=self._reader,
            default_from=default_from,
            details=details,
        )

    def _reader(self, files: Sequence[FileState], staging: Path | None) -> Iterator[Reading]:
        self.read += [file.name for file in files]
        return read_files(files, staging)


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    make_family(tmp_path / "in")
    make_wheel(tmp_path / "in", "other-1.0-py3-none-any.whl")
    (tmp_path / "in" / "other-1.0.tar.gz").write_bytes(b"source")
    settle(tmp_path / "in")
    builder = Builder(tmp_path)
    builder.build()
    assert len(builder.read) == 7
    return builder


def test_nothing_is_read_when_nothing_changed(builder: Builder) -> None:
    before = changes(builder.out)
    first = builder.build()
    assert builder.read == []
    assert changes(builder.out) == before
    assert [(len(release.files), release.changed) for release in first.releases] == [
        (3, []),
        (2, []),
        (9, []),
    ]
    assert (first.unchanged, builder.build(details=False).unchanged) == (0, 3)


def test_only_what_changed_is_read(builder: Builder) -> None:
    make_variant(builder.source, "vdemo-2.0-py3-none-any-cu129.whl", CU128)
    report = builder.build()
    assert builder.read == ["vdemo-2.0-py3-none-any-cu129.whl"]
    assert {Path(path).name for release in report.releases for path in release.changed} == {
        "vdemo-2.0-py3-none-any-cu129.whl",
        "vdemo-2.0-py3-none-any-cu129.whl.metadata",
        "vdemo-2.0-variants.json",
    }
    consistent_pages(builder.out)


def test_links_do_not_make_files_look_changed(tmp_path: Path) -> None:
    make_family(tmp_path / "in")
    settle(tmp_path / "in")
    read: list[str] = []

    def reader(files: Sequence[FileState], staging: Path | None) -> Iterator[Reading]:
        read.extend(file.name for file in files)
        return read_files(files, staging, link=True)

    for expected in (5, 0):
        read.clear()
        notes = tmp_path / "notes"
        build_index([tmp_path / "in"], tmp_path / "out", now=NOW, notes=notes, reader=reader, linked=True)
        assert len(read) == expected
    for wheel in (tmp_path / "in").iterdir():
        assert published_file(tmp_path / "out", wheel.name).samefile(wheel)
    consistent_pages(tmp_path / "out")


def test_a_file_that_has_just_changed_is_read_again(builder: Builder) -> None:
    wheel = make_wheel(builder.source, "new-1.0-py3-none-any.whl")
    os.utime(wheel, (time.time() + 3600, time.time() + 3600))
    for _ in range(2):
        builder.build()
        assert builder.read == [wheel.name]


def test_warnings_are_repeated(tmp_path: Path) -> None:
    make_family(tmp_path / "in", default=False)
    settle(tmp_path / "in")
    builder = Builder(tmp_path)
    first = builder.build()
    again = builder.build(details=False)
    assert builder.read == []
    (release,) = again.releases
    assert release.warnings == first.releases[1].warnings != []
    assert again.unchanged == 1


def test_a_page_that_was_damaged_is_written_again(builder: Builder) -> None:
    good = pages(builder.out)
    for path in ("simple/vdemo/index.html", "simple/other/index.json"):
        (builder.out / path).unlink()
    builder.build()
    assert pages(builder.out).keys() == good.keys()
    consistent_pages(builder.out)
    for path in ("simple/vdemo/index.html", "simple/vdemo/index.json", "simple/index.json"):
        (builder.out / path).write_bytes(b"x")
        builder.build(notes=False)
        assert pages(builder.out) == good


def test_other_options_void_the_notes(builder: Builder) -> None:
    builder.build(default_from="cu128")
    assert len(builder.read) == 7


def test_a_refused_release_is_read_every_time(builder: Builder) -> None:
    bad = make_variant(builder.source, "vdemo-2.0-cp312-cp312-linux_x86_64-cu128.whl", CU130)
    settle(builder.source)
    for _ in range(2):
        report = builder.build()
        assert [refusal.rule for refusal in report.refused] == ["REL001"]
        assert bad.name in builder.read


def test_notes_of_another_index_are_not_believed(builder: Builder, tmp_path: Path) -> None:
    shutil.rmtree(builder.out)
    builder.build()
    assert len(builder.read) == 7
    consistent_pages(builder.out)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE files SET note = replace(note, '12.8', '99.9')",
        "UPDATE files SET note = '[]'",
        "UPDATE files SET note = 'x', sum = x'00'",
        "UPDATE files SET sum = NULL",
        "UPDATE releases SET inputs = 'x'",
        "UPDATE releases SET report = '{'",
        "UPDATE pages SET stamp = 'x'",
        "UPDATE about SET salt = 'x'",
        "DELETE FROM releases",
        "DELETE FROM files",
        "DROP TABLE files",
        "DROP TABLE about; CREATE TABLE about (x)",
    ],
)
def test_damaged_notes_do_not_lie(builder: Builder, damage: str) -> None:
    good = pages(builder.out)
    with sqlite3.connect(builder.notes) as database:
        database.executescript(damage)
    database.close()
    make_wheel(builder.source, "vdemo-2.0-1-py3-none-any.whl")
    builder.build()
    (builder.source / "vdemo-2.0-1-py3-none-any.whl").unlink()
    report = builder.build()
    assert not report.refused
    assert pages(builder.out) == good


@pytest.mark.parametrize("content", [b"", b"garbage" * 1000, None])
def test_notes_that_are_none(builder: Builder, content: bytes | None) -> None:
    data = builder.notes.read_bytes()
    builder.notes.write_bytes(data[: len(data) // 2] if content is None else content)
    make_wheel(builder.source, "new-1.0-py3-none-any.whl")
    assert not builder.build().refused
    consistent_pages(builder.out)
    assert "new" in FolderStore(builder.out).stamps()


def test_notes_that_somebody_else_uses(builder: Builder) -> None:
    database = sqlite3.connect(builder.notes, isolation_level=None)
    database.execute("BEGIN EXCLUSIVE")
    try:
        assert len(builder.build().releases) == 3
        assert len(builder.read) == 7
    finally:
        database.close()
    builder.build()
    assert builder.read == []


def test_notes_that_cannot_be_kept(builder: Builder) -> None:
    builder.notes.unlink()
    builder.notes.mkdir()
    assert len(builder.build().releases) == 3


def test_each_index_has_notes_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert notes_file("/a") != notes_file("/b")


_NAMES = [
    f"vdemo-{version}-py3-none-any{label}.whl"
    for version in ("1.0", "2.0")
    for label in ("", "-cu128", "-null")
]
_PROPERTIES = {"-cu128": CU128, "-null": NULL}


def _change(folder: Path, choice: random.Random) -> None:
    """Add, remove or replace a file; a replaced one has other bytes."""
    name = choice.choice([*_NAMES, "other-1.0-py3-none-any.whl"])
    if (folder / name).exists() and choice.random() < 0.5:
        (folder / name).unlink()
        return
    label = next((label for label in _PROPERTIES if label in name), None)
    if label is not None:
        make_variant(folder, name, _PROPERTIES[label])
    else:
        make_wheel(folder, name, requires_python=choice.choice([None, ">=3.8"]))


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32))
def test_a_chain_of_rebuilds_gives_what_one_build_gives(seed: int) -> None:
    choice = random.Random(seed)
    with tempfile.TemporaryDirectory() as place:
        builder = Builder(Path(place))
        make_wheel(builder.source, "stays-1.0-py3-none-any.whl")
        for _ in range(5):
            for _ in range(choice.randint(0, 3)):
                _change(builder.source, choice)
            settle(builder.source)
            refused = builder.build().refused
            consistent_pages(builder.out)
        if refused:
            return  # other bytes under a published name: what is published depends on what was there
        build_index([builder.source], builder.folder / "anew", now=NOW)
        stores = [FolderStore(out) for out in (builder.out, builder.folder / "anew")]
        assert stores[0].stamps().keys() == stores[1].stamps().keys()
        for name in stores[0].stamps():
            ours, theirs = (store.page(name) for store in stores)
            assert ours is not None
            assert theirs is not None
            assert [(file.filename, file.hashes, file.requires_python, file.size) for file in ours.files] == [
                (file.filename, file.hashes, file.requires_python, file.size) for file in theirs.files
            ]


@pytest.mark.parametrize(
    ("listed", "known"),
    [
        ({}, True),
        ({"hashes": {"sha256": "cd" * 32}}, False),
        ({"hashes": {}}, False),
        ({"size": 4}, False),
        ({"core_metadata": False}, False),
        ({"filename": "b-1-py3-none-any.whl"}, False),
    ],
)
def test_a_note_counts_only_where_the_page_agrees(listed: dict[str, object], known: bool) -> None:
    name = "a-1-py3-none-any.whl"
    digest = {"sha256": "ab" * 32}
    file = ProjectFile(name, "../../files/a/b/a-1-py3-none-any.whl", digest, core_metadata=digest, size=3)
    page = ProjectPage("a", (replace(file, **listed),))  # type: ignore[arg-type]
    noted = [(FileState(name, f"in/{name}", 3, 1, 1, 1), FileNote("ab" * 32))]
    assert bool(known_files(noted, page)) == known
    assert known_files(noted, None) == {}


def test_grouping_goes_by_names(tmp_path: Path) -> None:
    names = [
        "A.b-1.0-py3-none-any.whl",
        "a_b-1.0-variants.json",
        "a-b-1.0.tar.gz",
        "x.whl",
        "a-x-py3-none-any.whl",
    ]
    grouped, nameless = group_states(FileState(name, name) for name in names)
    assert {key: {v: len(files) for v, files in found.items()} for key, found in grouped.items()} == {
        "a-b": {"1.0": 3}
    }
    assert [state.name for state in nameless] == ["x.whl", "a-x-py3-none-any.whl"]


def test_what_counts_as_changed(tmp_path: Path) -> None:
    inputs = {
        "a": {"1": [FileState("a", "p/a", 1, 2, 3, 4)]},
        "b": {"1": [FileState("b", "p/b", 1, 2, 3, 4)]},
    }
    noted = {name: {"1": inputs_digest(files["1"])} for name, files in inputs.items()}
    stamps = {"a": "s", "b": "s"}
    assert compare(inputs, stamps, stamps, noted).same == ["a", "b"]
    assert compare(inputs, {"a": "t", "b": "s"}, stamps, noted).same == ["b"]
    assert compare(inputs, {"b": "s"}, stamps, noted).same == ["b"]
    assert [change.name for change in compare(inputs, {**stamps, "c": "s"}, stamps, noted).projects] == ["c"]
    for number in range(1, 6):
        other = list(inputs["a"]["1"][0])
        other[number] = "q" if isinstance(other[number], str) else 9
        changed = {**inputs, "a": {"1": [FileState(*other)]}}  # type: ignore[arg-type]
        assert compare(changed, stamps, stamps, noted).same == ["b"]
    fewer = compare({"a": {}, "b": inputs["b"]}, stamps, stamps, noted)
    assert [(change.name, change.changed, change.unchanged) for change in fewer.projects] == [
        ("a", {}, frozenset())
    ]


def test_what_is_settled() -> None:
    second = 1_000_000_000
    state = FileState("a", "a", 1, 100 * second + 1, 100 * second + 1, 1)
    assert not is_settled(state, 100 * second + 50_000_000)
    assert is_settled(state, 101 * second)
    assert not is_settled(state._replace(mtime_ns=100 * second), 101 * second)
    assert not is_settled(state._replace(ctime_ns=101 * second), 101 * second)


def test_a_state_tells_replaced_files(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "a-1-py3-none-any.whl")
    (before,) = find_states([tmp_path])
    other = wheel.read_bytes()[::-1]
    time.sleep(0.02)
    wheel.write_bytes(other)
    os.utime(wheel, ns=(before.mtime_ns, before.mtime_ns))
    (after,) = find_states([tmp_path])
    assert (after.size, after.mtime_ns, after.inode) == (before.size, before.mtime_ns, before.inode)
    assert after != before


def _refuse_to_look(*_: object) -> None:
    raise AssertionError("nothing had to be compared one by one")


def test_what_is_as_it_was_is_compared_as_a_whole(builder: Builder, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = builder.build()
    with monkeypatch.context() as patch:
        patch.setattr("variant_index.publish.build.group_states", _refuse_to_look)
        assert builder.build() == expected
        assert builder.build(details=False).unchanged == 3
        (builder.source / "other-1.0.tar.gz").touch()
        with pytest.raises(AssertionError):
            builder.build()
    builder.build()
    assert builder.read == ["other-1.0.tar.gz"]


def test_a_changed_page_is_seen_although_no_file_changed(builder: Builder) -> None:
    page = builder.out / "simple" / "other" / "index.html"
    before = page.read_bytes()
    page.write_bytes(before + b"<!-- -->")
    builder.build()
    assert page.read_bytes() == before


def test_what_was_refused_is_refused_again(builder: Builder) -> None:
    (builder.source / "bad-1.0-py3-none-any.whl").write_bytes(b"no wheel")
    settle(builder.source)
    for _ in range(3):
        assert [refusal.name for refusal in builder.build().refused] == ["bad"]
    (builder.source / "bad-1.0-py3-none-any.whl").rename(builder.source / "x.whl")
    make_wheel(builder.source, "new-1.0-py3-none-any.whl")
    settle(builder.source)
    for _ in range(3):
        assert [refusal.name for refusal in builder.build().refused] == [None]


def test_what_is_not_settled_is_looked_at_again(builder: Builder) -> None:
    wheel = make_wheel(builder.source, "new-1.0-py3-none-any.whl")
    os.utime(wheel, (time.time() + 600, time.time() + 600))
    for _ in range(3):
        builder.build()
        assert builder.read == ["new-1.0-py3-none-any.whl"]


def test_a_listing_differs_when_a_file_does(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "in" / "b", "a-1-py3-none-any.whl")
    make_wheel(tmp_path / "in", "c-1-py3-none-any.whl")

    def digest(*paths: Path) -> str:
        return list_files(paths or [tmp_path / "in"]).digest()

    digests = [digest(), digest(wheel), digest(tmp_path / "in" / "b")]
    assert digests == [digest(), digest(wheel), digest(tmp_path / "in" / "b")]
    os.utime(wheel, ns=(1, 1))
    digests += [digest(), digest(wheel)]
    wheel.with_name(f"{wheel.name}.provenance").write_bytes(b"")
    digests += [digest(), digest(wheel)]
    wheel.rename(wheel.with_name("a-2-py3-none-any.whl"))
    digests += [digest()]
    (tmp_path / "in" / "b").rename(tmp_path / "in" / "d")
    digests += [digest()]
    assert len({*digests}) == len(digests)
    linked = list_files([tmp_path / "in"], linked=True)
    assert {state.ctime_ns for state in linked.states()} == {0}


def _count(notes: Path, table: str) -> int:
    with sqlite3.connect(notes) as database:
        ((count,),) = database.execute(f"SELECT count(*) FROM {table}")
    database.close()
    return int(count)


def test_files_that_are_gone_are_forgotten(builder: Builder) -> None:
    assert (_count(builder.notes, "files"), _count(builder.notes, "releases")) == (7, 3)
    (builder.source / "vdemo-2.0-py3-none-any-null.whl").unlink()
    builder.build()
    assert (_count(builder.notes, "files"), _count(builder.notes, "releases")) == (6, 3)
    for path in builder.source.glob("vdemo-2.0-*"):
        path.unlink()
    builder.build()
    assert (_count(builder.notes, "files"), _count(builder.notes, "releases")) == (3, 2)
    for path in builder.source.glob("other-*"):
        path.unlink()
    builder.build()
    assert (_count(builder.notes, "files"), _count(builder.notes, "releases")) == (1, 1)


def test_good_files_of_a_refused_release_stay_known(builder: Builder) -> None:
    bad = builder.source / "vdemo-2.0-cp39-cp39-any.whl"
    bad.write_bytes(b"no wheel")
    settle(builder.source)
    builder.build()
    builder.build()
    assert builder.read == [bad.name]


def test_the_file_of_notes_shrinks(tmp_path: Path) -> None:
    notes = tmp_path / "notes.sqlite"
    changes = [
        ProjectChange(f"p{number}", {"1": [FileState(f"p{number}", f"p{number}")]}, frozenset())
        for number in range(50)
    ]
    with Notes(notes) as known:
        for change in changes:
            note = ReleaseNote("digest", "x" * 4000, warned=False)
            known.set_project(change, {"1": note}, [(change.changed["1"][0], FileNote("ab"))])
        known.save({change.name: "stamp" for change in changes}, None)
    large = notes.stat().st_size
    with Notes(notes) as known:
        known.save({"p0": "stamp"}, None)
    assert notes.stat().st_size < large / 4
    with Notes(notes) as known:
        assert known.count() == 1
        assert [note.sha256 for _, note in known.files(changes[0])] == ["ab"]
        assert known.files(changes[1]) == []


@pytest.mark.parametrize(("age", "size"), [(91, 10), (2, 3 << 29)])
def test_notes_nobody_uses_any_more_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age: int, size: int
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    ours, other, recent = (notes_file(name) for name in ("ours", "other", "recent"))
    former = ours.parent.parent / "builds-v1"
    for folder in (former, ours.parent):
        folder.mkdir(parents=True)
    (former / "x.sqlite").write_bytes(b"")
    for file, days, length in ((other, age, size), (recent, 1, 10)):
        file.touch()
        os.truncate(file, length)
        os.utime(file, (time.time() - days * 86400,) * 2)
    Path(f"{other}-journal").touch()
    with Notes(ours) as known:
        known.save({}, None)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted([ours, recent])
    assert not former.exists()


def test_notes_that_are_used_count_as_recent(tmp_path: Path) -> None:
    notes = tmp_path / "notes.sqlite"
    with Notes(notes) as known:
        known.save({}, None)
    os.utime(notes, (1, 1))
    with Notes(notes):
        pass
    assert notes.stat().st_mtime > 1
