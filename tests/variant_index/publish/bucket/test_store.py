"""Publishing to servers that do as they should, and to servers that do not."""

from __future__ import annotations

import builtins
import contextlib
import hashlib
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.making import make_wheel
from tests.variant_index.publish.bucket.conftest import use
from tests.variant_index.publish.bucket.publishers import (
    NOW,
    add,
    build,
    check_page,
    consistent,
    listed,
    pages,
    start,
)
from tests.variant_index.publish.bucket.s3_server import S3Server, s3_server
from tests.variant_index.publish.family import CU128, make_family, make_variant
from variant_index.cli import main
from variant_index.cli.build import command
from variant_index.publish.bucket.object_storage import PART_BYTES, Bucket, BucketError, BucketUrlError
from variant_index.publish.bucket.probe import ConditionError, probe
from variant_index.publish.bucket.store import BucketStore
from variant_index.publish.bucket.uploads import Uploads
from variant_index.publish.build import build_index
from variant_index.publish.edit import add_files, parse_target, remove, yank
from variant_index.publish.plan import Copy, Put
from variant_index.publish.store import OvertakenError, SourceChangedError, StoreError
from variant_index.simple_api.render import HTML_TYPE, JSON_TYPE

URL = "s3://bucket/some/index"
WHEEL = "demo-1.0-py3-none-any.whl"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    with s3_server() as state:
        use(state.environment, monkeypatch)
        yield state


def _change(folder: Path) -> tuple[Path, Path]:
    """Make an input, and a later one in which a project changed, one is new and one is gone."""
    old, new = folder / "old", folder / "new"
    make_family(old)
    make_wheel(old, "gone-1.0-py3-none-any.whl")
    make_family(new)
    make_wheel(new, "other-1.0-py3-none-any.whl")
    make_variant(new, "vdemo-2.0-py3-none-any-cu129.whl", CU128)
    return old, new


def test_what_is_published(server: S3Server, tmp_path: Path) -> None:
    build(URL, make_family(tmp_path))
    bucket = Bucket(URL)
    consistent(bucket)
    assert len(listed(bucket, "vdemo")) == 6
    folders = {stored.path.split("/")[0] for stored in bucket.all_below("")}
    assert folders == {"files", "simple", "log"}
    assert [stored.path for stored in bucket.directly_in("log/")] == ["log/000000000001.json"]


def test_a_rebuild_changes_nothing(server: S3Server, tmp_path: Path) -> None:
    build(URL, make_family(tmp_path))
    before = dict(server.objects)
    server.requests.clear()
    build(URL, tmp_path)
    assert server.objects == before
    written = {path for method, path in server.requests if method == "PUT"}
    assert all("/log/probe-" in path for path in written)


def test_add_yank_and_remove(server: S3Server, tmp_path: Path) -> None:
    build(URL, make_family(tmp_path / "in"))
    add(URL, [make_variant(tmp_path, "vdemo-2.0-py3-none-any-cu129.whl", CU128)])
    yank([parse_target("vdemo==1.0")], BucketStore(URL))
    bucket = Bucket(URL)
    consistent(bucket)
    assert "vdemo-2.0-py3-none-any-cu129.whl" in listed(bucket, "vdemo")
    assert b'"yanked":true' in bucket.get("simple/vdemo/index.json").replace(b" ", b"")
    remove([parse_target("vdemo==1.0"), parse_target("vdemo==2.0")], BucketStore(URL), now=NOW)
    assert set(pages(bucket)) == {"simple/index.html", "simple/index.json"}
    consistent(bucket)


def test_files_go_after_the_grace_period_unless_they_are_named_again(
    server: S3Server, tmp_path: Path
) -> None:
    old, new = _change(tmp_path)
    build(URL, old)
    dropped = server.below("bucket/some/index/files/gone/")
    build(URL, new)
    assert server.below("bucket/some/index/files/gone/") == dropped
    make_wheel(new, "more-1.0-py3-none-any.whl")
    build(URL, new, grace=-1)
    assert not server.below("bucket/some/index/files/gone/")
    consistent(Bucket(URL))
    build(URL, old)
    build(URL, new)
    server.requests.clear()
    build(URL, old, grace=-1)  # what is to go had been dropped, and is named again by this very build
    assert {("PUT", path) for path in dropped} <= {*server.requests}, "trusted, though it may go any moment"
    consistent(Bucket(URL))
    assert set(server.below("bucket/some/index/files/gone/")) == set(dropped)


