"""`repack.jsonl`: which wheel of a folder was made from which, so that a run goes on where the last ended."""

from __future__ import annotations

import os
import secrets
import threading
from pathlib import Path

from pydantic import ValidationError

from variant_index.model.repack_report import RepackRecord

__all__ = ["RECORDS", "Records", "up_to_date"]

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


def up_to_date(
    record: RepackRecord | None, plan: str, source_digest: str, wheel: os.stat_result | None
) -> bool:
    """Tell whether a wheel is there, untouched since it was made of this source as it is wanted now."""
    return (
        record is not None
        and wheel is not None
        and (record.plan, record.source_digest) == (plan, source_digest)
        and (record.size, record.mtime_ns) == (wheel.st_size, wheel.st_mtime_ns)
    )
