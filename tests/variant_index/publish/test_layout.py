"""The forms of an index's pages: kept by every change, and right on the hosts that they are for."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.loopback import serving
from tests.making import make_wheel
from tests.variant_index.publish.bucket.conftest import use
from tests.variant_index.publish.bucket.s3_server import S3Server, s3_server
from tests.variant_index.publish.clients import client_environment, installed_file, pip_install, uv_install
from tests.variant_index.publish.family import CU128, make_family, make_variant
from tests.variant_index.publish.folder.crash import consistent_pages, pages
from tests.variant_index.publish.hosts import by_extension, nginx, snippet
from tests.variant_index.upload.sending import running
from variant_index.publish.bucket.object_storage import Bucket
from variant_index.publish.bucket.store import BucketStore
from variant_index.publish.build import build_index
from variant_index.publish.edit import add_files, parse_target, remove, yank
from variant_index.publish.find import FileState
from variant_index.publish.folder.store import FolderStore
from variant_index.publish.layout import FORMS, Layout
from variant_index.publish.plan import Put
from variant_index.publish.reading import Reading
from variant_index.publish.scan import read_files
from variant_index.publish.serve import IndexServer
from variant_index.publish.store import OvertakenError, Store
from variant_index.simple_api.render import JSON_TYPE

NOW = "2026-01-01T00:00:00Z"
LATER = "2026-02-01T00:00:00Z"
MACHINE = {
    "NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION": "13.0",
    "NV_VARIANT_PROVIDER_FORCE_SM_ARCH": "9.0",
}
_LAYOUTS: list[Layout] = ["both", "html", "json"]
_VARIANT_PIP = [
    sys.executable,
    "-c",
    "from variant_index.cli.variant_pip import main; raise SystemExit(main())",
]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    with s3_server() as state:
        use(state.environment, monkeypatch)
        yield state


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return FolderStore(tmp_path / "out", grace=-1)
    request.getfixturevalue("server")
    return BucketStore("s3://bucket/index", grace=-1)


def page_files(store: Store) -> dict[str, bytes]:
    """Return all pages."""
    if isinstance(store, FolderStore):
        return pages(Path(store.title))
    bucket = Bucket(store.title)
    return {one.path: bucket.get(one.path) for one in bucket.all_below("simple/")}


def has_only(store: Store, layout: Layout, projects: set[str]) -> bool:
    folders = {"simple/", *(f"simple/{name}/" for name in projects)}
    return set(page_files(store)) == {f"{folder}{form}" for folder in folders for form in FORMS[layout]}


@pytest.mark.parametrize("layout", ["html", "json"])
def test_every_change_keeps_the_layout(store: Store, tmp_path: Path, layout: Layout) -> None:
    make_family(tmp_path / "in")
    make_wheel(tmp_path / "in", "other-1.0+cu12-py3-none-any.whl")
    build_index([tmp_path / "in"], store, now=NOW, layout=layout)
    assert has_only(store, layout, {"vdemo", "other"})

    cu129 = make_variant(tmp_path / "more", "vdemo-2.0-py3-none-any-cu129.whl", CU128)
    more = make_wheel(tmp_path / "more", "more-1.0-py3-none-any.whl")
    assert not add_files([cu129, more], store, now=LATER).refused
    yank([parse_target("vdemo==1.0")], store, reason='no "good" <1>')
    gone = [parse_target("other==1.0+cu12"), parse_target("vdemo-2.0-py3-none-any-null.whl")]
    remove(gone, store, now=LATER)
    assert has_only(store, layout, {"vdemo", "more"})

    # Nothing is lost on the way: the pages are those that an index of both forms has.
    whole = FolderStore(tmp_path / "whole", grace=-1)
    build_index([tmp_path / "in"], whole, now=NOW)
    add_files([cu129, more], whole, now=LATER)
    yank([parse_target("vdemo==1.0")], whole, reason='no "good" <1>')
    remove(gone, whole, now=LATER)
    assert page_files(store).items() <= page_files(whole).items()

    make_wheel(tmp_path / "in", "vdemo-3.0-py3-none-any.whl")
    build_index([tmp_path / "in"], store, now=LATER)
    build_index([tmp_path / "in"], whole, now=LATER)
    assert has_only(store, layout, {"vdemo", "other"})
    assert page_files(store).items() <= page_files(whole).items()


@pytest.mark.parametrize("command", ["build", "add"])
def test_another_layout_reads_no_wheel_again(store: Store, tmp_path: Path, command: str) -> None:
    make_family(tmp_path / "in")
    make_wheel(tmp_path / "in", "other-1.0-py3-none-any.whl")
    new = make_wheel(tmp_path / "new", "new-1.0-py3-none-any.whl")
    os.utime(new, (1, 1))
    for wheel in (tmp_path / "in").iterdir():
        os.utime(wheel, (1, 1))
    notes = tmp_path / "notes"
    # With links, when a file was made does not count, and nothing has to be slept for.
    build_index([tmp_path / "in"], store, now=NOW, notes=notes, linked=True)
    both = page_files(store)
    read: list[str] = []

    def reader(files: Sequence[FileState], staging: Path | None) -> Iterator[Reading]:
        read.extend(file.name for file in files)
        return read_files(files, staging)

    for layout in (*_LAYOUTS[1:], _LAYOUTS[0]):
        if command == "build":
            build_index(
                [tmp_path / "in"],
                store,
                now=LATER,
                notes=notes,
                reader=reader,
                linked=True,
                layout=layout,
            )
            assert has_only(store, layout, {"vdemo", "other"})
        else:
            add_files([new], store, now=NOW, reader=reader, layout=layout)
            assert has_only(store, layout, {"vdemo", "other", "new"})
    assert set(read) <= {new.name}
    same = {path: page for path, page in page_files(store).items() if path.count("/") == 2}
    assert {path: page for path, page in same.items() if "/new/" not in path} == {
        path: page for path, page in both.items() if path.count("/") == 2
    }


def test_what_is_refused_is_kept_in_the_new_layout(store: Store, tmp_path: Path) -> None:
    make_family(tmp_path / "in")
    bad = make_wheel(tmp_path / "in", "bad-1.0-py3-none-any.whl")
    build_index([tmp_path / "in"], store, now=NOW)
    bad.write_bytes(b"no wheel")
    make_wheel(tmp_path / "in", "new-1.0-py3-none-any.whl")
    assert build_index([tmp_path / "in"], store, now=LATER, layout="html").refused
    assert has_only(store, "html", {"vdemo", "bad", "new"})
    # When nothing at all may be published, nothing changes.
    assert add_files([bad], store, now=LATER, layout="json").refused
    assert has_only(store, "html", {"vdemo", "bad", "new"})


def test_uploads_keep_the_layout_and_are_served(tmp_path: Path) -> None:
    make_family(tmp_path / "in")
    for layout in _LAYOUTS:
        out = tmp_path / layout
        build_index([tmp_path / "in"], out, now=NOW, layout=layout)
        with running(out) as server:
            assert server.upload(make_wheel(tmp_path / "up", "new-1.0-py3-none-any.whl"))[0] == 200
            assert has_only(FolderStore(out), layout, {"vdemo", "new"})
            done = uv_install(server.server.url, "new", tmp_path / f"t-{layout}")
            assert done.returncode == 0, done.stderr
        consistent_pages(out)


@pytest.mark.parametrize(
    ("layout", "accept", "kind"),
    [
        ("html", f"{JSON_TYPE}, text/html;q=0.1", "text/html; charset=utf-8"),
        ("html", "*/*", "text/html; charset=utf-8"),
        ("html", JSON_TYPE, None),
        ("json", f"{JSON_TYPE};q=0.1, text/html", JSON_TYPE),
        ("json", "*/*", JSON_TYPE),
        ("json", "text/html", None),
        ("both", "*/*", "text/html; charset=utf-8"),
        ("both", JSON_TYPE, JSON_TYPE),
    ],
)
def test_what_is_served_is_what_there_is(sites: Path, layout: str, accept: str, kind: str | None) -> None:
    with serving(IndexServer(sites / layout)) as server:
        try:
            request = urllib.request.Request(f"{server.url}vdemo/", headers={"Accept": accept})
            with urllib.request.urlopen(request, timeout=60) as answer:
                assert answer.headers["Content-Type"] == kind
        except urllib.error.HTTPError as error:
            assert (error.code, kind) == (406, None)  # noqa: PT017 -- one of two answers
            error.close()


def test_publishers_of_one_bucket_agree_on_the_layout(server: S3Server, tmp_path: Path) -> None:
    url = "s3://bucket/index"
    add_files([make_wheel(tmp_path, "a-1.0-py3-none-any.whl")], BucketStore(url), now=NOW)
    slow = BucketStore(url)
    with slow.exclusive():
        more = make_wheel(tmp_path, "b-1.0-py3-none-any.whl")
        add_files([more], BucketStore(url), now=NOW, layout="html")
        with pytest.raises(OvertakenError, match="layout"):
            slow.carry_out([Put(f"simple/c/{form}", b"{}") for form in FORMS["both"]])
    assert has_only(BucketStore(url), "html", {"a", "b"})


def test_the_first_publishers_of_a_bucket_agree_on_the_layout(server: S3Server, tmp_path: Path) -> None:
    url = "s3://bucket/index"
    first, second = (make_wheel(tmp_path, f"{name}-1.0-py3-none-any.whl") for name in "ab")
    once: list[str] = []

    def overtake(method: str, path: str) -> bool:
        if method == "PUT" and path.endswith("log/000000000001.json") and not once:
            once.append(path)
            add_files([second], BucketStore(url), now=NOW, layout="html")
        return True

    server.hook = overtake
    add_files([first], BucketStore(url), now=NOW)
    assert has_only(BucketStore(url), "html", {"a", "b"})


# The rest is with real hosts.


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sites")
    make_family(folder / "in", "vdemo")
    make_wheel(folder / "in", "local-1.0+cu12-py3-none-any.whl")
    for layout in _LAYOUTS:
        assert not build_index([folder / "in"], folder / layout, now=NOW, layout=layout).refused
    return folder


@pytest.fixture(params=["nginx both", "nginx html", "nginx json", "extension both", "extension html"])
def index(request: pytest.FixtureRequest, sites: Path) -> Iterator[str]:
    kind, layout = request.param.split()
    with ExitStack() as stack:
        if kind == "nginx":
            config = snippet("publishing.md", "* **nginx**")
            for old, new in (
                ("root /srv/site;", f"root {sites / layout};"),
                ("server {", "server { listen 127.0.0.1:PORT0;"),
            ):
                assert config.count(old) == 1
                config = config.replace(old, new)
            (address,) = stack.enter_context(nginx(config))
        else:
            address = stack.enter_context(by_extension(sites / layout))
        yield f"{address}/simple/"


def test_installers_on_hosts(index: str, tmp_path: Path) -> None:
    plain, ours = "vdemo-2.0-py3-none-any.whl", "vdemo-2.0-py3-none-any-cu130.whl"
    done = pip_install(index, "vdemo", tmp_path / "pip")
    assert done.returncode == 0, done.stderr
    assert installed_file(tmp_path / "pip", "vdemo") == plain
    for number, (requirement, options, expected) in enumerate(
        [
            ("vdemo", ("--exclude-newer", "2026-01-02T00:00:00Z"), plain),
            ("local", (), "local-1.0+cu12-py3-none-any.whl"),
            ("vdemo", ("--preview-features", "wheel-variants"), ours),
        ]
    ):
        folder = tmp_path / f"uv{number}"
        done = uv_install(index, requirement, folder, *options, extra=MACHINE)
        assert done.returncode == 0, done.stderr
        assert installed_file(folder, requirement) == expected
    done = subprocess.run(
        [*_VARIANT_PIP, "install", "--target", "ours", "vdemo", "-i", index],
        cwd=tmp_path,
        env=client_environment(tmp_path, MACHINE),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert installed_file(tmp_path / "ours", "vdemo") == ours
