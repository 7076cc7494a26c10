"""What a long-running shim counts, in Prometheus' text format; no names, no addresses.

See https://prometheus.io/docs/instrumenting/exposition_formats/.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from typing import Final

from variant_index import __version__

__all__ = ["CONTENT_TYPE", "Metrics"]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_BOUNDS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0)
_PREFIX: Final = "variant_index"


class _Histogram:
    """Counts of durations, by upper bound."""

    def __init__(self) -> None:
        self.counts = [0] * (len(_BOUNDS) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(_BOUNDS, seconds)] += 1
        self.total += seconds

    def lines(self, name: str, label: str) -> Iterator[str]:
        so_far = 0
        for bound, count in zip((*map(str, _BOUNDS), "+Inf"), self.counts, strict=True):
            so_far += count
            yield f'{name}_bucket{{{label}le="{bound}"}} {so_far}'
        labels = f"{{{label.rstrip(',')}}}" if label else ""
        yield f"{name}_sum{labels} {self.total:.6f}"
        yield f"{name}_count{labels} {so_far}"


class Metrics:
    """Counters of one shim; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started = time.time()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._seconds: dict[str, _Histogram] = {}
        self._looks: Counter[str] = Counter()
        self._upstream: Counter[int] = Counter()
        self._upstream_seconds = _Histogram()

    def answered(self, kind: str, status: int, seconds: float) -> None:
        """Count an answer.

        Args:
            kind: what was asked for, one of a few words of ours.
            status: the HTTP status.
            seconds: from the whole request to the end of the answer.
        """
        with self._lock:
            self._requests[kind, status] += 1
            self._seconds.setdefault(kind, _Histogram()).add(seconds)

    def asked(self, status: int, seconds: float) -> None:
        """Count a request to an index: its status, 0 where none came, and the seconds until its headers."""
        with self._lock:
            self._upstream[status] += 1
            self._upstream_seconds.add(seconds)

    def looked(self, succeeded: bool) -> None:
        """Count a look at a machine."""
        with self._lock:
            self._looks["ok" if succeeded else "failed"] += 1

    def text(self, connections: int, machines: int, failed: int = 0) -> str:
        """Return all of it.

        Args:
            connections: those that are open now.
            machines: those that are chosen for now.
            failed: those of them that could not be examined when that was last tried.
        """
        return "\n".join(self._lines(connections, machines, failed)) + "\n"

    def _lines(self, connections: int, machines: int, failed: int) -> Iterator[str]:
        yield from _head("info", "gauge", "The version of this shim.")
        yield f'{_PREFIX}_info{{version="{__version__}"}} 1'
        yield from _head("start_time_seconds", "gauge", "When it started, in Unix time.")
        yield f"{_PREFIX}_start_time_seconds {self._started:.3f}"
        yield from _head("connections", "gauge", "Connections of clients that are open.")
        yield f"{_PREFIX}_connections {connections}"
        yield from _head("machines", "gauge", "Machines that builds are chosen for.")
        yield f"{_PREFIX}_machines {machines}"
        yield from _head("machines_failed", "gauge", "Machines that could not be examined the last time.")
        yield f"{_PREFIX}_machines_failed {failed}"
        with self._lock:
            yield from _head("machine_looks_total", "counter", "How often machines were examined.")
            for result, count in sorted(self._looks.items()):
                yield f'{_PREFIX}_machine_looks_total{{result="{result}"}} {count}'
            yield from _head("requests_total", "counter", "Answers to clients; 424 is a failed index.")
            for (kind, status), count in sorted(self._requests.items()):
                yield f'{_PREFIX}_requests_total{{kind="{kind}",code="{status}"}} {count}'
            yield from _head("request_seconds", "histogram", "How long answers took.")
            for kind, seconds in sorted(self._seconds.items()):
                yield from seconds.lines(f"{_PREFIX}_request_seconds", f'kind="{kind}",')
            yield from _head(
                "upstream_requests_total", "counter", "Requests to indexes; 304 confirmed a page, 0 failed."
            )
            for status, count in sorted(self._upstream.items()):
                yield f'{_PREFIX}_upstream_requests_total{{code="{status}"}} {count}'
            yield from _head("upstream_seconds", "histogram", "How long indexes took to answer.")
            yield from self._upstream_seconds.lines(f"{_PREFIX}_upstream_seconds", "")


def _head(name: str, kind: str, text: str) -> Iterator[str]:
    yield f"# HELP {_PREFIX}_{name} {text}"
    yield f"# TYPE {_PREFIX}_{name} {kind}"
