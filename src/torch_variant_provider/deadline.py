"""A limit on how long a whole query may take, for hosts that set one."""

from __future__ import annotations

from time import monotonic

__all__ = ["end_within", "seconds_for"]

_limit: tuple[float, float] | None = None
"""When to end (monotonic clock), and how many seconds that was after it was set."""


def end_within(seconds: float | None) -> None:
    """Give everything that is asked from now on this many seconds in all; None takes the limit away."""
    global _limit  # noqa: PLW0603 - one query, one limit; sources are asked through a fixed interface
    _limit = None if seconds is None else (monotonic() + seconds, seconds)


def seconds_for(own: float, *, extend: bool = False) -> tuple[float, float]:
    """Return how long to wait for one call, and the seconds to name when it did not answer.

    Args:
        own: how long the caller would wait without a limit.
        extend: whether it may wait longer than that while the limit allows it.

    Returns:
        The wait may be zero or negative: there is no time left.
    """
    if _limit is None:
        return own, own
    ends, whole = _limit
    left = ends - monotonic()
    return (left, whole) if extend or left < own else (own, own)