def test_what_a_page_names_is_not_removed(server: S3Server, tmp_path: Path) -> None:
    build(URL, make_family(tmp_path))
    bucket = Bucket(URL)
    commit = json.loads(bucket.get("log/000000000001.json"))
    files = [stored.path for stored in bucket.all_below("files/")]
    bodies = [stored.path for stored in bucket.all_below("log/pages/")]
    commit["dropped"] = dict.fromkeys([*files, *bodies], 0)
    bucket.put("log/000000000001.json", json.dumps(commit).encode())
    more = make_wheel(tmp_path, "more-1.0-py3-none-any.whl")
    add_files([more], BucketStore(URL, grace=-1), now=NOW)
    consistent(bucket)
    assert json.loads(bucket.get("log/000000000002.json"))["dropped"].keys().isdisjoint(files)


def test_a_page_read_a_while_ago_keeps_its_files(server: S3Server, tmp_path: Path) -> None:
    """The sidecar has its page's state in its address, so no later one takes its place."""
    build(URL, make_family(tmp_path))
    held = [Bucket(URL).get("simple/vdemo/index.json")]
    for label in ("cu126", "cu129"):
        make_variant(tmp_path, f"vdemo-2.0-py3-none-any-{label}.whl", CU128)
        build(URL, tmp_path)
        held.append(Bucket(URL).get("simple/vdemo/index.json"))
    remove([parse_target("vdemo-2.0-py3-none-any-cu126.whl")], BucketStore(URL), now=NOW)
    held.append(Bucket(URL).get("simple/vdemo/index.json"))
    assert [check_page(Bucket(URL), content, JSON_TYPE, "vdemo") for content in held] == [6, 7, 8, 7]


def test_the_log_and_old_bodies_do_not_grow(server: S3Server, tmp_path: Path) -> None:
    old, new = _change(tmp_path)
    for number in range(8):
        build(URL, (old, new)[number % 2], grace=-1)
    assert len(Bucket(URL).directly_in("log/")) == 2
    assert len(server.below("bucket/some/index/log/pages/")) <= 2 * 6
    consistent(Bucket(URL))


def test_killed_at_every_request(server: S3Server, tmp_path: Path) -> None:
    old, new = _change(tmp_path)
    build(URL, old)
    before, state = pages(Bucket(URL)), dict(server.objects)
    build(URL, new)
    after = pages(Bucket(URL))
    outcomes = set()
    for number in range(1, 200):
        server.objects = dict(state)
        outcomes.add(_killed_at(server, number, new))
        if outcomes == {0, -signal.SIGKILL}:
            break
        found = pages(Bucket(URL))
        for path, content in found.items():
            assert content in (before.get(path), after.get(path))
            if path.count("/") == 2:
                kind = JSON_TYPE if path.endswith(".json") else HTML_TYPE
                check_page(Bucket(URL), content, kind, path.split("/")[1])
        for path in before.keys() & after.keys():
            assert path in found
        build(URL, new)
        assert pages(Bucket(URL)) == after
    assert number > 30


def _killed_at(server: S3Server, number: int, folder: Path) -> int | None:
    """Build in a process that is killed when its n-th request has arrived; return its exit status."""
    ready = threading.Event()

    def kill(method: str, path: str) -> bool:
        ready.wait(120)
        if len(server.requests) + 1 < number:
            return True
        os.kill(process.pid or 0, signal.SIGKILL)
        return False

    server.requests.clear()
    server.hook = kill
    process = start("build", URL, [folder], server.environment)
    ready.set()
    process.join(120)
    server.hook = None
    return process.exitcode


