"""A build that is killed, or cannot write, at any point leaves the old index or the new one."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.making import make_wheel
from tests.variant_index.publish.family import CU128, make_family, make_variant
from tests.variant_index.publish.folder.crash import (
    Disturbance,
    consistent_pages,
    copy_index,
    in_child,
    pages,
)
from variant_index.model.build_report import BuildReport
from variant_index.publish.build import build_index
from variant_index.publish.folder import exchange
from variant_index.publish.folder.store import FolderStore
from variant_index.publish.store import StoreError

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """Return a folder in memory, where there is one: tens of thousands of files are made here."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


@pytest.fixture(autouse=True)
def _no_power_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written survives the process anyhow, and flushing is slow where others write too."""
    monkeypatch.setattr(exchange, "flush", lambda _: None)
    monkeypatch.setattr(exchange, "flush_folders", lambda *_: None)


@dataclass
class Change:
    """An index before and after a build."""

    source: Path
    before: Path
    after: Path
    out: Path

    def build(self) -> BuildReport:
        return build_index([self.source], FolderStore(self.out, grace=-1), now="2026-02-01T00:00:00Z")

    def restore(self) -> None:
        copy_index(self.before, self.out)

    def require_done(self) -> None:
        """The next run finishes the job, and nothing of the disturbed one is left."""
        assert not self.build().refused
        assert pages(self.out) == pages(self.after)
        files, wanted = (
            {path.name for path in folder.rglob("*") if path.is_file()} for folder in (self.out, self.after)
        )
        assert files == wanted


def _first(folder: Path) -> None:
    """Nothing is published before."""


def _one_project(folder: Path) -> None:
    make_family(folder / "in")
    build_index([folder / "in"], folder / "before", now="2026-01-01T00:00:00Z")
    make_variant(folder / "in", "vdemo-2.0-py3-none-any-cu129.whl", CU128)


def _everything(folder: Path) -> None:
    """A project changes, one is new, one goes and one stays."""
    make_wheel(folder / "in", "gone-1.0-py3-none-any.whl")
    make_wheel(folder / "in", "stays-1.0-py3-none-any.whl")
    _one_project(folder)
    (folder / "in" / "gone-1.0-py3-none-any.whl").unlink()
    (folder / "in" / "vdemo-1.0-py3-none-any.whl").unlink()
    make_wheel(folder / "in", "new-1.0-py3-none-any.whl")


@pytest.fixture(params=[_first, _one_project, _everything], ids=lambda prepare: prepare.__name__[1:])
def change(tmp_path: Path, request: pytest.FixtureRequest) -> Change:
    prepare: Callable[[Path], None] = request.param
    make_wheel(tmp_path / "in", "first-1.0-py3-none-any.whl")
    prepare(tmp_path)
    change = Change(tmp_path / "in", tmp_path / "before", tmp_path / "after", tmp_path / "out")
    change.restore()
    change.build()
    shutil.copytree(change.out, change.after)
    return change


def _killed_everywhere(change: Change) -> Iterator[int]:
    for number in range(1, 1000):
        change.restore()
        if not in_child(change.out, number, change.build):
            assert number > 20, "nothing was counted"
            return
        yield number
    raise AssertionError


@pytest.mark.skipif(sys.platform != "linux", reason="needs the exchange of folders")
def test_a_killed_build_leaves_the_old_index_or_the_new_one(change: Change) -> None:
    old, new = pages(change.before), pages(change.after)
    seen = set()
    for _ in _killed_everywhere(change):
        state = pages(change.out)
        assert state in (old, new)
        consistent_pages(change.out)
        seen.add(state == new)
        change.require_done()
    assert seen == {True, False}


def test_without_exchange_each_page_is_old_or_new(change: Change, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "exchange", lambda *_: False)
    old, new = pages(change.before), pages(change.after)
    for _ in _killed_everywhere(change):
        for path, content in pages(change.out).items():
            assert content in (old.get(path), new.get(path))
        consistent_pages(change.out)
        change.require_done()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_full_disk_leaves_the_old_index_or_the_new_one(
    change: Change, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    old, new = pages(change.before), pages(change.after)

    def fail() -> None:
        raise OSError(number, os.strerror(number), "disk")

    failed = 0
    for count in range(1, 1000):
        change.restore()
        with monkeypatch.context() as patch:
            disturbance = Disturbance(change.out, count, fail)
            disturbance.start(patch)
            try:
                change.build()
            except OSError as error:
                assert error.errno == number  # noqa: PT017 -- not every failure is one: cleaning up may fail
                failed += 1
            finally:
                disturbance.stop()
        if not disturbance.reached:
            break
        assert pages(change.out) in (old, new)
        consistent_pages(change.out)
        change.require_done()
    assert failed > 15


def test_the_processes_of_a_killed_build_end_with_it(tmp_path: Path) -> None:
    """Otherwise they would keep the lock, and wait for work for ever."""
    for number in range(400):
        make_wheel(tmp_path / "in", f"demo{number}-1.0-py3-none-any.whl", files={"x.bin": bytes(1 << 16)})
    program = "from variant_index.cli import main; raise SystemExit(main())"
    command = [sys.executable, "-c", program, "build", "in", "--out", "out", "--no-cache", "--jobs", "2"]
    build = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    # Copies appear in a folder for each reading process.
    while not list(tmp_path.glob("out/.part-*/*-0/*.whl")):
        assert build.poll() is None
    build.kill()
    build.communicate(timeout=60)  # ends when every process that has its output has ended
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    consistent_pages(tmp_path / "out")


def test_a_limit_on_file_sizes_is_a_failure_like_any_other(tmp_path: Path) -> None:
    make_wheel(tmp_path / "in", "big-1.0-py3-none-any.whl", files={"big.bin": os.urandom(1 << 16)})
    build_index([make_family(tmp_path / "in2")], tmp_path / "out", now="2026-01-01T00:00:00Z")
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 14, 1 << 14))

    program = "from variant_index.cli import main; raise SystemExit(main())"
    done = subprocess.run(
        [sys.executable, "-c", program, "build", "in", "in2", "--out", "out", "--no-cache"],
        cwd=tmp_path,
        preexec_fn=limit,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "File too large" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    after = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert after == before


def test_readers_see_one_index_or_the_other(tmp_path: Path) -> None:
    """Pages of one project and the files they name, while a publisher goes back and forth between two."""
    states = []
    for number in range(2):
        folder = tmp_path / f"in{number}"
        make_family(folder)
        if number:
            make_variant(folder, "vdemo-2.0-py3-none-any-cu129.whl", CU128)
            make_wheel(folder, "other-1.0-py3-none-any.whl")
        states.append(folder)
    out = tmp_path / "out"
    build_index([states[0]], out, now="2026-01-01T00:00:00Z")
    complete = [pages(out)]
    seen: set[tuple[tuple[str, bytes], ...]] = set()
    stop = threading.Event()
    problems: list[str] = []
    reads = 0

    def read() -> None:
        nonlocal reads
        while not stop.is_set():
            folder = os.open(out / "simple", os.O_RDONLY)  # what a reader has open stays as it was
            try:
                found = {}
                for name in ("index.html", "index.json", "vdemo/index.html", "vdemo/index.json"):
                    with open(os.open(name, os.O_RDONLY, dir_fd=folder), "rb") as file:  # noqa: PTH123
                        found[f"simple/{name}"] = file.read()
            except FileNotFoundError:
                continue  # the old folder is being removed; whoever opens the index anew has the new one
            finally:
                os.close(folder)
            seen.add(tuple(found.items()))
            try:
                consistent_pages(out, root=False)  # it is opened before the others
            except FileNotFoundError as error:
                if "/files/" in str(error.filename):
                    problems.append(f"listed, but not there: {error.filename}")
            reads += 1

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for number in range(40):
            build_index([states[number % 2]], out, now="2026-01-01T00:00:00Z")
            complete.append(pages(out))
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert problems == []
    assert all(any(dict(found).items() <= state.items() for state in complete) for found in seen), "a mix"
    assert reads > 40
    assert len(seen) > 2


def test_of_several_publishers_one_writes(tmp_path: Path) -> None:
    folders = [make_family(tmp_path / f"in{number}", f"demo{number}") for number in range(4)]
    out = tmp_path / "out"
    outcomes: list[str] = []

    def publish(folder: Path) -> None:
        for _ in range(10):
            with contextlib.suppress(StoreError):
                build_index([folder], out, now="2026-01-01T00:00:00Z")
                outcomes.append(folder.name)

    threads = [threading.Thread(target=publish, args=[folder]) for folder in folders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes
    consistent_pages(out)
    (project,) = [path.name for path in (out / "simple").iterdir() if path.is_dir()]
    assert project.removeprefix("demo") in "0123"
