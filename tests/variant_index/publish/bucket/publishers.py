"""Publishers in processes of their own, and what an index in a bucket has to be like."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from urllib.parse import unquote

from variant_index.model.document import parse_document
from variant_index.model.filename import SIDECAR_SUFFIX, WheelFilename, sidecar_filename
from variant_index.publish.bucket.object_storage import Bucket
from variant_index.publish.bucket.store import BucketStore
from variant_index.publish.build import build_index
from variant_index.publish.edit import add_files
from variant_index.simple_api.parse import parse_page
from variant_index.simple_api.render import HTML_TYPE, JSON_TYPE

__all__ = ["NOW", "add", "build", "consistent", "listed", "pages", "start"]

NOW = "2026-01-01T00:00:00Z"

_BASE = "http://localhost/"


def build(url: str, folder: Path, grace: int = 3600) -> None:
    """Make the index list what is in a folder."""
    assert not build_index([folder], BucketStore(url, grace=grace), now=NOW).refused


def add(url: str, paths: Sequence[Path]) -> None:
    """Add files to the index."""
    assert not add_files(paths, BucketStore(url), now=NOW).refused


_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([__name__])


def start(what: str, url: str, paths: Sequence[Path], environment: Mapping[str, str]) -> ForkServerProcess:
    """Begin to `build` or `add` in another process."""
    process = _processes.Process(target=_run, args=(what, url, list(paths), dict(environment)))
    process.start()
    return process


def _run(what: str, url: str, paths: list[Path], environment: dict[str, str]) -> None:
    os.environ.update(environment)
    if what == "add":
        add(url, paths)
    else:
        build(url, paths[0])


def pages(bucket: Bucket) -> dict[str, bytes]:
    """Return every page."""
    return {stored.path: bucket.get(stored.path) for stored in bucket.all_below("simple/")}


def listed(bucket: Bucket, name: str) -> set[str]:
    """Return the names of the files that a project's page lists."""
    content = bucket.get(f"simple/{name}/index.json")
    return {file.filename for file in parse_page(content, JSON_TYPE, f"{_BASE}simple/{name}/", name).files}


def consistent(bucket: Bucket) -> None:
    """Assert that every file that a page names is there, with its hash, and the root page names all."""
    found = pages(bucket)
    names = {path.split("/")[1] for path in found if path.count("/") == 2}
    for path, content in found.items():
        kind = JSON_TYPE if path.endswith(".json") else HTML_TYPE
        name = path.split("/")[1]
        if path.count("/") == 1:
            assert all(f'"{name}"'.encode() in content or f">{name}<".encode() in content for name in names)
            continue
        check_page(bucket, content, kind, name)


def check_page(bucket: Bucket, content: bytes, kind: str, name: str) -> int:
    """Assert that every file of a page is there with its hash, and return how many there are.

    Also that its sidecars are of its own state: they describe the variant wheels that the page lists.
    """
    page = parse_page(content, kind, f"{_BASE}simple/{name}/", name)
    assert not page.problems
    labels: dict[str, set[str]] = {}
    described: dict[str, set[str]] = {}
    for file in page.files:
        path = unquote(file.url.removeprefix(_BASE))
        data = bucket.get(path)
        assert hashlib.sha256(data).hexdigest() == file.hashes["sha256"]
        if isinstance(file.core_metadata, dict):
            digest = hashlib.sha256(bucket.get(f"{path}.metadata")).hexdigest()
            assert digest == file.core_metadata["sha256"]
        if file.filename.endswith(SIDECAR_SUFFIX):
            described[file.filename] = {*parse_document(data, file.filename).variants}
        elif file.filename.endswith(".whl") and (wheel := WheelFilename.parse(file.filename)).label:
            labels.setdefault(sidecar_filename(wheel.name, wheel.version), set()).add(wheel.label)
    assert described == labels
    return len(page.files)