@pytest.mark.parametrize("times", [1, 6])  # the library itself tries five times
@pytest.mark.parametrize("arrived", [True, False])
def test_a_lost_answer_is_no_conflict(server: S3Server, arrived: bool, times: int) -> None:
    lost = 0

    def lose(method: str, path: str) -> bool | None:
        nonlocal lost
        if method == "PUT" and path.endswith("log/000000000001.json") and lost < times:
            lost += 1
            return False if arrived else None
        return True

    server.hook = lose
    store = BucketStore(URL)
    with store.exclusive():
        store.carry_out([Put("simple/demo/index.json", b"{}")])
    assert lost == times or arrived
    assert pages(Bucket(URL)) == {"simple/demo/index.json": b"{}"}


@pytest.mark.parametrize(
    "answer", [(500, "InternalError"), (403, "AccessDenied"), (401, "InvalidAccessKeyId")]
)
def test_messages_hold_no_credentials(
    server: S3Server, tmp_path: Path, answer: tuple[int, str], capfd: pytest.CaptureFixture[str]
) -> None:
    server.refusal = answer
    make_wheel(tmp_path, WHEEL)
    assert main(["build", str(tmp_path), "--out", URL, "--no-cache"]) == 3
    told = capfd.readouterr()
    assert len(told.err.splitlines()) == 1
    assert f"{answer[0]} {answer[1]}" in told.err
    for secret in (*server.environment.values(), server.url.removeprefix("http://")):
        assert secret in ("true", "us-east-1") or secret not in told.out + told.err


def test_a_server_that_ignores_create_only_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make_wheel(tmp_path, WHEEL)
    with s3_server(keeps_create=False) as state:
        use(state.environment, monkeypatch)
        with pytest.raises(ConditionError, match="If-None-Match"):
            build(URL, tmp_path)
        assert state.objects == {}


@pytest.mark.parametrize("options", [{"keeps_match": False}, {"md5_tags": False}, {}], ids=str)
def test_a_late_page_is_put_right(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, options: dict[str, bool]
) -> None:
    """A publisher is held up between looking at the log and writing; meanwhile another publishes."""
    wheels = [make_wheel(tmp_path, f"demo-{number}.0-py3-none-any.whl") for number in range(3)]
    held, go = threading.Event(), threading.Event()

    def hold(method: str, path: str) -> bool:
        if method == "PUT" and path.endswith("simple/demo/index.json") and not held.is_set():
            held.set()
            go.wait(120)
        return True

    with s3_server(**options) as state:
        use(state.environment, monkeypatch)
        add(URL, wheels[:1])
        state.hook = hold
        slow = threading.Thread(target=add, args=(URL, wheels[1:2]))
        slow.start()
        assert held.wait(120)
        add(URL, wheels[2:])
        newest = pages(Bucket(URL))
        go.set()
        slow.join(120)
        assert pages(Bucket(URL)) == newest
        assert listed(Bucket(URL), "demo") == {wheel.name for wheel in wheels}
        # With `If-Match`, the late page was never visible.
        page = "bucket/some/index/simple/demo/index.json"
        assert (("PUT", page, 412) in state.answers) == state.keeps_match


