"""Servers that answer in a thread as long as a `with` block lasts."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TypeVar

__all__ = ["Served", "serving"]

_S = TypeVar("_S", bound=socketserver.BaseServer)
_T = TypeVar("_T", bound="Served")


@contextmanager
def serving(server: _S) -> Iterator[_S]:
    """Let a server answer meanwhile; close it then."""
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Served:
    """What answers through a server from `with` on."""

    def __init__(self, server: socketserver.BaseServer) -> None:
        self._serving = serving(server)

    def __enter__(self: _T) -> _T:
        self._serving.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._serving.__exit__(kind, error, trace)
