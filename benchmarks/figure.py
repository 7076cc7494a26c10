"""A figure: two medians of interleaved runs, their ratio, and the target it must reach."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Figure", "interleaved", "timed"]


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes:
        name: what was measured.
        ours: median seconds of ours; None when skipped.
        peer: median seconds of the peer's; the limit itself, where the target is an absolute one.
        faster: whether the ratio says how many times faster we are (peer / ours, a floor); otherwise
            it says how many times longer we take (ours / peer, a ceiling).
        target: the floor or ceiling.
        skipped: why it could not be measured.
        unit: of `ours` and `peer`: `s` for seconds, or `MB`.
    """

    name: str
    target: float
    faster: bool
    ours: float | None = None
    peer: float | None = None
    skipped: str | None = None
    unit: str = "s"

    @property
    def ratio(self) -> float | None:
        """The ratio the target is about; None when skipped."""
        if self.ours is None or self.peer is None:
            return None
        return self.peer / self.ours if self.faster else self.ours / self.peer

    @property
    def ok(self) -> bool | None:
        """Whether the target is reached; None when skipped."""
        if self.ratio is None:
            return None
        return self.ratio >= self.target if self.faster else self.ratio <= self.target

    @property
    def goal(self) -> str:
        """The target as text."""
        return f"{'>=' if self.faster else '<='} {self.target:g}x"


def timed(action: Callable[[], object]) -> float:
    """Return the seconds one call takes; earlier garbage is collected before, the collector stays on."""
    gc.collect()
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def interleaved(
    ours: Callable[[], object], peer: Callable[[], object], *, runs: int, calls: int = 1
) -> tuple[float, float]:
    """Return both medians, taken in turns so that a slow moment of the machine meets both.

    Args:
        ours: one run of ours.
        peer: one run of the peer's.
        runs: how many turns.
        calls: how often ours runs in one turn, for runs too short to time alone; the mean counts.
    """

    def repeated() -> None:
        for _ in range(calls):
            ours()

    pairs = [(timed(repeated) / calls, timed(peer)) for _ in range(runs)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)