def test_who_is_late_does_not_write(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A publisher is held up before it looks at the log: it does not even try to write its page."""
    wheels = [make_wheel(tmp_path, f"demo-{number}.0-py3-none-any.whl") for number in range(2)]
    held, go = threading.Event(), threading.Event()

    def hold(method: str, path: str) -> bool:
        if method == "GET" and "/log/pages/" in path and not held.is_set():
            held.set()
            go.wait(120)
        return True

    with s3_server(keeps_match=False) as state:
        use(state.environment, monkeypatch)
        state.hook = hold
        slow = threading.Thread(target=add, args=(URL, wheels[:1]))
        slow.start()
        assert held.wait(120)
        add(URL, wheels[1:])
        state.requests.clear()
        go.set()
        slow.join(120)
        assert not any(method == "PUT" and "/simple/demo/" in path for method, path in state.requests)
        assert listed(Bucket(URL), "demo") == {wheel.name for wheel in wheels}


@pytest.mark.parametrize("options", [{"md5_tags": False}, {}], ids=str)
def test_pages_that_somebody_spoiled_are_put_right(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, options: dict[str, bool]
) -> None:
    with s3_server(**options) as state:
        use(state.environment, monkeypatch)
        build(URL, make_family(tmp_path))
        bucket = Bucket(URL)
        right = pages(bucket)
        bucket.put("simple/vdemo/index.html", b"stale")
        bucket.delete("simple/index.json")
        bucket.put("simple/gone/index.html", b"written late")
        bucket.put("simple/robots.txt", b"not ours")
        build(URL, tmp_path)
        assert pages(bucket) == {**right, "simple/robots.txt": b"not ours"}


def test_two_projects_at_once_are_no_conflict(server: S3Server, tmp_path: Path) -> None:
    make_wheel(tmp_path / "a", "first-1.0-py3-none-any.whl")
    second = make_wheel(tmp_path / "b", "second-1.0-py3-none-any.whl")
    once: list[str] = []

    def overtake(method: str, path: str) -> bool:
        if method == "PUT" and path.endswith("log/000000000001.json") and not once:
            once.append(path)
            add(URL, [second])
        return True

    server.hook = overtake
    build(URL, tmp_path / "a")
    consistent(Bucket(URL))
    assert listed(Bucket(URL), "first")
    assert listed(Bucket(URL), "second")
    assert not server.below("bucket/some/index/log/000000000003")


def test_one_project_at_once_is_planned_again(server: S3Server, tmp_path: Path) -> None:
    wheels = [make_wheel(tmp_path, f"demo-{number}.0-py3-none-any.whl") for number in range(2)]
    store = BucketStore(URL)
    with store.exclusive():
        assert store.page("demo") is None
        add(URL, wheels[:1])
        with pytest.raises(OvertakenError, match="demo"):
            store.carry_out([Put("simple/demo/index.json", b"{}")])
    assert listed(Bucket(URL), "demo") == {wheels[0].name}


def test_a_number_that_is_free_again_publishes_nothing(server: S3Server, tmp_path: Path) -> None:
    """Who was paused for days finds its number free, because old commits are removed."""
    store = BucketStore(URL)
    with store.exclusive():
        for number in range(4):
            make_wheel(tmp_path, f"demo-{number}.0-py3-none-any.whl")
            build(URL, tmp_path, grace=-1)
        newest = pages(Bucket(URL))
        with pytest.raises(OvertakenError):
            store.carry_out([Put("simple/late/index.json", b"{}")])
    assert pages(Bucket(URL)) == newest
    assert len(Bucket(URL).directly_in("log/")) == 2


def test_large_files_are_read_back(server: S3Server, tmp_path: Path) -> None:
    make_wheel(tmp_path, "big-1.0-py3-none-any.whl", files={"big.bin": os.urandom(PART_BYTES + 9)})
    server.spoils_parts = True
    with pytest.raises(BucketError, match="other bytes"):
        build(URL, tmp_path)
    assert not server.below("bucket/some/index/simple")
    assert not any(path.endswith(".whl") for path in server.objects)
    server.spoils_parts = False
    build(URL, tmp_path)
    consistent(Bucket(URL))
    path = next(path for path in server.objects if path.endswith(".whl"))
    content, headers = server.objects[path]
    server.objects[path] = (content[:-1] + b"?", headers)
    build(URL, tmp_path)
    consistent(Bucket(URL))


@pytest.mark.parametrize("size", [10, PART_BYTES + 9])
def test_a_file_that_changes_meanwhile_is_not_published(
    server: S3Server, tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / WHEEL
    source.write_bytes(bytes(size))
    bucket = Bucket(URL)
    kept: list[bytes] = []
    monkeypatch.setattr(bucket, "upload", lambda _, parts: kept.extend(parts))
    with Uploads(bucket, probe(bucket)) as uploads, pytest.raises(SourceChangedError):
        _upload(uploads, Copy("files/demo/0/x.whl", source, "0" * 64, size))
    assert sum(map(len, kept)) < size
    assert server.objects == {}


def test_who_stops_does_not_wait_for_large_files(server: S3Server, tmp_path: Path) -> None:
    """And leaves no parts on the server, which would cost money."""
    content = os.urandom(PART_BYTES) * 12
    (tmp_path / WHEEL).write_bytes(content)
    step = Copy("files/demo/0/x.whl", tmp_path / WHEEL, hashlib.sha256(content).hexdigest(), len(content))
    begun, stopping = threading.Event(), threading.Event()

    def hold(method: str, path: str) -> bool:
        if method == "PUT" and path.endswith("/x.whl"):
            begun.set()
            stopping.wait(60)
        return True

    class Stopping(Uploads):
        def __setattr__(self, name: str, value: object) -> None:
            super().__setattr__(name, value)
            if (name, value) == ("_stopped", True):
                stopping.set()

    bucket = Bucket(URL)
    abilities = probe(bucket)
    server.hook = hold
    with contextlib.suppress(KeyboardInterrupt), Stopping(bucket, abilities) as uploads:
        uploads.add(step)
        assert begun.wait(60)
        raise KeyboardInterrupt
    puts = [path for method, path in server.requests if method == "PUT" and path.endswith("/x.whl")]
    assert 0 < len(puts) < 12
    assert (server.parts, server.below("bucket/some/index/files")) == ({}, {})
    assert ("DELETE", "bucket/some/index/files/demo/0/x.whl") in server.requests


def _upload(uploads: Uploads, step: Copy) -> None:
    uploads.add(step)
    uploads.finish()


def test_pages_of_other_programs_are_left_alone(server: S3Server, tmp_path: Path) -> None:
    make_wheel(tmp_path, WHEEL)
    Bucket(URL).put("simple/demo/index.html", b"by hand")
    before = dict(server.objects)
    with pytest.raises(StoreError, match="another prefix"):
        build(URL, tmp_path)
    assert server.objects == before


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"[" * 100_000,
        b'{"format": 2}',
        b'{"format":1,"number":2,"id":"","previous":"","pages":{},"dropped":{}}',
        b'{"format":1,"number":1,"id":"","previous":"","pages":{"simple/../x/index.html":["%064d","%032d"]},"dropped":{}}'
        % (0, 0),
        b'{"format":1,"number":1,"id":"","previous":"","pages":{"simple/index.html":["0","%032d"]},"dropped":{}}'
        % 0,
        b'{"format":1,"number":1,"id":"","previous":"","pages":{},"dropped":{"simple/a/index.html":0}}',
        b'{"format":1,"number":1,"id":"","previous":"","pages":{},"dropped":{"files/../a":0}}',
    ],
)
def test_a_log_that_is_none_stops_everything(server: S3Server, tmp_path: Path, content: bytes) -> None:
    make_wheel(tmp_path, WHEEL)
    Bucket(URL).put("log/000000000001.json", content)
    before = dict(server.objects)
    with pytest.raises(StoreError):
        build(URL, tmp_path)
    assert server.objects == before


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3://a",
        "s3://bucket/../x",
        "s3://bucket//x",
        "s3://key:secret@bucket/x",
        "gs://bucket/x",
        "s3://B/x",
    ],
)
def test_other_addresses_are_refused_without_repeating_them(url: str, tmp_path: Path) -> None:
    make_wheel(tmp_path, WHEEL)
    done = CliRunner().invoke(command, [str(tmp_path), "--out", url])
    assert isinstance(done.exception, BucketUrlError)
    assert "secret" not in str(done.exception)


def test_without_obstore_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[..., object] = builtins.__import__

    def refuse(name: str, *arguments: object) -> object:
        if name.partition(".")[0] == "obstore":
            raise ModuleNotFoundError(name)
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(BucketUrlError, match=r"pip install 'torch-variant-provider\[index,s3\]'"):
        BucketStore(URL)


@pytest.mark.parametrize(
    ("variable", "value", "remedy"),
    [
        ("AWS_ACCESS_KEY_ID", None, "set both"),
        ("AWS_ALLOW_HTTP", "false", "AWS_ALLOW_HTTP=true"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9", "no connection"),
    ],
)
def test_wrong_settings_are_named(
    server: S3Server, monkeypatch: pytest.MonkeyPatch, variable: str, value: str | None, remedy: str
) -> None:
    monkeypatch.delenv(variable) if value is None else monkeypatch.setenv(variable, value)
    with pytest.raises(BucketError, match=remedy):
        probe(Bucket(URL))


def test_progress_is_told(server: S3Server, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    store = BucketStore(URL, progress=lambda *what: told.append(what))
    build_index([make_family(tmp_path)], store, now=NOW)
    assert {what for what, _, _ in told} == {"uploading", "writing pages"}
    assert told[-1] == ("writing pages", 4, 4)
