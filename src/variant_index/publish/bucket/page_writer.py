"""Writes the pages of the newest commit to where readers look for them. Anyone can do that, at any time.

A publisher that was paused may write a page of an old commit over that of a newer one. Three things are
done about that: the log is looked at directly before each write; a page is replaced only where it is
still the one that was looked at (`If-Match`, where the server has it); and after writing, the log is
looked at again, and what was written is put right if it has moved. Who is killed between the last two
leaves it to the next publisher, who compares all pages.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from variant_index.publish.bucket.commit import Commit, PageState, changed_pages, project_of
from variant_index.publish.bucket.commit_log import CommitLog
from variant_index.publish.bucket.object_storage import Bucket, BucketError, Stored
from variant_index.publish.bucket.probe import Abilities
from variant_index.publish.plan import PAGES
from variant_index.publish.store import StoreError

__all__ = ["PageWriter"]

_THREADS = 16
_TRIES = 8


class PageWriter:
    """Brings the pages of an index in a bucket to the state of its newest commit."""

    def __init__(self, bucket: Bucket, log: CommitLog, abilities: Abilities) -> None:
        self._bucket = bucket
        self._log = log
        self._abilities = abilities

    def differing(self, commit: Commit) -> list[str]:
        """Return the paths of all pages that are not as in a commit."""
        found = {stored.path: stored for stored in self._bucket.all_below(PAGES)}
        paths = {*commit.pages, *(path for path in found if project_of(path) is not None)}
        with ThreadPoolExecutor(_THREADS) as pool:
            right = pool.map(
                lambda path: self._is_right(path, found.get(path), commit.pages.get(path)), sorted(paths)
            )
            return [path for path, is_right in zip(sorted(paths), right, strict=True) if not is_right]

    def settle(
        self, commit: Commit, paths: Iterable[str], on_page: Callable[[], object] | None = None
    ) -> Commit:
        """Write the pages at these paths, or remove them, and return what is the newest commit then.

        Args:
            commit: the newest commit as far as we know.
            paths: the pages that may differ from it.
            on_page: called when a page is done.

        Raises:
            BucketError: not all pages are written; any publisher's next run does that.
            StoreError: what a page has to be is lost.
        """
        left = list(paths)
        for _ in range(_TRIES):
            written: list[str] = []
            for group in _in_order(left, commit.pages):
                with ThreadPoolExecutor(_THREADS) as pool:
                    for path, wrote in zip(group, pool.map(partial(self._bring, commit), group), strict=True):
                        written += [path] if wrote else []
                        if on_page is not None:
                            on_page()
            newest = self._log.newest(commit) if left else commit
            if newest.number == commit.number:
                break
            # Whoever published it may have been killed; what we wrote may have been late.
            commit, left = newest, sorted({*written, *changed_pages(commit, newest)})
        return commit

    def _bring(self, commit: Commit, path: str) -> bool:
        """Make a page what a commit says, and tell whether it has to be looked at again if the log moved."""
        wanted = commit.pages.get(path)
        tried = False
        for _ in range(_TRIES):
            stored = self._bucket.head(path)
            if self._is_right(path, stored, wanted):
                return tried
            content = self._log.body(wanted) if wanted is not None else None
            if self._log.moved(commit):
                return True
            if wanted is None:
                self._bucket.delete(path)
                return True
            if content is None:
                raise StoreError(
                    f"{self._bucket.title}/{path}: its content is lost; build from all wheels, --no-cache"
                )
            tried = True
            if self._write(path, content, stored):
                return True
        raise BucketError(f"{self._bucket.title}/{path}: others keep writing it; run again")

    def _write(self, path: str, content: bytes, before: Stored | None) -> bool:
        if self._abilities.bare_tags is None:
            self._bucket.put(path, content)
            return True
        if before is None:
            return self._bucket.create(path, content)
        tag = before.tag.strip('"') if self._abilities.bare_tags else before.tag
        return self._bucket.replace(path, content, tag)

    def _is_right(self, path: str, stored: Stored | None, wanted: PageState | None) -> bool:
        if stored is None or wanted is None:
            return (stored is None) == (wanted is None)
        told = self._abilities.is_content(stored.tag, wanted.md5)
        if told is not None:
            return told
        try:
            return hashlib.sha256(self._bucket.get(path)).hexdigest() == wanted.sha256
        except FileNotFoundError:
            return False


def _in_order(paths: Iterable[str], pages: Mapping[str, PageState]) -> Sequence[list[str]]:
    """Group paths: projects before the root page, which names them; what goes, last."""
    new: list[str] = []
    root: list[str] = []
    gone: list[str] = []
    for path in paths:
        (gone if path not in pages else new if project_of(path) else root).append(path)
    return new, root, gone
