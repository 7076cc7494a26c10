"""What happened in a run of the shim: choices that clients fetched, warnings, upstream failures."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Final

from variant_index.shim.present import Chosen

__all__ = ["Journal"]

_MOST: Final = 10_000
"""Lines of one kind that are kept; a hostile index could make more without end."""


class Journal:
    """A record that all connections write to; safe to share between threads."""

    def __init__(self, report: Callable[[str, str], None] | None = None) -> None:
        """Start empty.

        Args:
            report: called once with each new line and its kind (`chosen` for a choice whose file is
                fetched, `note`, `warning`, `error`), for example to print it; must be safe to call from
                any thread.
        """
        self._report = report
        self._lock = threading.Lock()
        self._downloaded: dict[str, Chosen] = {}
        self._warnings: dict[str, None] = {}
        self._failures: dict[str, None] = {}
        self._hints: dict[str, None] = {}

    def note_download(self, chosen: Chosen) -> None:
        """Record that a client fetched a chosen wheel."""
        with self._lock:
            new = self._downloaded.get(chosen.name) != chosen
            self._downloaded[chosen.name] = chosen
        if new and self._report is not None:
            self._report("chosen", str(chosen))

    def warn(self, lines: Iterable[str]) -> None:
        """Record warnings; each is kept once."""
        self._note(self._warnings, lines, "warning")

    def hint(self, line: str) -> None:
        """Record what helps only someone who did not get what he wanted."""
        self._note(self._hints, [line], "note")

    def fail(self, line: str) -> None:
        """Record that a source or this machine could not be read."""
        self._note(self._failures, [line], "error")

    def chosen(self) -> list[Chosen]:
        """Return the choices whose wheels were fetched, by project, the last one of each.

        An installer that finds no metadata beside the wheels fetches those that it considers; the last one
        is the one it settled on. Where only metadata was read nothing is known of what it took.
        """
        with self._lock:
            return [self._downloaded[name] for name in sorted(self._downloaded)]

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings so far, one printable line each."""
        with self._lock:
            return tuple(self._warnings)

    @property
    def hints(self) -> tuple[str, ...]:
        """What to say when the installer failed, one printable line each."""
        with self._lock:
            return tuple(self._hints)

    @property
    def failures(self) -> tuple[str, ...]:
        """The failures so far, one printable line each; a run that has any must not count as a success."""
        with self._lock:
            return tuple(self._failures)

    def _note(self, record: dict[str, None], lines: Iterable[str], kind: str) -> None:
        with self._lock:
            new = [line for line in dict.fromkeys(lines) if line not in record]
            new = new[: max(0, _MOST - len(record))]
            record.update(dict.fromkeys(new))
        if self._report is not None:
            for line in new:
                self._report(kind, line)
