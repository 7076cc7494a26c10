"""Prepares new pages beside the old ones in a folder, and switches to them (see `store.py`)."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from variant_index.publish.folder import exchange
from variant_index.publish.plan import PAGES

__all__ = ["PART", "Staging", "finish_switch", "write"]

PART = ".part-"
"""How the names of unfinished files and folders begin; the server never serves them."""

_SWITCHING = ".switching"
_GONE = "gone"
_ROOT = PAGES.rstrip("/")


class Staging:
    """A folder for what is not yet part of the index; gone when the block ends.

    Attributes:
        switched: whether the switch has begun: then it has happened, or the next run finishes it.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self._folder = out / _part()
        self._pages: set[str] = set()
        self._gone: set[str] = set()
        self._parts = 0
        self._latest = ("", False)
        self.switched = False

    def __enter__(self) -> Staging:
        (self._folder / _ROOT).mkdir(parents=True)
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def changed(self) -> bool:
        """Whether anything would differ after the switch."""
        return bool(self._pages or self._gone)

    def is_new(self, folder: str) -> bool:
        """Tell whether a folder was not there when it was first asked for: then no file in it is older."""
        if self._latest[0] != folder:
            self._latest = folder, not Path(folder).exists()
        return self._latest[1]

    @contextlib.contextmanager
    def writing(self, place: Path) -> Iterator[int]:
        """Open a new file that appears at `place`, complete, when the block ends well.

        Its mode follows the umask, so that another user's web server can read it.
        """
        self._parts += 1
        part = self._folder / str(self._parts)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        try:
            try:
                yield descriptor
            finally:
                os.close(descriptor)
            self.move(part, str(place))
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink()
            raise

    def move(self, part: Path, place: str) -> None:
        """Move a complete file to its place."""
        try:
            os.replace(part, place)  # noqa: PTH105 -- a Path each would double the time
        except FileNotFoundError:
            Path(place).parent.mkdir(parents=True, exist_ok=True)
            part.replace(place)

    def put(self, path: str, content: bytes) -> bool:
        """Prepare a page, and tell whether it differs from the one that is published."""
        self._gone.discard(path)
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            if (self._out / path).read_bytes() == content:
                return False
        place = self._folder / path
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
        try:
            target = os.open(place, flags, 0o666)
        except FileNotFoundError:
            place.parent.mkdir(parents=True, exist_ok=True)
            target = os.open(place, flags, 0o666)
        try:
            write(target, content, self._out / path)
        finally:
            os.close(target)
        self._pages.add(path)
        return True

    def remove(self, path: str) -> bool:
        """Prepare to remove a page, and tell whether there is one."""
        if not (self._out / path).exists():
            return False
        self._gone.add(path)
        return True

    def switch(self) -> None:
        """Make the prepared pages those of the index, all at once where the system can do that.

        Raises:
            OSError: they are not; unless the switch had begun, nothing has changed.
        """
        new, old = self._folder / _ROOT, self._out / _ROOT
        if not old.exists():
            exchange.flush(self._out)
            new.rename(old)
            self.switched = True
        else:
            project = self._single_project()
            new, old = (new / project, old / project) if project else (new, old)
            self._link(old, new, f"{PAGES}{project}/" if project else PAGES)
            exchange.flush(self._out)
            if exchange.exchange(new, old):
                self.switched = True
            else:
                self._begin_moving()
                self.switched = True
                finish_switch(self._out)
                exchange.flush(self._out)
                return
        # All else is on the disk already: what others write on it meanwhile need not be waited for.
        exchange.flush_folders(new.parent, old.parent)

    def _single_project(self) -> str | None:
        """Return the project whose pages are the only ones to change, and stay; None otherwise."""
        folders = {path.removeprefix(PAGES).rpartition("/")[0] for path in (*self._pages, *self._gone)}
        if len(folders) != 1 or self._gone:
            return None
        (name,) = folders
        return name if name and (self._out / PAGES / name).is_dir() else None

    def _link(self, old: Path, new: Path, prefix: str) -> None:
        """Give the new folder the pages that stay, as hard links where the file system has them."""
        with os.scandir(old) as entries:
            for entry in entries:
                path = f"{prefix}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    self._link(old / entry.name, new / entry.name, f"{path}/")
                elif path not in self._pages and path not in self._gone:
                    _link_or_copy(entry.path, new / entry.name)

    def _begin_moving(self) -> None:
        """Note what is to happen, in one step; from here on it will happen, if need be in the next run."""
        gone = self._folder / _GONE
        with gone.open("wb", buffering=0) as file:
            write(file.fileno(), "\n".join(sorted(self._gone)).encode(), self._out / _SWITCHING)
        exchange.flush(self._out)
        self._folder.rename(self._out / _SWITCHING)


def finish_switch(out: Path) -> None:
    """Move pages into the index one by one, where a switch that cannot be done in one step has begun.

    Raises:
        OSError: a page cannot be moved; run again.
    """
    folder = out / _SWITCHING
    if not folder.is_dir():
        return
    pages = [path for path in (folder / _ROOT).rglob("*") if not path.is_dir()]
    # Projects before the root page, which names them.
    for page in sorted(pages, key=lambda path: (-len(path.parts), path)):
        place = out / page.relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        page.replace(place)
    for line in (folder / _GONE).read_text(encoding="utf-8").splitlines():
        (out / line).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            (out / line).parent.rmdir()
    done = out / _part()
    folder.rename(done)  # in one step: half of the folder would look like another switch
    shutil.rmtree(done, ignore_errors=True)


def _part() -> str:
    return f"{PART}{secrets.token_hex(8)}"


def write(target: int, data: bytes, place: Path) -> None:
    """Write all of `data`; an error names `place`, because a descriptor has no name of its own.

    Raises:
        OSError: not everything could be written.
    """
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(target, view) :]
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(place)) from None


def _link_or_copy(old: str, new: Path) -> None:
    if not new.parent.is_dir():
        new.parent.mkdir(parents=True)
    try:
        os.link(old, new, follow_symlinks=False)
    except OSError:  # a file system without hard links, or a page with too many of them
        shutil.copy2(old, new, follow_symlinks=False)
