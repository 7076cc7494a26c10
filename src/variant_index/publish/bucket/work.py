"""Gathers what a publisher's steps amount to: files go up at once, pages are changed by the commit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from variant_index.publish.bucket.commit import Commit, PageState, body_path
from variant_index.publish.bucket.object_storage import PART_BYTES, Bucket, Stored
from variant_index.publish.bucket.uploads import Uploads
from variant_index.publish.plan import FILES, PAGES, Copy, Delete, Put, Step

__all__ = ["Work"]


class Work:
    """What a publisher's steps amount to.

    Attributes:
        pages: the pages that change -> their new state, None to remove them.
        revived: files that had been dropped and are named again.
        dropped: files that are named no more.
        resumed: files that a killed run may have uploaded, which are not uploaded again then.
    """

    def __init__(self, bucket: Bucket, seen: Commit, listed: Callable[[str], set[str]]) -> None:
        self._bucket = bucket
        self._seen = seen
        self._listed = listed
        self._project = ""
        self._published: set[str] = set()
        self._folder = ""
        self._there: dict[str, Stored] = {}
        self.pages: dict[str, PageState | None] = {}
        self.revived: set[str] = set()
        self.dropped: set[str] = set()
        self.resumed: set[str] = set()

    def take(self, step: Step, uploads: Uploads) -> bool:
        """Begin a step, and tell whether it changes anything."""
        if isinstance(step, Delete):
            if step.path.startswith(FILES):
                self.dropped.add(step.path)
                return True
            if step.path in self._seen.pages:
                self.pages[step.path] = None
            return step.path in self._seen.pages
        if isinstance(step, Put) and step.path.startswith(PAGES):
            state = _state(step.content)
            if self._seen.pages.get(step.path) == state:
                return False
            self.pages[step.path] = state
            uploads.add(Put(body_path(state), step.content))
            return True
        found = self._found(step.path)
        dropped = step.path in self._seen.dropped
        if dropped:  # it may be there still, and may be deleted any moment
            self.revived.add(step.path)
        resume = found is None and not dropped
        uploads.add(step, found, resume=resume)
        if resume and isinstance(step, Copy) and step.size > PART_BYTES:  # smaller ones are young
            self.resumed.add(step.path)
        size = step.size if isinstance(step, Copy) else len(step.content)
        return found is None or found.size != size

    def store_body(self, content: bytes) -> PageState:
        """Store a page's bytes in the log."""
        state = _state(content)
        self._bucket.put(body_path(state), content)
        return state

    def _found(self, path: str) -> Stored | None:
        """Return what is at a path that is published already."""
        folder = path.rpartition("/")[0]
        project = path.split("/")[1]
        if project != self._project:
            self._project, self._published = project, self._listed(project)
        if path not in self._published:
            return None
        if folder != self._folder:
            self._folder = folder
            self._there = {stored.path: stored for stored in self._bucket.directly_in(folder)}
        return self._there.get(path)


def _state(content: bytes) -> PageState:
    return PageState(
        hashlib.sha256(content).hexdigest(), hashlib.md5(content, usedforsecurity=False).hexdigest()
    )
