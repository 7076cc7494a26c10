"""Running driver libraries apart: a crash, a hang or a print inside one must not reach the host.

Where there is `fork`, the call runs in a forked child: it shares our imports, so it costs about a
millisecond, and its standard output is our standard error. Elsewhere it runs in a thread with a
deadline, which cannot contain a crash.
"""

from __future__ import annotations

import os

from torch_variant_provider.deadline import seconds_for
from torch_variant_provider.facts import Findings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["APART", "run_isolated"]

APART = hasattr(os, "fork")
"""Whether an isolated call runs in a process of its own."""

_SIGKILL = 9


def run_isolated(name: str, read: Callable[[], Findings], seconds: float) -> Findings:
    """Return what `read()` finds, or a warning that it crashed, failed or did not answer in time.

    Args:
        name: the source's name, for the warning.
        read: calls into a driver library; runs in a child process where the system can fork.
        seconds: how long to wait where the host sets no limit for all sources.
    """
    seconds, whole = seconds_for(seconds, extend=True)
    if seconds <= 0:
        return Findings(notes=[f"{name}: not asked, the {whole:g} s were over"])
    run = _in_child if APART else _in_thread
    found = run(name, read, seconds)
    return _silent(name, whole) if found is None else found


def _in_child(name: str, read: Callable[[], Findings], seconds: float) -> Findings | None:
    import marshal

    receiving, sending = os.pipe()
    child = _fork()
    if child == 0:
        try:
            os.close(receiving)
            os.dup2(2, 1)
            found = _guarded(name, read)
            data = marshal.dumps(
                (found.values, found.notes, found.warnings, found.unanswered, found.conclusive)
            )
            while data:
                data = data[os.write(sending, data) :]
        finally:
            os._exit(0)  # without the host's clean-up: buffers, handlers and threads are the parent's
    os.close(sending)
    received = None
    try:
        received = _receive(receiving, seconds)
    finally:
        os.close(receiving)
        status = _end(child, patience=0.0 if received is None else 1.0)
    if received is None:
        return None
    try:
        *lists, unanswered, conclusive = marshal.loads(received)  # noqa: S302 - written by our own child
        return Findings(*lists, unanswered=unanswered, conclusive=conclusive)
    except (EOFError, TypeError, ValueError):
        signal = f" (signal {status & 0x7F})" if status and status & 0x7F else ""
        return Findings(warnings=[f"{name}: the driver library crashed{signal}"], unanswered=True)


def _fork() -> int:
    import warnings

    # Python 3.12 warns in hosts with threads: the child may wait for a lock for ever. It may; the
    # deadline ends it.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _receive(receiving: int, seconds: float) -> bytes | None:
    """Return everything the child sends, None when it does not end in time."""
    import select
    import time

    deadline = time.monotonic() + seconds
    poll = select.poll()
    poll.register(receiving, select.POLLIN)
    received = b""
    while (left := deadline - time.monotonic()) > 0:
        if poll.poll(left * 1000):
            data = os.read(receiving, 65536)
            if not data:
                return received
            received += data
    return None


def _end(child: int, patience: float) -> int | None:
    """Collect the child, killing it if it still runs after `patience` seconds; return its wait status.

    A child that hangs inside the kernel cannot even be killed; after a second it is left behind.
    """
    import time

    try:
        for limit in (patience, 1.0):
            deadline = time.monotonic() + limit
            while True:
                ended, status = os.waitpid(child, os.WNOHANG)
                if ended:
                    return status
                if time.monotonic() >= deadline:
                    break
                time.sleep(0.001)
            os.kill(child, _SIGKILL)
    except (ChildProcessError, ProcessLookupError):  # the host collects its children itself
        pass
    return None


def _in_thread(name: str, read: Callable[[], Findings], seconds: float) -> Findings | None:
    import threading

    found: list[Findings] = []
    worker = threading.Thread(target=lambda: found.append(_guarded(name, read)), daemon=True)
    try:
        kept = os.dup(1)
    except OSError:  # a host without a standard output
        worker.start()
        worker.join(seconds)
        return found[0] if found else None
    try:
        os.dup2(2, 1)
        worker.start()
        worker.join(seconds)
        _flush_native()
    finally:
        os.dup2(kept, 1)
        os.close(kept)
    return found[0] if found else None


def _flush_native() -> None:
    """Write out what C code has buffered for standard output, while that is still diverted."""
    import ctypes

    ctypes.CDLL("ucrtbase" if os.name == "nt" else None).fflush(None)


def _guarded(name: str, read: Callable[[], Findings]) -> Findings:
    try:
        return read()
    except Exception as error:  # noqa: BLE001 - a driver's binding may raise anything
        return Findings(warnings=[f"{name}: {type(error).__name__}: {error}"], unanswered=True)


def _silent(name: str, seconds: float) -> Findings:
    return Findings(
        warnings=[f"{name} did not answer in {seconds:g} s; is a GPU hung?"],
        unanswered=True,
        hung=True,
    )
