"""Uploads files that never change to a bucket, several at once, and makes sure that they arrived."""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from variant_index.errors import printable
from variant_index.publish.bucket.object_storage import PART_BYTES, Bucket, BucketError, Stored
from variant_index.publish.bucket.probe import Abilities
from variant_index.publish.plan import Copy, Put
from variant_index.publish.store import SourceChangedError

__all__ = ["Uploads"]

_THREADS = 16
_LARGE_AT_ONCE = 2
_WAITING = 64


class _StoppedError(Exception):
    """The block ended by an error, or because somebody pressed Ctrl-C; nobody sees this."""


class Uploads:
    """Uploads at work in threads; the block waits for them, and gives them up when it ends by an error.

    An object written by one request is checked by the server: the request is signed over its digest. One
    that is written in parts is read back, because nobody else has ever seen all of it.
    """

    def __init__(self, bucket: Bucket, abilities: Abilities) -> None:
        self._bucket = bucket
        self._abilities = abilities
        self._pool = ThreadPoolExecutor(_THREADS)
        self._waiting: deque[Future[None]] = deque()
        self._large = threading.Semaphore(_LARGE_AT_ONCE)
        self._begun = 0
        self._stopped = False

    def __enter__(self) -> Uploads:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped = kind is not None
        self._pool.shutdown(cancel_futures=True)

    def add(self, step: Copy | Put, found: Stored | None = None, *, resume: bool = False) -> None:
        """Upload a file soon; wait while there are many.

        Args:
            step: the file.
            found: what is there already; it is checked, and written again when it differs.
            resume: whether to look for what a killed run may have uploaded, where that saves time.

        Raises:
            SourceChangedError: an earlier file changed since it was read.
            OSError: an earlier file cannot be read.
            BucketError: an earlier file cannot be uploaded.
        """
        self._begun += 1
        self._waiting.append(self._pool.submit(self._upload, step, found, resume))
        while len(self._waiting) > _WAITING or (self._waiting and self._waiting[0].done()):
            self._waiting.popleft().result()

    def finish(self, progress: Callable[[str, int, int], None] | None = None) -> None:
        """Wait until everything is uploaded; raises as `add` does."""
        while True:
            if progress is not None:
                progress("uploading", self._begun - len(self._waiting), self._begun)
            if not self._waiting:
                return
            self._waiting.popleft().result()

    def _upload(self, step: Copy | Put, found: Stored | None, resume: bool) -> None:
        if isinstance(step, Copy) and step.size > PART_BYTES:
            with self._large:
                self._upload_large(step, self._bucket.head(step.path) if resume else found)
            return
        if isinstance(step, Copy):
            content = step.source.read_bytes()
            if hashlib.sha256(content).hexdigest() != step.sha256:
                raise _changed(step)
        else:
            content = step.content
        if found is None or not self._is_there(found, content):
            self._bucket.put(step.path, content)

    def _is_there(self, found: Stored, content: bytes) -> bool:
        if found.size != len(content):
            return False
        told = self._abilities.is_content(found.tag, hashlib.md5(content, usedforsecurity=False).hexdigest())
        return self._bucket.get(found.path) == content if told is None else told

    def _upload_large(self, step: Copy, found: Stored | None) -> None:
        if found is not None and found.size == step.size and self._arrived(step):
            return
        self._bucket.upload(step.path, self._until_stopped(_parts(step)))
        if not self._arrived(step):
            self._bucket.delete(step.path)
            raise BucketError(
                f"{self._bucket.title}/{printable(step.path)}: the server stored other bytes than it was sent"
            )

    def _until_stopped(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        # Raising makes the server forget the parts, which would cost money otherwise.
        for piece in pieces:
            if self._stopped:
                raise _StoppedError
            yield piece

    def _arrived(self, step: Copy) -> bool:
        digest = hashlib.sha256()
        try:
            for piece in self._until_stopped(self._bucket.ranges(step.path, step.size)):
                digest.update(piece)
        except FileNotFoundError:
            return False
        return digest.hexdigest() == step.sha256


def _parts(step: Copy) -> Iterator[bytes]:
    """Yield the file's bytes; raise before the last ones when they are not those that were checked."""
    digest = hashlib.sha256()
    size = 0
    with step.source.open("rb", buffering=0) as file:
        ahead = file.read(PART_BYTES)
        while ahead:
            piece, ahead = ahead, file.read(PART_BYTES)
            digest.update(piece)
            size += len(piece)
            if not ahead and (digest.hexdigest() != step.sha256 or size != step.size):
                raise _changed(step)
            yield piece


def _changed(step: Copy) -> SourceChangedError:
    return SourceChangedError(f"{printable(str(step.source))}: changed while the index was made; run again")
