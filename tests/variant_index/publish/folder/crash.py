"""Ends or disturbs a build at the n-th change that it makes to the file system, whatever makes it.

Python tells audit hooks before each call that changes a file system; writing to a descriptor and our own
two system calls are wrapped. What a SIGKILL leaves is then what it would leave anywhere between two calls.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import pytest

from variant_index.check.root_page import parse_root
from variant_index.publish.folder import exchange
from variant_index.simple_api.parse import parse_page
from variant_index.simple_api.render import HTML_TYPE, JSON_TYPE
from variant_index.upstream.page import RawPage

__all__ = ["Disturbance", "consistent_pages", "copy_index", "in_child", "pages"]

_EVENTS = {
    "os.rename",
    "os.remove",
    "os.mkdir",
    "os.rmdir",
    "os.link",
    "os.symlink",
    "os.truncate",
    "shutil.rmtree",
}


_armed: list[Disturbance | None] = []
"""The last one counts."""


class Disturbance:
    """Calls `action` before the n-th change below a folder; counts from 1."""

    def __init__(self, folder: Path, number: int, action: Callable[[], object]) -> None:
        self._folder = str(folder)
        self._number = number
        self._action = action
        self._seen = 0

    @property
    def reached(self) -> bool:
        return self._seen >= self._number

    def start(self, monkeypatch: pytest.MonkeyPatch | None = None) -> None:
        """Begin; it ends with `stop`."""
        patch = monkeypatch.setattr if monkeypatch is not None else setattr
        calls = ("exchange", "flush", "flush_folders")
        for module, name in ((os, "write"), *((exchange, name) for name in calls)):
            patch(module, name, self._before(getattr(module, name)))
        if not _armed:
            sys.addaudithook(_hook)
        _armed.append(self)

    def stop(self) -> None:
        """Do nothing from now on: a hook cannot be removed."""
        _armed.append(None)

    def _before(self, call: Callable[..., object]) -> Callable[..., object]:
        def wrapped(*arguments: object) -> object:
            self._count()
            return call(*arguments)

        return wrapped

    def hook(self, event: str, arguments: tuple[object, ...]) -> None:
        """Count one event of Python's that changes the folder."""
        if event not in _EVENTS and event != "open":
            return
        if event == "open":
            flags = arguments[2]
            if not isinstance(flags, int) or not flags & (os.O_CREAT | os.O_TRUNC):
                return
        path = arguments[0]
        if isinstance(path, (str, bytes, os.PathLike)) and os.fsdecode(path).startswith(self._folder):
            self._count()

    def _count(self) -> None:
        self._seen += 1
        if self._seen == self._number:
            self._action()


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if (disturbance := _armed[-1]) is not None:
        disturbance.hook(event, arguments)


def in_child(out: Path, number: int, build: Callable[[], object]) -> bool:
    """Build in a child that is killed before its n-th change to `out`; return whether it got there."""
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(30)
            Disturbance(out, number, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
            build()
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def pages(out: Path) -> dict[str, bytes]:
    """Return every page of an index."""
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in (out / "simple").rglob("*")
        if path.is_file()
    }


def consistent_pages(out: Path, *, root: bool = True) -> None:
    """Assert that every page and file that a page names is there, files with their hashes."""
    base = "http://localhost/"
    for form in ("json", "html") if root else ():
        place = out / "simple" / f"index.{form}"
        names = (
            parse_root(RawPage("", JSON_TYPE if form == "json" else HTML_TYPE, place.read_bytes()))
            if place.exists()
            else []
        )
        assert all((out / "simple" / name / f"index.{form}").exists() for name in names)
    for path in (out / "simple").glob("*/index.*"):
        kind = JSON_TYPE if path.suffix == ".json" else HTML_TYPE
        page = parse_page(path.read_bytes(), kind, f"{base}simple/{path.parent.name}/", path.parent.name)
        assert not page.problems
        for file in page.files:
            place = out / unquote(file.url.removeprefix(base))
            assert hashlib.sha256(place.read_bytes()).hexdigest() == file.hashes["sha256"]
            if isinstance(file.core_metadata, dict):
                data = place.with_name(f"{place.name}.metadata").read_bytes()
                assert hashlib.sha256(data).hexdigest() == file.core_metadata["sha256"]


def copy_index(source: Path, target: Path) -> Path:
    """Copy an index, as a restored backup would be: with the same times."""
    shutil.rmtree(target, ignore_errors=True)
    if source.exists():
        shutil.copytree(source, target)
    return target
