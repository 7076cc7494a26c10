"""Pages and documents that lie, change or swell, against a shim in a process of its own."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.variant_index.shim.family import DOCUMENT, LABELS, NAME, SIDECAR, add_family
from tests.variant_index.shim.serving import running_shim
from tests.variant_index.shim.threats.running import shim_process
from tests.variant_index.upstream.fake_index import HTML_TYPE, JSON_TYPE, FakeIndex, Route

PLAIN, CHOSEN = f"{NAME}-2.0-py3-none-any.whl", f"{NAME}-2.0-0_cu128-py3-none-any.whl"
OLDER = f"{NAME}-1.0-py3-none-any.whl"


@pytest.fixture
def index(tmp_path: Path) -> Iterator[FakeIndex]:
    with FakeIndex() as index:
        (tmp_path / "files").mkdir()
        add_family(index, tmp_path / "files")
        yield index


def zeros(coding: str, megabytes: int) -> bytes:
    """Compress zeros to a thousandth of their size."""
    packer = zlib.compressobj(9, wbits=31 if coding == "gzip" else 15)
    block = bytes(1 << 20)
    return b"".join(packer.compress(block) for _ in range(megabytes)) + packer.flush()


def test_bombs_take_no_memory(index: FakeIndex, tmp_path: Path) -> None:
    packed = zeros("gzip", 400)
    bombs = {
        "gzip": ("gzip", packed, JSON_TYPE),
        "html": ("gzip", packed, HTML_TYPE),
        "deflate": ("deflate", zeros("deflate", 400), JSON_TYPE),
        "twice": ("gzip, gzip", gzip.compress(packed), JSON_TYPE),
        "chain": (
            ", ".join(["gzip"] * 5),
            gzip.compress(gzip.compress(gzip.compress(gzip.compress(packed)))),
            JSON_TYPE,
        ),
        # Small, and sound once unpacked: several codings are not what was asked for.
        "small": ("gzip, gzip", gzip.compress(gzip.compress(b'{"files": []}')), JSON_TYPE),
        "long-chain": (", ".join(["gzip"] * 300), b"x", JSON_TYPE),
        "members": ("gzip", gzip.compress(bytes(1 << 20)) * 500, JSON_TYPE),
        "other": ("br", b"x" * 1000, JSON_TYPE),
        "deep": ("gzip", gzip.compress(b'{"files":' + b"[" * 5_000_000), JSON_TYPE),
    }
    for name, (coding, data, kind) in bombs.items():
        index.routes[f"/simple/{name}/"] = Route(data, kind, headers={"Content-Encoding": coding})
    with shim_process(tmp_path, "--index-url", index.url) as shim:
        assert CHOSEN in shim.ask(f"{NAME}/").files()
        before = shim.memory()
        for name in bombs:
            assert shim.ask(f"{name}/").status == 424, name
        # One page may have 64 MB; reading it takes twice that for a moment.
        assert shim.memory("VmHWM") - before < 200_000
        assert CHOSEN in shim.ask(f"{NAME}/").files()
        assert "Traceback" not in shim.said()
        assert all(len(line) < 500 for line in shim.said().splitlines())


def test_a_document_that_swells(index: FakeIndex, tmp_path: Path) -> None:
    bomb = zeros("gzip", 200)
    index.routes[f"/files/{SIDECAR}"] = Route(bomb, headers={"Content-Encoding": "gzip"})
    with shim_process(tmp_path, "--index-url", index.url) as shim:
        before = shim.memory()
        assert set(shim.ask(f"{NAME}/").files()) == {OLDER, PLAIN}
        assert shim.memory("VmHWM") - before < 50_000
        assert "sends more than 1 MB, refused" in shim.said()


def test_a_document_that_changes_between_two_reads(index: FakeIndex) -> None:
    with running_shim(index.url) as shim:
        assert CHOSEN in shim.ask(f"{NAME}/").files()
        # Another document, sound in itself, that makes another wheel the best one.
        other = {**DOCUMENT, "variants": {**LABELS, "cu126": LABELS["cu128"]}}
        index.routes[f"/files/{SIDECAR}"] = Route(json.dumps(other).encode())
        assert set(shim.ask(f"{NAME}/").files()) == {OLDER, PLAIN}
        (warning,) = shim.journal.warnings
        assert "does not have the sha256 that its index lists" in warning


def test_a_page_that_changes_between_two_reads(index: FakeIndex, tmp_path: Path) -> None:
    page = index.routes[f"/simple/{NAME}/"]
    first = Route(page.body, JSON_TYPE, headers={"ETag": '"1"'}, unless=("If-None-Match", '"1"'))
    index.routes[f"/simple/{NAME}/"] = first
    with shim_process(tmp_path, "--index-url", index.url) as shim:
        before = shim.ask(f"{NAME}/")
        assert shim.ask(f"{NAME}/").body == before.body
        assert index.not_modified == 1
        entries = json.loads(page.body)
        entries["files"] = [one for one in entries["files"] if "cu128" not in one["filename"]]
        changed = Route(json.dumps(entries).encode(), JSON_TYPE, headers={"ETag": '"2"'})
        index.routes[f"/simple/{NAME}/"] = changed
        assert f"{NAME}-2.0-0_cu126-py3-none-any.whl" in shim.ask(f"{NAME}/").files()
        # What is gone is gone at once, and an index that is down is no reason to show an old page.
        del index.routes[f"/simple/{NAME}/"]
        assert shim.ask(f"{NAME}/").status == 404
        index.routes[f"/simple/{NAME}/"] = Route(status=500)
        assert shim.ask(f"{NAME}/").status == 424


@pytest.mark.parametrize("form", [JSON_TYPE, HTML_TYPE])
def test_variants_without_a_hash_are_refused(form: str, index: FakeIndex, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    files = [index.add_file(path, hashed=False) for path in sorted((tmp_path / "files").iterdir())]
    index.add_project(NAME, files, form)
    with shim_process(tmp_path, "--index-url", index.url, "--allow-unhashed") as shim:
        assert set(shim.ask(f"{NAME}/").files()) == {OLDER, PLAIN}
        assert "without a SHA-256 hash" in shim.said()


@pytest.mark.parametrize("form", [JSON_TYPE, HTML_TYPE])
def test_files_without_a_hash_are_refused(form: str, index: FakeIndex, tmp_path: Path) -> None:
    plain = [index.add_file(tmp_path / "files" / name, hashed=name == OLDER) for name in (OLDER, PLAIN)]
    index.add_project(NAME, plain, form)
    with shim_process(tmp_path, "--index-url", index.url) as shim:
        assert set(shim.ask(f"{NAME}/").files()) == {OLDER}
        assert f"listed without a hash, so that nothing could check the bytes, and left out: {PLAIN};" in (
            shim.said()
        )
    with shim_process(
        tmp_path, "--index-url", index.url, variables={"VARIANT_INDEX_ALLOW_UNHASHED": "1"}
    ) as shim:
        assert set(shim.ask(f"{NAME}/").files()) == {OLDER, PLAIN}
        assert "without a hash" not in shim.said()


def test_weak_and_broken_hashes_are_none(index: FakeIndex, tmp_path: Path) -> None:
    page = json.loads(index.routes[f"/simple/{NAME}/"].body)
    for hashes in (
        {"md5": "0" * 32},
        {"sha256": "0" * 63},
        {"sha256": 0},
        {"SHA256": "0" * 64},
        {"sha1": "0" * 40},
    ):
        for entry in page["files"]:
            if "cu128" in entry["filename"]:
                entry["hashes"] = hashes
        index.routes[f"/simple/{NAME}/"] = Route(json.dumps(page).encode(), JSON_TYPE)
        with running_shim(index.url) as shim:
            assert CHOSEN not in shim.ask(f"{NAME}/").files()
            assert shim.journal.failures == ()


VERSIONS = {
    "json": (JSON_TYPE, b'{"meta": {"api-version": "%s"}, "name": "json", "files": []}'),
    "html": (
        HTML_TYPE,
        b'<meta name="pypi:repository-version" content="%s"><a href="https://h/html-1.tar.gz">',
    ),
    "odd-html": (HTML_TYPE, b"<META content=%s name=pypi:repository&#45;version>"),
}


@pytest.mark.parametrize("name", VERSIONS)
def test_a_newer_version_of_the_api_is_refused(name: str, index: FakeIndex) -> None:
    """PEP 629, for pages that would be passed on unread too."""
    kind, page = VERSIONS[name]
    for version, status in ((b"1.9", 200), (b"2.0", 424)):
        index.routes[f"/simple/{name}/"] = Route(page % version, kind)
        with running_shim(index.url) as shim:
            answers = [shim.ask(f"{name}/", accept=accept) for accept in (JSON_TYPE, HTML_TYPE, "*/*")]
            assert [answer.status for answer in answers] == [status] * 3
            if status == 424:
                (failure,) = shim.journal.failures
                assert "repository version 2.0 is not supported (1.x is)" in failure
