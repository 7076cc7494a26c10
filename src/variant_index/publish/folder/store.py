"""An index in a folder, switched in one step.

Files never change (see `plan.py`), so they are simply written: nobody reads them before a page names
them. Only pages have to change together. The new `simple` folder is built
beside the old one, out of hard links to the pages that stay and the new pages, and the two are exchanged
by one system call; when a single project changes and the root page does not, that project's folder alone
is exchanged. Whoever opens a page meets the old index or the new one. Compared with the usual symbolic
link to a generation, `simple` stays an ordinary folder: servers that do not follow links serve it, and a
copy of the index, made with any tool, is an index.

Where the system or the file system cannot exchange folders (Windows, some network file systems), the new
pages are moved over the old ones one by one, in an order in which no page names what is not there. Once
that has begun, a killed run's work is finished by the next.

    OUT/files/...               never changes
    OUT/simple/...              pages
    OUT/.part-*                 unfinished, cleared by the next publisher
    OUT/.created                files that the run at work has made: not listed yet
    OUT/.dropped                files that no page names, with the time; removed after a grace period
    OUT/.switching              pages on their way into `simple`, where folders cannot be exchanged

Everything that was written is flushed to the disk before the switch.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from variant_index.errors import printable
from variant_index.publish.folder.dropped import DroppedFiles
from variant_index.publish.folder.staging import PART, Staging, finish_switch, write
from variant_index.publish.layout import HTML_PAGE, JSON_PAGE, Layout, layout_of
from variant_index.publish.lock import lock_folder
from variant_index.publish.plan import FILES, PAGES, Copy, Delete, Step, listed_paths, page_paths
from variant_index.publish.published_page import read_published_page
from variant_index.publish.reading import file_sha256
from variant_index.publish.store import OnStep, SourceChangedError, StoreError
from variant_index.simple_api.page import ProjectPage
from variant_index.simple_api.render import render_html

__all__ = ["GRACE_SECONDS", "FolderStore"]

GRACE_SECONDS = 3600
"""How long a file stays that no page names any more: readers of the old pages may still come for it."""


class FolderStore:
    """See `Store`."""

    def __init__(self, out: Path, *, grace: int = GRACE_SECONDS) -> None:
        """Publish into a folder, which is made when missing.

        Args:
            out: the index's folder.
            grace: seconds that a file stays after the last page stopped naming it.
        """
        self._out = out
        self._grace = grace
        self._dropped = DroppedFiles(out)

    @property
    def title(self) -> str:
        """The folder."""
        return str(self._out)

    @property
    def scratch(self) -> Path:
        """The folder itself: wheels may be too large for the system's temporary folder."""
        return self._out

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep other builds out of the folder, and finish or clear away what a killed one left there.

        The lock is on the folder itself and ends with the process, so nothing can go stale.

        Raises:
            StoreError: another build is writing there.
            OSError: the folder cannot be made or opened.
        """
        with lock_folder(self._out, "another build"):
            self._recover()
            yield

    def _recover(self) -> None:
        finish_switch(self._out)
        for left in self._out.glob(f"{PART}*"):
            with contextlib.suppress(OSError):
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        self._dropped.recover(int(time.time()))

    def stamps(self) -> Mapping[str, str]:
        """See `Store`."""
        stamps: dict[str, str] = {}
        try:
            with os.scandir(self._out / PAGES) as entries:
                for entry in entries:
                    if entry.is_dir() and (stamp := _stamp(entry.path)):
                        stamps[entry.name] = stamp
        except FileNotFoundError:
            pass
        return stamps

    def layout(self) -> Layout | None:
        """See `Store`."""
        root = self._out / PAGES
        return layout_of([form for form in (HTML_PAGE, JSON_PAGE) if (root / form).is_file()])

    def page(self, name: str) -> ProjectPage | None:
        """See `Store`."""
        html, json = page_paths(name)
        damage: StoreError | None = None
        for path in [html] if self.layout() == "html" else [json, html]:
            place = self._out / path
            try:
                content = place.read_bytes()
                page = read_published_page(content, name, str(place))
            except FileNotFoundError:
                continue
            except StoreError as error:
                damage = damage or error
                continue
            # Either form says everything. Almost anything passes for HTML, so instead of a damaged page it
            # must be exactly what we would have written.
            if damage is None or render_html(page) == content:
                return page
        if damage is not None:
            raise damage
        return None

    def read(self, path: str) -> bytes:
        """See `Store`."""
        return (self._out / path).read_bytes()

    def carry_out(self, steps: Iterable[Step], on_step: OnStep | None = None) -> None:
        """See `Store`."""
        gone: list[str] = []
        with Staging(self._out) as staging:
            try:
                for step in steps:
                    if isinstance(step, Delete) and step.path.startswith(FILES):
                        gone.append(step.path)
                        did = True
                    else:
                        did = self._prepare(step, staging)
                    if on_step is not None:
                        on_step(step, did)
                if staging.changed:
                    if gone:
                        self._dropped.drop(gone, int(time.time()))
                    staging.switch()
            except BaseException:
                if not staging.switched:
                    self._dropped.undo(self._listed)
                raise
            self._dropped.listed()
        self._dropped.sweep(int(time.time()) - self._grace, self._listed)

    def _prepare(self, step: Step, staging: Staging) -> bool:
        if isinstance(step, Copy):
            return self._copy(step, staging)
        if isinstance(step, Delete):
            return staging.remove(step.path)
        if step.path.startswith(PAGES):
            return staging.put(step.path, step.content)
        place = self._out / step.path
        with contextlib.suppress(FileNotFoundError):
            if place.read_bytes() == step.content:
                return False
        self._dropped.creating(step.path)
        with staging.writing(place) as target:
            write(target, step.content, place)
        return True

    def _copy(self, step: Copy, staging: Staging) -> bool:
        text = f"{self._out}/{step.path}"
        if not staging.is_new(text.rpartition("/")[0]) and _holds(Path(text), step):
            return False
        self._dropped.creating(step.path)
        if step.owned:
            staging.move(step.source, text)
            return True
        place = Path(text)
        digest = hashlib.sha256()
        with staging.writing(place) as target, step.source.open("rb", buffering=0) as source:
            while chunk := source.read(1 << 20):
                digest.update(chunk)
                write(target, chunk, place)
            if digest.hexdigest() != step.sha256:
                raise SourceChangedError(
                    f"{printable(str(step.source))}: changed while the index was made; run again"
                )
        return True

    def _listed(self, name: str) -> frozenset[str]:
        page = self.page(name) if name else None
        files = page.files if page is not None else ()
        return frozenset(path for file in files if page is not None for path in listed_paths(page, file))


def _holds(place: Path, step: Copy) -> bool:
    """Tell whether a file is there already; what a killed run left may be incomplete after a power cut."""
    try:
        return place.stat().st_size == step.size and file_sha256(place) == step.sha256
    except FileNotFoundError:
        return False


def _stamp(folder: str) -> str:
    """Return what changes with either form of a page; "" when there is no page."""
    parts = []
    for form in (HTML_PAGE, JSON_PAGE):
        try:
            status = os.stat(f"{folder}/{form}")  # noqa: PTH116 -- a Path each would double the time
        except FileNotFoundError:
            parts.append("-")
            continue
        parts.append(f"{status.st_ino}:{status.st_size}:{status.st_mtime_ns}")
    return " ".join(parts) if parts != ["-", "-"] else ""
