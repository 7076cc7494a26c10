"""Publishing to a real server, Ceph's object gateway."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import signal
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Literal

import pytest

from tests.ceph import Gateway
from tests.making import make_wheel
from tests.variant_index.publish.bucket.proxy import proxy
from tests.variant_index.publish.bucket.publishers import (
    NOW,
    build,
    check_page,
    consistent,
    listed,
    pages,
    start,
)
from tests.variant_index.publish.clients import installed_file, pip_install, uv_install
from tests.variant_index.publish.family import CU128, make_family, make_variant
from tests.variant_index.publish.test_provenance import attest
from variant_index.publish.bucket.object_storage import PART_BYTES, Bucket
from variant_index.publish.bucket.probe import probe
from variant_index.publish.bucket.store import BucketStore
from variant_index.publish.build import build_index
from variant_index.publish.edit import add_files, parse_target, yank
from variant_index.simple_api.parse import parse_page
from variant_index.simple_api.render import HTML_TYPE, JSON_TYPE

pytestmark = pytest.mark.object_storage


def test_conditions(url: str) -> None:
    """The table of what this server does, on which everything else is built."""
    bucket = Bucket(url)
    assert bucket.create("log/a", b"first")
    assert not bucket.create("log/a", b"second")
    assert bucket.get("log/a") == b"first"
    tag = hashlib.md5(b"first").hexdigest()
    assert bucket.head("log/a").tag == f'"{tag}"'  # type: ignore[union-attr]
    assert not bucket.replace("log/a", b"third", '"0"')
    assert not bucket.replace("log/a", b"third", f'"{tag}"'), "this server understands quoted tags now"
    assert bucket.replace("log/a", b"third", tag)
    assert not bucket.replace("log/none", b"third", tag)
    abilities = probe(bucket)
    assert abilities.bare_tags
    assert abilities.md5_tags
    assert abs(abilities.now() - time.time()) < 60
    assert [stored.path for stored in bucket.directly_in("log/")] == ["log/a"]


def test_of_eight_creators_one_wins(url: str) -> None:
    bucket = Bucket(url)
    with ThreadPoolExecutor(8) as pool:
        for number in range(20):
            won = pool.map(lambda who, path=f"log/{number}": bucket.create(path, b"%d" % who), range(8))
            assert sum(won) == 1


def test_what_readers_are_told(ceph: Gateway, url: str, tmp_path: Path) -> None:
    build(url, make_family(tmp_path))
    bucket = Bucket(url)
    seen = {}
    for stored in bucket.all_below(""):
        address = f"{ceph.url}/{url.removeprefix('s3://')}/{stored.path}"
        with urllib.request.urlopen(address, timeout=60) as answer:
            kind, cached = answer.headers["Content-Type"], answer.headers["Cache-Control"]
        seen[stored.path.split("/")[0], stored.path.rpartition(".")[2]] = (kind, cached)
    forever = "public, max-age=31536000, immutable"
    assert seen["files", "whl"] == ("application/octet-stream", forever)
    assert seen["files", "metadata"] == ("text/plain; charset=utf-8", forever)
    assert seen["files", "json"] == ("application/json", forever)
    assert seen["simple", "json"] == (JSON_TYPE, "no-cache")
    assert seen["simple", "html"] == ("text/html; charset=utf-8", "no-cache")
    assert seen["log", "json"][1] == "no-cache"


def test_large_files_arrive(url: str, tmp_path: Path) -> None:
    noise = random.Random(1).randbytes(2 * PART_BYTES + 5)
    make_wheel(tmp_path, "big-1.0+cu12-py3-none-any.whl", files={"big.bin": noise})
    build(url, tmp_path)
    consistent(Bucket(url))


@pytest.mark.parametrize("same", [True, False], ids=["one project", "eight projects"])
def test_eight_publishers_at_once(ceph: Gateway, url: str, tmp_path: Path, same: bool) -> None:
    names = [
        f"demo-{number}.0-py3-none-any.whl" if same else f"demo{number}-1.0-py3-none-any.whl"
        for number in range(8)
    ]
    wheels = [make_wheel(tmp_path, name) for name in names]
    processes = [start("add", url, [wheel], ceph.environment) for wheel in wheels]
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * 8
    bucket = Bucket(url)
    consistent(bucket)
    projects = {name.split("-")[0] for name in names}
    assert {name for project in projects for name in listed(bucket, project)} == set(names)


def test_publishers_killed_at_random_requests(ceph: Gateway, url: str, tmp_path: Path) -> None:
    """Half of them before the request reaches the server, half after it was done.

    `test_store.py` does that at every request, with a server that takes less time.
    """
    make_family(tmp_path / "old")
    make_wheel(tmp_path / "old", "gone-1.0-py3-none-any.whl")
    make_family(tmp_path / "new")
    make_wheel(tmp_path / "new", "other-1.0-py3-none-any.whl")
    make_variant(tmp_path / "new", "vdemo-2.0-py3-none-any-cu129.whl", CU128)
    build(url, tmp_path / "new")
    wanted = pages(Bucket(url))
    build(url, tmp_path / "old")
    with proxy(ceph.url) as between, ThreadPoolExecutor(4) as pool:
        build(f"{url}/dry", tmp_path / "old")
        process = start("build", f"{url}/dry", [tmp_path / "new"], _through(ceph, between.url))
        process.join(120)
        total = between.count
    wanted = pages(Bucket(f"{url}/dry"))
    assert total > 40

    def kill_at(number: int) -> None:
        place = f"{url}/{number}"
        build(place, tmp_path / "old")
        old = pages(Bucket(place))
        with proxy(ceph.url) as between:
            process = start("build", place, [tmp_path / "new"], _through(ceph, between.url))

            def kill(count: int, method: str, path: str) -> bool:
                if count != number + 1:
                    return True
                if number % 2:
                    os.kill(process.pid or 0, signal.SIGKILL)
                    time.sleep(0.05)
                    return True
                threading.Timer(0.02, os.kill, [process.pid, signal.SIGKILL]).start()
                return False

            between.hook = kill
            process.join(120)
            assert process.exitcode in (0, -signal.SIGKILL)
        bucket = Bucket(place)
        for path, content in pages(bucket).items():
            assert content in (old.get(path), wanted.get(path)), path
        for path, content in pages(bucket).items():
            if path.count("/") == 2 and path.endswith(".json"):
                check_page(bucket, content, JSON_TYPE, path.split("/")[1])
        build(place, tmp_path / "new")
        assert pages(bucket) == wanted

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(kill_at, random.sample(range(8, total), 8)))


def test_eight_publishers_of_which_most_are_killed(ceph: Gateway, url: str, tmp_path: Path) -> None:
    """Killed or suspended at random moments, and started again until each has published."""
    wheels = [make_wheel(tmp_path, f"demo{n % 3}-{n}.0-py3-none-any.whl") for n in range(8)]
    todo = wheels
    for attempt in range(4):
        running = [(wheel, start("add", url, [wheel], ceph.environment)) for wheel in todo]
        if attempt < 2:
            time.sleep(random.uniform(0.3, 1.5))
            for number, (_, process) in enumerate(random.sample(running, len(running) * 2 // 3)):
                _signal(process, signal.SIGKILL if number % 3 else signal.SIGSTOP)
            time.sleep(random.uniform(0.2, 1))
            for _, process in running:
                _signal(process, signal.SIGCONT)
        for _, process in running:
            process.join(120)
            assert process.exitcode in (0, -signal.SIGKILL)
        todo = [wheel for wheel, process in running if process.exitcode != 0]
        if not todo:
            break
    assert not todo
    bucket = Bucket(url)
    consistent(bucket)
    assert {name for n in range(3) for name in listed(bucket, f"demo{n}")} == {wheel.name for wheel in wheels}


def _signal(process: ForkServerProcess, number: int) -> None:
    if process.is_alive() and process.pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)


def _through(ceph: Gateway, address: str) -> dict[str, str]:
    return {**ceph.environment, "AWS_ENDPOINT_URL": address}


def test_a_paused_publisher_overwrites_nothing(ceph: Gateway, url: str, tmp_path: Path) -> None:
    """It is held up with its page on the way; meanwhile others finish its commit, and publish two more."""
    first, second, third = (make_wheel(tmp_path, f"demo-{number}.0-py3-none-any.whl") for number in range(3))
    held, go = threading.Event(), threading.Event()

    def hold(count: int, method: str, path: str) -> bool:
        if method == "PUT" and "/simple/demo/" in path:
            held.set()
            go.wait(120)
        return True

    with proxy(ceph.url) as between:
        between.hook = hold
        slow = start("add", url, [first], _through(ceph, between.url))
        assert held.wait(120)
        for wheel in (second, third):
            other = start("add", url, [wheel], ceph.environment)
            other.join(120)
            assert other.exitcode == 0
        newest = pages(Bucket(url))
        assert listed(Bucket(url), "demo") == {first.name, second.name, third.name}
        go.set()
        slow.join(120)
        assert slow.exitcode == 0
    assert pages(Bucket(url)) == newest


def test_readers_never_meet_a_page_without_its_files(ceph: Gateway, url: str, tmp_path: Path) -> None:
    make_family(tmp_path / "a")
    make_family(tmp_path / "b")
    make_variant(tmp_path / "b", "vdemo-2.0-py3-none-any-cu129.whl", CU128)
    build(url, tmp_path / "a")
    bucket = Bucket(url)
    stop = threading.Event()
    sizes: list[int] = []
    problems: list[BaseException] = []

    def read() -> None:
        while not stop.is_set():
            try:
                content = bucket.get("simple/vdemo/index.json")
                sizes.append(check_page(bucket, content, JSON_TYPE, "vdemo"))
            except BaseException as error:  # noqa: BLE001, PERF203 -- it fails the test
                problems.append(error)
                return

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for number in range(5):
            process = start("build", url, [tmp_path / "ba"[number % 2]], ceph.environment)
            process.join(120)
            assert process.exitcode == 0
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert problems == []
    assert set(sizes) == {6, 7}


@pytest.mark.parametrize("layout", ["html", "json"])
def test_layouts_and_provenance(
    ceph: Gateway, url: str, tmp_path: Path, layout: Literal["html", "json"]
) -> None:
    """As from a bucket whose web site shows the one form of pages that is there."""
    bucket_name = f"pages-{layout}"
    ceph.make_bucket(bucket_name, f"index.{layout}")
    url = f"s3://{bucket_name}/site"
    family = make_family(tmp_path / "in")
    attested = family / "vdemo-2.0-py3-none-any-cu130.whl"
    alone = attest(attested, alone=True)
    late = make_variant(tmp_path / "late", "vdemo-2.0-py3-none-any-cu129.whl", CU128)
    base = "https://wheels.example/site"
    assert not build_index([family], BucketStore(url), now=NOW, layout=layout, base_url=base).refused
    assert not add_files([late], BucketStore(url, grace=-1), now=NOW, base_url=base).refused
    yank([parse_target(late.name)], BucketStore(url, grace=-1))

    bucket = Bucket(url)
    assert set(pages(bucket)) == {f"simple/index.{layout}", f"simple/vdemo/index.{layout}"}
    kind = HTML_TYPE if layout == "html" else JSON_TYPE
    page = parse_page(bucket.get(f"simple/vdemo/index.{layout}"), kind, f"{base}/simple/vdemo/", "vdemo")
    assert {file.filename for file in page.files if file.yanked} == {late.name}
    ((name, address),) = [(file.filename, file.provenance) for file in page.files if file.provenance]
    assert name == attested.name
    with urllib.request.urlopen(
        f"{ceph.url}/{bucket_name}/site{address.removeprefix(base)}", timeout=60
    ) as answer:
        (bundle,) = json.load(answer)["attestation_bundles"]
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert bundle["attestations"] == [json.loads(alone.read_bytes())]

    with proxy(ceph.url, f"{bucket_name}.localhost") as site:
        index = f"{site.url}/site/simple/"
        done = pip_install(index, "vdemo", tmp_path / "pip")
        assert done.returncode == 0, done.stderr
        assert installed_file(tmp_path / "pip", "vdemo") == "vdemo-2.0-py3-none-any.whl"
        done = uv_install(index, "vdemo", tmp_path / "uv", "--exclude-newer", "2026-06-01")
        assert done.returncode == 0, done.stderr
        assert installed_file(tmp_path / "uv", "vdemo") == "vdemo-2.0-py3-none-any.whl"


def test_pip_and_uv_install_from_the_bucket(ceph: Gateway, url: str, tmp_path: Path) -> None:
    """As from any bucket that is a web site; links lead to the files, local versions included."""
    make_family(tmp_path / "in")
    make_wheel(tmp_path / "in", "other-1.0+cu12-py3-none-any.whl")
    build(url, tmp_path / "in")
    with proxy(ceph.url, "wheels.localhost") as site:
        index = f"{site.url}/{url.rpartition('/')[2]}/simple/"
        done = pip_install(index, "vdemo", tmp_path / "pip")
        assert done.returncode == 0, done.stderr
        assert installed_file(tmp_path / "pip", "vdemo") == "vdemo-2.0-py3-none-any.whl"
        done = pip_install(index, "other", tmp_path / "pip2")
        assert done.returncode == 0, done.stderr
        done = uv_install(index, "vdemo", tmp_path / "uv", "--exclude-newer", "2026-06-01")
        assert done.returncode == 0, done.stderr
        assert installed_file(tmp_path / "uv", "vdemo") == "vdemo-2.0-py3-none-any.whl"
        machine = {
            "NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION": "13.0",
            "NV_VARIANT_PROVIDER_FORCE_SM_ARCH": "9.0",
        }
        preview = ("--preview-features", "wheel-variants")
        done = uv_install(index, "vdemo", tmp_path / "uv2", *preview, extra=machine)
        assert done.returncode == 0, done.stderr
        assert installed_file(tmp_path / "uv2", "vdemo") == "vdemo-2.0-py3-none-any-cu130.whl"
