"""Does work on a store, again when somebody else published meanwhile."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TypeVar

from variant_index.publish.store import OvertakenError, Store

__all__ = ["attempt"]

_ATTEMPTS = 8

_Result = TypeVar("_Result")


def attempt(store: Store, work: Callable[[], _Result]) -> _Result:
    """Return what `work` does, called while the store is ours, as often as it is overtaken by others.

    Raises:
        OvertakenError: others publish faster than this can.
    """
    last = _ATTEMPTS - 1
    for number in range(_ATTEMPTS):
        with contextlib.suppress(*([OvertakenError] if number < last else [])), store.exclusive():
            return work()
    raise AssertionError
