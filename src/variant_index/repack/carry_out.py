"""Carries out a plan: several wheels at a time, each complete or not at all, and none a second time."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from variant_index.errors import InputError, printable
from variant_index.model.repack_report import RepackRecord
from variant_index.publish.lock import lock_folder
from variant_index.publish.reading import file_sha256
from variant_index.repack.load import refusal_reason, source_digest
from variant_index.repack.plan import Planned, Target
from variant_index.repack.record import Records, boot_of, current_boot, reach_disk, up_to_date
from variant_index.wheel.archive import Archive
from variant_index.wheel.read import read_record
from variant_index.wheel.relabel import Original, rewrite_wheel
from variant_index.wheel.verify import verify_contents

__all__ = ["Outcome", "carry_out"]

_JOBS = min(4, os.cpu_count() or 1)

Progress = Callable[[int], object]

_State = Literal["written", "done"]
_DONE: _State = "done"


@dataclass(frozen=True)
class Outcome:
    """What came of one source.

    Attributes:
        planned: what was wanted.
        states: for each target whether it was `written`, or `done` before.
        sha256: of all bytes of the source; None when they were not read.
        error: one printable line that names the source; None when all is there.
    """

    planned: Planned
    states: tuple[_State, ...] = ()
    sha256: str | None = None
    error: str | None = None


def carry_out(
    planned: Iterable[Planned],
    out: Path,
    *,
    force: bool = False,
    verify: bool = False,
    jobs: int = _JOBS,
    progress: Progress | None = None,
) -> Iterator[Outcome]:
    """Write the planned wheels into a folder and yield what came of each source, in no particular order.

    A wheel is done already when the folder's records name it with the same source and the same plan, and it
    has not been touched since. What a killed run left behind is cleared away. Stopping the iteration stops
    the work.

    Args:
        planned: the sources and what they become.
        out: the folder; made when missing.
        force: write everything again, over files with other content too.
        verify: read all content first and compare it with RECORD, as `variant-index build` will, and record
            the SHA-256 of the source.
        jobs: how many sources are worked on at a time.
        progress: called with the number of bytes of sources finished since the last call, from one thread
            at a time.

    Raises:
        StoreError: another process is repacking into the folder.
        OSError: the folder or its records cannot be written.
    """
    with lock_folder(out, "another run"):
        for left in out.glob(".part-*"):
            with suppress(OSError):
                left.unlink()
        records = Records(out)
        work = _Work(out, records, force=force, verify=verify, progress=progress or (lambda _: None))
        pool = ThreadPoolExecutor(jobs)
        running: set[Future[Outcome]] = set()
        try:
            for one in planned:
                running.add(pool.submit(work, one))
                if len(running) >= 4 * jobs:
                    finished, running = wait(running, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in finished)
            while running:
                finished, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in finished)
        finally:
            work.stop()
            pool.shutdown(cancel_futures=True)
        records.tidy()


class _StoppedError(Exception):
    """Somebody wants the work to end; nobody sees this."""


class _Work:
    """What the threads share."""

    def __init__(self, out: Path, records: Records, *, force: bool, verify: bool, progress: Progress) -> None:
        self._out, self._records = out, records
        self._force, self._verify = force, verify
        self._progress = progress
        self._boot = current_boot()
        self._lock = threading.Lock()
        self._stopped = False

    def stop(self) -> None:
        """Make the threads end at the next chunk."""
        self._stopped = True

    def _on_bytes(self, count: int) -> None:
        if self._stopped:
            raise _StoppedError
        with self._lock:
            self._progress(count)

    def __call__(self, planned: Planned) -> Outcome:
        try:
            return self._repack(planned)
        except _StoppedError:
            return Outcome(planned, error="stopped")
        except InputError as error:
            return Outcome(planned, error=refusal_reason(error, Path(planned.source.path)))
        except OSError as error:
            name = printable(str(error.filename or planned.source.path))
            return Outcome(planned, error=f"{name}: {error.strerror or 'cannot be read or written'}")

    def _repack(self, planned: Planned) -> Outcome:
        source = planned.source
        if not self._force:
            known = [self._done(target, source.digest) for target in planned.targets]
            digests = [record.source_sha256 for record in known if record is not None]
            if len(digests) == len(known) and not (self._verify and None in digests):
                self._on_bytes(source.size)
                return Outcome(planned, tuple(_DONE for _ in known), digests[0])
        with Archive(Path(source.path)) as archive:
            return self._write(planned, archive)

    def _done(self, target: Target, source_digest: str) -> RepackRecord | None:
        try:
            status = (self._out / target.name).stat()
        except FileNotFoundError:
            return None
        record = self._records.get(target.name)
        return record if up_to_date(record, target.digest, source_digest, status, self._boot) else None

    def _write(self, planned: Planned, archive: Archive) -> Outcome:
        source = planned.source
        # Equal digests: it is the wheel that was read and checked when the work was planned.
        record = read_record(archive, source.dist_info)
        if source_digest(archive, record[1]) != source.digest:
            archive.refuse("changed while it was read; run again")
        sha256 = None
        if self._verify:
            verify_contents(archive, record[0], self._quietly)
            sha256 = file_sha256(archive.path)
        states: list[_State] = []
        for number, target in enumerate(planned.targets):
            place = self._out / target.name
            old = place.stat().st_ino if place.exists() else None
            rewrite_wheel(
                archive,
                Original(source.filename, source.dist_info, record),
                target.filename,
                self._out,
                document=target.document,
                written={
                    name: content
                    for name, content in target.written.items()
                    if (name, content) != ("METADATA", source.metadata)
                },
                force=self._force,
                progress=self._quietly if number else self._on_bytes,
            )
            wheel = place.stat()
            states.append("done" if wheel.st_ino == old else "written")
            boot = self._boot
            if states[-1] == "done":
                boot = boot_of(self._records.get(target.name), wheel, boot)
            if not boot:
                reach_disk(place)
            self._records.add(
                RepackRecord(
                    wheel=target.name,
                    size=wheel.st_size,
                    mtime_ns=wheel.st_mtime_ns,
                    plan=target.digest,
                    source=printable(source.path, 4096),
                    source_size=source.size,
                    source_digest=source.digest,
                    source_sha256=sha256,
                    boot=boot,
                )
            )
        return Outcome(planned, tuple(states), sha256)

    def _quietly(self, _: int) -> None:
        self._on_bytes(0)
