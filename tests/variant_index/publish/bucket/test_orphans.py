"""What killed publishers left in a bucket goes; what others are still uploading, or may want, stays."""

from __future__ import annotations

import itertools
import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ceph import Gateway
from tests.making import make_wheel
from tests.variant_index.publish.bucket.conftest import use
from tests.variant_index.publish.bucket.proxy import proxy
from tests.variant_index.publish.bucket.publishers import NOW, consistent, start
from tests.variant_index.publish.bucket.s3_server import S3Server, s3_server
from tests.variant_index.publish.family import make_family
from variant_index.publish.bucket.commit import Changes, Commit, compose
from variant_index.publish.bucket.object_storage import PART_BYTES, Bucket
from variant_index.publish.bucket.orphans import LOOK_SECONDS
from variant_index.publish.bucket.store import GRACE_SECONDS, BucketStore
from variant_index.publish.edit import add_files
from variant_index.publish.store import OvertakenError

URL = "s3://bucket/some/index"
PREFIX = "bucket/some/index/"
BATCH = "0" * 32
FILE = f"files/vdemo/{BATCH}/vdemo-9.0-py3-none-any.whl"
OTHER = f"files/killed-once/{BATCH}/killed_once-1.0-py3-none-any.whl"
OLD = LOOK_SECONDS + 3600
BODY = f"log/pages/{'1' * 64}"
FOREIGN = ("files/README", "files/vdemo/notes.txt", f"files/vdemo/{BATCH}/sub/x", "log/pages/notes")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    with s3_server() as state:
        use(state.environment, monkeypatch)
        yield state


def publish(
    folder: Path, name: str, url: str = URL, *, grace: int = GRACE_SECONDS, look: int = LOOK_SECONDS
) -> None:
    """Add a project."""
    wheel = make_wheel(folder, f"{name}-1.0-py3-none-any.whl")
    assert not add_files([wheel], BucketStore(url, grace=grace, look=look), now=NOW).refused


def newest() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Bucket(URL).get(Bucket(URL).directly_in("log/")[-1].path))
    return found


def orphans() -> set[str]:
    """Return the files, and our body, that the newest commit says nothing names."""
    return {path for path in newest()["dropped"] if path.startswith("files/") or path == BODY}


def make_due(looked: int | None = 0) -> None:
    """Let the last look for orphans have been at another time."""
    commit = newest()
    commit["looked"] = looked
    if looked is None:
        del commit["looked"]
    Bucket(URL).put(f"log/{commit['number']:012}.json", json.dumps(commit).encode())


def leave(server: S3Server, age: float) -> None:
    """Put what killed runs leave into the bucket, and what others keep there; make everything old."""
    for path in (FILE, OTHER, BODY, *FOREIGN):
        Bucket(URL).put(path, b"left")
    server.ages = dict.fromkeys(server.objects, age)


def test_what_killed_runs_uploaded_goes(server: S3Server, tmp_path: Path) -> None:
    assert not add_files([make_family(tmp_path)], BucketStore(URL), now=NOW).refused
    leave(server, OLD)
    make_due()
    publish(tmp_path, "first")
    assert orphans() == {FILE, OTHER, BODY}, "and nothing that pages name"
    assert server.objects.keys() >= {PREFIX + FILE, PREFIX + BODY}, "gone without a grace period"
    publish(tmp_path, "second", grace=-1)
    publish(tmp_path, "third")
    left = {path for path in (FILE, OTHER, BODY, *FOREIGN) if PREFIX + path in server.objects}
    assert left == {*FOREIGN}
    assert orphans() == set()
    consistent(Bucket(URL))


def test_what_is_young_stays(server: S3Server, tmp_path: Path) -> None:
    publish(tmp_path, "first")
    leave(server, LOOK_SECONDS - 3600)
    make_due()
    publish(tmp_path, "second")
    assert orphans() == set()


def test_a_look_is_taken_once_a_week(server: S3Server, tmp_path: Path) -> None:
    """An index of an earlier version does not say when the last one was."""
    publish(tmp_path, "first")
    leave(server, OLD)
    publish(tmp_path, "second")
    assert orphans() == set()
    make_due(int(newest()["looked"]) - LOOK_SECONDS + 3600)
    publish(tmp_path, "third")
    assert orphans() == set()
    make_due(None)
    publish(tmp_path, "fourth")
    assert orphans() == {FILE, OTHER, BODY}


