"""`repack.jsonl`: which wheel of a folder was made from which, so that a run goes on where the last ended.

Waiting for the disk takes several times as long as a copy, so nobody waits. A power cut may then leave a
record of a wheel that never reached the disk. That is why a record says in which run of the machine its wheel
was written: while that lasts, the record holds; after a restart the wheel is compared once with what it has
to be, and has then reached the disk for good.
"""

from __future__ import annotations

import os
import secrets
import threading
from pathlib import Path

from pydantic import ValidationError

from variant_index.model.repack_report import RepackRecord

__all__ = ["RECORDS", "Records", "boot_of", "current_boot", "reach_disk", "up_to_date"]

RECORDS = "repack.jsonl"
"""The file in the folder of repacked wheels."""

_MAX_LINE = 1 << 16


class Records:
    """The records of a folder, kept as they come: a killed run loses none that is complete.

    Lines that cannot be read, such as the torn last one of a killed run, count as not there.
    """

    def __init__(self, out: Path) -> None:
        """Read the records of a folder; there need not be any."""
        self._path = out / RECORDS
        self._lock = threading.Lock()
        self._known: dict[str, RepackRecord] = {}
        self._lines = 0
        self._torn = False
        try:
            with self._path.open("rb") as file:
                while line := file.readline(_MAX_LINE):
                    self._lines += 1
                    self._torn = not line.endswith(b"\n")
                    try:
                        record = RepackRecord.model_validate_json(line)
                    except ValidationError:
                        continue
                    self._known[record.wheel] = record
        except FileNotFoundError:
            pass

    def get(self, wheel: str) -> RepackRecord | None:
        """Return the record of a wheel, None without one."""
        return self._known.get(wheel)

    def add(self, record: RepackRecord) -> None:
        """Keep a record.

        Raises:
            OSError: the file cannot be written.
        """
        line = record.model_dump_json().encode() + b"\n"
        with self._lock:
            with self._path.open("ab", buffering=0) as file:
                file.write(b"\n" + line if self._torn else line)
            self._torn = False
            self._known[record.wheel] = record
            self._lines += 1

    def tidy(self) -> None:
        """Write the file anew when most of its lines no longer count.

        Raises:
            OSError: the file cannot be written.
        """
        if self._lines <= 2 * len(self._known) + 100:
            return
        part = self._path.with_name(f".part-{secrets.token_hex(8)}")
        part.write_bytes(
            b"".join(record.model_dump_json().encode() + b"\n" for record in self._known.values())
        )
        part.replace(self._path)
        self._lines = len(self._known)


def current_boot() -> str:
    """Return an id of the time since the machine was started; empty where the system does not tell one."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def reach_disk(wheel: Path) -> None:
    """Wait until a file has reached the disk under its name.

    Raises:
        OSError: the disk is full or broken.
    """
    with wheel.open("r+b", buffering=0) as file:
        os.fsync(file.fileno())
    if os.name == "nt":  # folders cannot be opened there
        return
    folder = os.open(wheel.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def up_to_date(
    record: RepackRecord | None, plan: str, source_digest: str, wheel: os.stat_result | None, boot: str
) -> bool:
    """Tell whether a wheel is there, untouched since it was made of this source as it is wanted now.

    Args:
        record: what was recorded of it.
        plan: digest of what is wanted.
        source_digest: digest of the source.
        wheel: the file's state; None without one.
        boot: `current_boot()`.
    """
    return (
        record is not None
        and wheel is not None
        and (record.plan, record.source_digest) == (plan, source_digest)
        and _untouched(record, wheel)
        and record.boot in ("", boot)
    )


def boot_of(record: RepackRecord | None, wheel: os.stat_result, boot: str) -> str:
    """Return what to record as `boot` of a wheel that was compared, and is what it has to be."""
    survived = record is not None and _untouched(record, wheel) and record.boot != boot
    return "" if survived else boot


def _untouched(record: RepackRecord, wheel: os.stat_result) -> bool:
    return (record.size, record.mtime_ns) == (wheel.st_size, wheel.st_mtime_ns)
