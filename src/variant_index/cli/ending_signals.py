"""Ctrl-C and SIGTERM, which end a service."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["ending_signals"]

_NUMBERS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def ending_signals() -> Iterator[Callable[[], None]]:
    """Take the signals from now on, and give what waits for the first; a second one has its usual effect.

    To be used in the main thread.
    """
    # Handlers in Python run between two steps of the main thread: one that comes right before the thread
    # waits would run only after that. A byte in the pair ends the wait, whenever it comes.
    came, told = socket.socketpair()
    told.setblocking(False)

    def ignore(_number: int, _frame: FrameType | None) -> None:
        """Let the wakeup descriptor tell."""

    def wait() -> None:
        while came.recv(1)[0] not in _NUMBERS:
            pass
        for number in _NUMBERS:
            former[number] = signal.SIG_DFL
            signal.signal(number, signal.SIG_DFL)

    with came, told:
        descriptor = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
        former = {number: signal.signal(number, ignore) for number in _NUMBERS}
        try:
            yield wait
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(descriptor)
