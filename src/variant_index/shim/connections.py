"""The open connections of a server, with a limit that those who ask for nothing cannot use up."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

__all__ = ["OpenConnections"]


class OpenConnections:
    """Connections in the order in which they began to wait for a request; safe to share between threads.

    When there is no room for another one, that which has waited longest without a whole request is closed:
    installers open a kept connection anew when it was closed meanwhile.
    """

    def __init__(self, limit: int) -> None:
        """Start empty, with room for `limit` connections."""
        self._limit = limit
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._draining = False
        self._waiting: dict[socket.socket, None] = {}
        self._answering: set[socket.socket] = set()

    def admit(self, connection: socket.socket) -> bool:
        """Take in a connection; False when all others are being answered."""
        with self._lock:
            if len(self._waiting) + len(self._answering) >= self._limit:
                if not self._waiting:
                    return False
                longest = next(iter(self._waiting))
                del self._waiting[longest]
                _wake(longest, socket.SHUT_RDWR)
            self._waiting[connection] = None
            return True

    def answer(self, connection: socket.socket) -> None:
        """Note that a whole request has arrived."""
        with self._lock:
            if self._waiting.pop(connection, self) is None:
                self._answering.add(connection)

    def wait(self, connection: socket.socket) -> None:
        """Note that a request was answered."""
        with self._lock:
            if connection in self._answering:
                self._answering.remove(connection)
                self._waiting[connection] = None
                if self._draining:
                    _wake(connection, socket.SHUT_RD)

    def leave(self, connection: socket.socket) -> None:
        """Forget a connection."""
        with self._lock:
            self._waiting.pop(connection, None)
            self._answering.discard(connection)
            self._changed.notify_all()

    def drain(self, seconds: float) -> int:
        """Close connections as soon as they wait for a request, and return how many are still answered then.

        Args:
            seconds: how long those that are being answered may take.
        """
        with self._lock:
            self._draining = True
            for connection in self._waiting:
                _wake(connection, socket.SHUT_RD)  # what has arrived already is still read and answered
            self._changed.wait_for(lambda: not self._waiting and not self._answering, seconds)
            return len(self._answering)

    def __len__(self) -> int:
        with self._lock:
            return len(self._waiting) + len(self._answering)


def _wake(connection: socket.socket, how: int) -> None:
    """Let the connection's thread see the end, so that it closes."""
    with suppress(OSError):
        connection.shutdown(how)
