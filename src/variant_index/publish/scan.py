"""Reads many files: small ones in several processes, large ones in several threads, results in order.

Hashing and inflating release the interpreter's lock, so threads use all cores for a large file; for small
ones the lock is what they would wait for. A file is read the same way wherever that happens, and one bad
file never stops the others.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from variant_index.errors import InputError, VariantIndexError, printable
from variant_index.publish.find import FileState, state_of
from variant_index.publish.reading import MetadataFiles, Reading, read_file
from variant_index.publish.release import FoundSidecar, FoundWheel, Refusal, Scan, release_of

__all__ = [
    "LostReaderError",
    "Reader",
    "SameNameError",
    "chunks",
    "collect",
    "read_chunk",
    "read_files",
    "scan",
]

_BIG = 16 << 20
"""Files of at least so many bytes are read in threads."""

_CHUNK = 32
_FEW = 4 * _CHUNK
"""With fewer small files, starting processes costs more than they save."""

_PR_SET_PDEATHSIG = 1

_WAITING = 3
"""So many tasks are given out for each worker: more would only hold memory."""

Reader = Callable[[Sequence[FileState], "Path | None"], Iterator[Reading]]
"""Reads files, copying them to a folder if one is given, and yields in order: `read_files`, for example."""


class SameNameError(InputError):
    """Two files of one name have different bytes."""

    rule = "REL004"


class LostReaderError(VariantIndexError):
    """A process that was reading died."""

    exit_code = 2


def scan(paths: Iterable[Path], *, on_bytes: Callable[[int], object] | None = None) -> Scan:
    """Read the files that `find_files` returned.

    A name that occurs twice counts once when the bytes are the same and is refused otherwise.

    Args:
        paths: wheels, source distributions and sidecars.
        on_bytes: called with the number of bytes of wheels verified since the last call.
    """
    if on_bytes is None:
        return collect(read_files(list(map(state_of, paths))))
    return collect(read_file(path, None, on_bytes=on_bytes) for path in paths)


def collect(readings: Iterable[Reading]) -> Scan:
    """Sort what was read by kind (pure); see `scan` about equal names."""
    result = Scan()
    seen: dict[str, Reading] = {}
    for reading in readings:
        result.refusals += reading.refusals
        if reading.found is None or reading.refusals:
            continue
        if isinstance(reading.found, FoundSidecar):
            result.sidecars.append(reading.found)
            continue
        path = reading.path
        other = seen.setdefault(path.name, reading)
        if other.sha256 != reading.sha256:
            reason = (
                f"{printable(str(path))}: {printable(str(other.path))} has the same name and other "
                "bytes; keep one, or give them different labels or build numbers"
            )
            result.refusals.append(Refusal(release_of(path.name), reason, SameNameError.rule, str(path)))
        elif other is not reading:
            continue
        elif isinstance(reading.found, FoundWheel):
            result.wheels.append(reading.found)
        else:
            result.sources.append(reading.found)
    return result


def read_files(
    files: Sequence[FileState],
    staging: Path | None = None,
    *,
    jobs: int | None = None,
    verify: bool = True,
    link: bool = False,
) -> Iterator[Reading]:
    """Read files on all cores and yield what they are, in their order; see `read_file`.

    Only a few results wait at any time, however many files there are.

    Args:
        files: what to read.
        staging: a folder for copies, see `read_file`.
        jobs: how many at once; all cores when not given.
        verify: see `read_file`.
        link: see `read_file`.

    Raises:
        LostReaderError: a process died.
        OSError: a copy cannot be written.
    """
    jobs = jobs or _cores()
    read = partial(read_chunk, staging=staging, verify=verify, link=link)
    waiting: deque[tuple[Future[list[Reading]] | None, list[str]]] = deque()
    small = sum(file.size < _BIG for file in files)
    with ExitStack() as stack:
        threads = ThreadPoolExecutor(jobs)
        stack.callback(threads.shutdown, cancel_futures=True)
        processes: ProcessPoolExecutor | None = None
        if jobs > 1 and small > _FEW:
            processes = ProcessPoolExecutor(
                min(jobs, -(-small // _CHUNK)), _context(), _begin_worker, (os.getpid(),)
            )
            stack.callback(processes.shutdown, cancel_futures=True)
        for chunk, big in chunks(files):
            pool = threads if big else processes
            # Without a pool, the chunk is read when its turn comes.
            waiting.append((pool.submit(read, chunk) if pool is not None else None, chunk))
            while len(waiting) > _WAITING * jobs:
                yield from _result(*waiting.popleft(), read)
        while waiting:
            yield from _result(*waiting.popleft(), read)


def chunks(files: Iterable[FileState]) -> Iterator[tuple[list[str], bool]]:
    """Cut files into portions of work, in order: many small ones, or a single large one (True)."""
    chunk: list[str] = []
    for file in files:
        big = file.size >= _BIG
        if chunk and (big or len(chunk) == _CHUNK):
            yield chunk, False
            chunk = []
        if big:
            yield [file.path], True
        else:
            chunk.append(file.path)
    if chunk:
        yield chunk, False


def read_chunk(
    paths: Iterable[str], staging: Path | None = None, *, verify: bool = True, link: bool = False
) -> list[Reading]:
    """Read some files; see `read_file`."""
    metadata = MetadataFiles()
    return [read_file(Path(path), staging, verify=verify, link=link, metadata=metadata) for path in paths]


def _result(
    future: Future[list[Reading]] | None, chunk: list[str], read: Callable[[list[str]], list[Reading]]
) -> list[Reading]:
    if future is None:
        return read(chunk)
    try:
        return future.result()
    except BrokenProcessPool:
        raise LostReaderError(
            f"a process died while it read {printable(chunk[0])} or one of the files after it (out of "
            "memory?); run again with --jobs 1"
        ) from None


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _context() -> multiprocessing.context.BaseContext:
    """Return the fastest way to start processes that is safe: a fork copies no other thread."""
    alone = threading.active_count() == 1
    forks = "fork" in multiprocessing.get_all_start_methods() and sys.platform == "linux"
    return multiprocessing.get_context("fork" if alone and forks else "spawn")


def _begin_worker(parent: int) -> None:
    """Leave Ctrl-C to the process that gives out the work, and do not outlive it.

    A worker whose parent was killed would wait for work for ever, and with it the lock on the index.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_end_with, args=[parent], daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)