def test_no_more_are_noted_than_a_commit_can_hold(
    server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("orphans", "store"):
        monkeypatch.setattr(f"variant_index.publish.bucket.{module}.MOST_ORPHANS", 2)
    publish(tmp_path, "first")
    leave(server, OLD)
    make_due()
    publish(tmp_path, "second")
    assert len(orphans()) == 2
    publish(tmp_path, "third")  # the rest
    assert orphans() == {FILE, OTHER, BODY}


def test_a_page_that_is_lost_keeps_its_files(server: S3Server, tmp_path: Path) -> None:
    publish(tmp_path, "first")
    publish(tmp_path, "second")
    leave(server, OLD)
    make_due()
    for form in ("html", "json"):
        body = newest()["pages"][f"simple/first/index.{form}"][0]
        server.objects[f"{PREFIX}log/pages/{body}"] = (b"damaged", {})
    publish(tmp_path, "third")
    assert orphans() == {FILE, OTHER, BODY}


def test_what_another_resumes_meanwhile_is_uploaded_again(server: S3Server, tmp_path: Path) -> None:
    """A large file of a killed run is taken up as it is; before it is published, it is noted as an orphan."""
    big = make_wheel(tmp_path / "a", "big-1.0-py3-none-any.whl", files={"b": os.urandom(PART_BYTES + 9)})
    publish(tmp_path, "first")
    published = dict(server.objects)
    add_files([big], BucketStore(URL), now=NOW)
    (uploaded,) = (path for path in server.objects if path.endswith(big.name))
    # As if that run had been killed before its commit, a week ago.
    server.objects = {**published, uploaded: server.objects[uploaded]}
    server.ages[uploaded] = OLD
    make_due()
    held, go = threading.Event(), threading.Event()

    def hold(method: str, path: str) -> bool:
        if method == "PUT" and path == f"{PREFIX}log/000000000002.json" and not held.is_set():
            held.set()
            go.wait(120)
        return True

    server.hook = hold
    slow = threading.Thread(target=add_files, args=([big], BucketStore(URL)), kwargs={"now": NOW})
    slow.start()
    assert held.wait(120)
    assert ("PUT", uploaded) not in server.requests[-20:], "taken up as it is"
    publish(tmp_path, "second")
    assert orphans() == {uploaded.removeprefix(PREFIX)}
    server.requests.clear()
    go.set()
    slow.join(120)
    assert ("PUT", uploaded) in server.requests, "trusted, though it may go any moment"
    publish(tmp_path, "third", grace=-1)
    consistent(Bucket(URL))


def test_what_a_run_takes_up_is_no_orphan_of_its_own(server: S3Server, tmp_path: Path) -> None:
    big = make_wheel(tmp_path / "a", "big-1.0-py3-none-any.whl", files={"b": os.urandom(PART_BYTES + 9)})
    publish(tmp_path, "first")
    published = dict(server.objects)
    add_files([big], BucketStore(URL), now=NOW)
    (uploaded,) = (path for path in server.objects if path.endswith(big.name))
    server.objects = {**published, uploaded: server.objects[uploaded]}
    server.ages[uploaded] = OLD
    make_due()
    add_files([big], BucketStore(URL), now=NOW)
    assert newest()["looked"]
    assert orphans() == set()


def test_orphans_of_a_project_are_a_change_of_it() -> None:
    seen = Commit(1, "a", "", {}, {})
    base = Commit(2, "b", "a", {}, {FILE: 5, BODY: 5})
    changes = Changes({"vdemo"}, {}, set(), set(), set())
    with pytest.raises(OvertakenError, match="vdemo"):
        compose(base, seen, changes, "c", 6)
    others = Changes({"pages", "demo"}, {}, set(), set(), set())
    assert compose(base, seen, others, "c", 6).dropped == base.dropped


@pytest.mark.object_storage
def test_killed_publishers_leave_nothing_for_ever(ceph: Gateway, url: str, tmp_path: Path) -> None:
    """Killed while they upload, one of them in the middle of a large file."""
    bucket = Bucket(url)
    publish(tmp_path, "first", url)
    big = make_wheel(tmp_path, "big-1.0-py3-none-any.whl", files={"b": os.urandom(PART_BYTES * 3)})
    small = [make_wheel(tmp_path, f"small{number}-1.0-py3-none-any.whl") for number in range(8)]
    for wheels in ([big], small):
        kill_at_upload(4, ceph, url, wheels)
    assert any("small" in stored.path for stored in bucket.all_below("files/"))
    publish(tmp_path, "second", url, look=0)
    publish(tmp_path, "third", url, look=0, grace=-1)
    publish(tmp_path, "fourth", url, grace=-1)
    files = {stored.path.split("/")[1] for stored in bucket.all_below("files/")}
    assert files == {"first", "second", "third", "fourth"}
    consistent(bucket)


def kill_at_upload(number: int, ceph: Gateway, url: str, wheels: list[Path]) -> None:
    """Add wheels in a process that is killed when its n-th request that uploads something has arrived."""
    ready, uploads = threading.Event(), itertools.count(1)

    def kill(_: int, method: str, path: str) -> bool:
        ready.wait(120)
        if method in ("PUT", "POST") and "/files/" in path and next(uploads) == number:
            os.kill(process.pid or 0, signal.SIGKILL)
        return True

    with proxy(ceph.url) as between:
        between.hook = kill
        process = start("add", url, wheels, {**ceph.environment, "AWS_ENDPOINT_URL": between.url})
        ready.set()
        process.join(120)
        assert process.exitcode == -signal.SIGKILL
