"""The commits of an index in a bucket: who creates the next number has published.

    PREFIX/log/000000000012.json    commit 12: every page with its digest; created once, never changed
    PREFIX/log/pages/SHA256         what the pages of commits consist of

Old commits are removed after a while, never the newest.
"""

from __future__ import annotations

import hashlib
import time

from variant_index.publish.bucket.commit import (
    LOG,
    NOTHING,
    Commit,
    PageState,
    body_path,
    commit_number,
    commit_path,
    parse_commit,
    write_commit,
)
from variant_index.publish.bucket.object_storage import Bucket, BucketError
from variant_index.publish.store import OvertakenError, StoreError

__all__ = ["CommitLog"]

_TRIES = 4


class CommitLog:
    """The commits in a bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def newest(self, known: Commit = NOTHING) -> Commit:
        """Return the newest commit, `NOTHING` before the first.

        Args:
            known: a commit that was the newest some time ago; it is not read again.

        Raises:
            StoreError: what is there is not a commit.
            BucketError: the log cannot be read.
        """
        for _ in range(_TRIES):
            number = max([*self._numbers(), known.number])
            commit = known if number == known.number else self._read(number)
            # A listing may lag behind; the objects themselves do not.
            while commit is not None and (later := self._read(commit.number + 1)) is not None:
                commit = later
            if commit is not None:
                return commit
        raise BucketError(f"{self._bucket.title}/{LOG}: commits are listed and not there; try again later")

    def moved(self, commit: Commit) -> bool:
        """Tell whether there is a newer commit than this one, which was the newest."""
        return self._bucket.head(commit_path(commit.number + 1)) is not None

    def create(self, commit: Commit) -> bool:
        """Publish: create the commit unless there is one with its number, and tell whether it is ours.

        Raises:
            OvertakenError: many others published since the work began.
            BucketError: it cannot be known whether it is published: run again.
        """
        path, content = commit_path(commit.number), write_commit(commit)
        for attempt in range(_TRIES):
            try:
                if self._bucket.create(path, content):
                    break
                failure = None
            except BucketError as error:
                failure = error
            # An answer may have been lost, and the request repeated: then what is there is ours.
            try:
                found = self._bucket.get(path)
            except FileNotFoundError:
                if failure is not None and attempt == _TRIES - 1:
                    raise failure from None
                time.sleep(0.2 * 2**attempt)
                continue
            if found != content:
                return False
            break
        else:
            raise BucketError(f"{self._bucket.title}/{path}: cannot be created, although it is not there")
        self._require_chain(commit)
        return True

    def _require_chain(self, commit: Commit) -> None:
        """Notice that the number was free only because a commit so old has been removed."""
        if max(self._numbers(), default=0) <= commit.number:
            return
        later = self._read(commit.number + 1)
        if later is None or later.previous != commit.id:
            self._bucket.delete(commit_path(commit.number))
            raise OvertakenError(f"{self._bucket.title}: many others published meanwhile; run again")

    def body(self, state: PageState) -> bytes | None:
        """Return what a page of a commit consists of; None when that is no longer kept.

        Raises:
            StoreError: it is damaged.
        """
        path = body_path(state)
        try:
            content = self._bucket.get(path)
        except FileNotFoundError:
            return None
        if hashlib.sha256(content).hexdigest() != state.sha256:
            raise StoreError(
                f"{self._bucket.title}/{path}: is damaged; remove it, and build from all wheels, --no-cache"
            )
        return content

    def forget(self, newest: Commit, before: int) -> None:
        """Remove commits older than the newest two that were written before a time (server's clock)."""
        for stored in self._bucket.directly_in(LOG):
            number = commit_number(stored.path)
            old = number is None or number < newest.number - 1  # without a number: what a probe left
            if old and stored.time <= before:
                self._bucket.delete(stored.path)

    def _numbers(self) -> list[int]:
        found = (commit_number(stored.path) for stored in self._bucket.directly_in(LOG))
        return [number for number in found if number is not None]

    def _read(self, number: int) -> Commit | None:
        path = commit_path(number)
        try:
            return parse_commit(self._bucket.get(path), number, f"{self._bucket.title}/{path}")
        except FileNotFoundError:
            return None
