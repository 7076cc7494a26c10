"""Compares every byte of a wheel with the hashes in its RECORD.

Inflating and hashing release the interpreter's lock, so large wheels use all cores.
"""

from __future__ import annotations

import base64
import hashlib
import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from variant_index.errors import printable
from variant_index.wheel.archive import Archive
from variant_index.wheel.directory import Entry
from variant_index.wheel.record import RecordRow

__all__ = ["verify_contents"]

# Below this, starting threads costs more than they save; without pread they would share one position.
_BIG = 16 << 20
_WORKERS = (os.cpu_count() or 1) if hasattr(os, "pread") else 1


def verify_contents(
    archive: Archive, rows: Iterable[RecordRow], progress: Callable[[int], object] | None = None
) -> None:
    """Read all content and compare it with RECORD and with the archive's checksums.

    Args:
        archive: the open wheel; its framing has been checked.
        rows: its RECORD, checked against the files present.
        progress: called now and then with the number of the file's bytes read since the last call; never
            by two threads at once.

    Raises:
        WheelError: the first entry, in the archive's order, whose content is damaged or not what RECORD says.
    """
    digests = {row.path: row.digest for row in rows}
    report = _Report(progress)
    entries = archive.entries.values()
    check = partial(_verify, archive, digests, report)
    if _WORKERS == 1 or sum(entry.size for entry in entries) < _BIG:
        for entry in entries:
            check(entry)
        return
    pool = ThreadPoolExecutor(_WORKERS)
    try:
        # The large ones first: otherwise one of them is still running when all others are done.
        running = {
            entry.name: pool.submit(check, entry) for entry in sorted(entries, key=lambda entry: -entry.size)
        }
        for entry in entries:
            running[entry.name].result()
    finally:
        pool.shutdown(cancel_futures=True)


class _Report:
    """Passes progress on, from one thread at a time."""

    def __init__(self, progress: Callable[[int], object] | None) -> None:
        self._progress = progress
        self._lock = threading.Lock()

    def __call__(self, count: int) -> None:
        if self._progress is not None and count:
            with self._lock:
                self._progress(count)


def _verify(archive: Archive, digests: dict[str, str], report: _Report, entry: Entry) -> None:
    algorithm, _, expected = digests.get(entry.name, "").partition("=")
    digest = hashlib.new(algorithm) if algorithm else None
    done = told = 0
    for piece in archive.stream(entry):
        if digest is not None:
            digest.update(piece)
        done += len(piece)
        now = entry.compressed_size * done // max(entry.size, done, 1)
        report(now - told)
        told = now
    if digest is None:
        return
    actual = base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()
    if actual != expected.rstrip("="):
        archive.refuse(
            f"RECORD states another {algorithm} for {printable(entry.name)} than its content has", "WHL307"
        )
