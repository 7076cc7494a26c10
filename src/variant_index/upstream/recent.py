"""What was used last, up to a number of bytes; and answers shared by those who ask at the same time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

__all__ = ["Recent", "SharedAnswers"]

_T = TypeVar("_T")


class Recent(Generic[_T]):
    """Values by key, of which the least recently used go first; safe to share between threads."""

    def __init__(self, limit: int) -> None:
        """Start empty, with room for `limit` bytes."""
        self._limit = limit
        self._size = 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[_T, int]] = OrderedDict()

    def get(self, key: Hashable) -> _T | None:
        """Return the value of a key, None for one that is not kept."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            self._kept.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, value: _T, size: int) -> None:
        """Keep a value that takes `size` bytes; one that would take more than half of the room is not."""
        with self._lock:
            _, before = self._kept.pop(key, (None, 0))
            self._size -= before
            if size > self._limit // 2:
                return
            self._kept[key] = value, size
            self._size += size
            while self._size > self._limit:
                _, (_, gone) = self._kept.popitem(last=False)
                self._size -= gone


class _Asked(Generic[_T]):
    """One question, and its answer when it is there."""

    def __init__(self) -> None:
        self._done = threading.Event()
        self._answer: list[_T] = []
        self._error: BaseException | None = None

    def ask(self, ask: Callable[[], _T]) -> None:
        try:
            self._answer.append(ask())
        except BaseException as error:
            # Not the error itself: by its traceback it would keep all that it met, pages of 64 MB too.
            self._error = _without_traceback(error)
            raise
        finally:
            self._done.set()

    def answer(self) -> _T:
        self._done.wait()
        if self._error is not None:
            raise self._error
        return self._answer[0]


def _without_traceback(error: BaseException) -> BaseException:
    copy = type(error).__new__(type(error))
    copy.args = error.args
    copy.__dict__.update(error.__dict__)
    return copy


class SharedAnswers(Generic[_T]):
    """Asks once for all who want to know the same meanwhile; safe to share between threads.

    Nobody gets an answer that was asked for before he wanted to know: who comes while a question is on its
    way waits, and shares the next one with all who came meanwhile.
    """

    def __init__(self) -> None:
        """Start with no questions."""
        self._lock = threading.Lock()
        self._next: dict[Hashable, _Asked[_T]] = {}
        self._turns: dict[Hashable, tuple[threading.Lock, int]] = {}

    def get(self, key: Hashable, ask: Callable[[], _T]) -> _T:
        """Return what `ask` does, called by this or another thread after now.

        Args:
            key: equal for equal questions.
            ask: finds the answer; its error is that of all who share it.
        """
        with self._lock:
            asked = self._next.get(key)
            if asked is not None:
                shared = asked
            else:
                shared = self._next[key] = _Asked()
                turn, waiting = self._turns.get(key, (threading.Lock(), 0))
                self._turns[key] = turn, waiting + 1
        if asked is not None:
            return asked.answer()
        try:
            with turn:
                with self._lock:
                    del self._next[key]
                shared.ask(ask)
        finally:
            with self._lock:
                turn, waiting = self._turns.pop(key)
                if waiting > 1:
                    self._turns[key] = turn, waiting - 1
        return shared.answer()
