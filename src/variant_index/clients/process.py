"""Runs an installer: in the place of this process, or as a child that gets the signals."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import IO, TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["become", "end_like", "run_client"]

_FORWARDED = tuple(
    number
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
    if (number := getattr(signal, name, None)) is not None
)
# Keys on a terminal send these to every process of the foreground group, so to the child as well.
_FROM_KEYS = frozenset({signal.SIGINT, getattr(signal, "SIGQUIT", signal.SIGINT)})


def become(command: Sequence[str]) -> NoReturn:
    """Replace this process by a program; where the system cannot do that, run it and exit with its status.

    Raises:
        OSError: it cannot be started.
    """
    if os.name == "posix":
        sys.stdout.flush()
        sys.stderr.flush()
        os.execvp(command[0], list(command))  # noqa: S606 - the point of this function
    sys.exit(subprocess.run(command, check=False).returncode)


def run_client(
    command: Sequence[str],
    environment: Mapping[str, str],
    meanwhile: Callable[[], object],
    passed_on: Callable[[bytes], bytes] | None = None,
) -> int:
    """Run an installer with our input and output, hand it the signals that we get, and wait for its end.

    To be called in the main thread.

    Args:
        command: how to run it.
        environment: all its variables.
        meanwhile: called while it starts; where it raises, the installer is ended.
        passed_on: from a line that it writes to stdout to the one that is written instead; None hands it our
            stdout, so that a terminal is one for the installer too.

    Returns:
        Its exit status; a negative number says which signal ended it.

    Raises:
        OSError: it cannot be started.
    """
    child: subprocess.Popen[bytes] | None = None
    early: list[int] = []

    def forward(number: int, _frame: FrameType | None) -> None:
        if number in _FROM_KEYS and _in_foreground():
            return  # it got that too, and a second one would break its cleaning up
        if child is None:
            early.append(number)
        else:
            child.send_signal(number)

    # Handlers in Python run between two steps of this thread: one that comes right before it waits would run
    # only after that. So it waits for a byte, which each signal sends, and so does the end of the child.
    came, told = socket.socketpair()
    told.setblocking(False)
    with came, told:
        descriptor = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
        # A signal that is ignored here (nohup) stays ignored in the child.
        former = {
            number: signal.signal(number, forward)
            for number in _FORWARDED
            if signal.getsignal(number) != signal.SIG_IGN
        }
        try:
            stdout = None if passed_on is None else subprocess.PIPE
            child = subprocess.Popen(command, env=dict(environment), stdout=stdout)
            for number in early:
                child.send_signal(number)
            try:
                meanwhile()
            except BaseException:
                child.terminate()
                child.wait()
                raise
            status = _end_of(child, passed_on, told)
            while not status.done():
                came.recv(1)
            return status.result()
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(descriptor)


def _end_of(
    child: subprocess.Popen[bytes], passed_on: Callable[[bytes], bytes] | None, told: socket.socket
) -> Future[int]:
    """Wait for a child in another thread; its status comes with a byte to `told`."""
    from concurrent.futures import ThreadPoolExecutor  # slow to load, and the child starts meanwhile

    def wait() -> int:
        if passed_on is not None and child.stdout is not None:
            _pass_on(child.stdout, passed_on)
        return child.wait()

    def tell(_status: Future[int]) -> None:
        with contextlib.suppress(OSError):  # full of signals, so there are bytes to be read
            told.send(b"\0")

    pool = ThreadPoolExecutor(1)
    status = pool.submit(wait)
    status.add_done_callback(tell)
    pool.shutdown(wait=False)
    return status


def _pass_on(lines: IO[bytes], passed_on: Callable[[bytes], bytes]) -> None:
    """Write lines to stdout as they come; where nobody reads them any more the writer learns it."""
    with lines, contextlib.suppress(BrokenPipeError):
        for line in lines:
            sys.stdout.buffer.write(passed_on(line))
            sys.stdout.buffer.flush()


def end_like(status: int) -> int:
    """Return the exit status that stands for a child's; where a signal ended it, the same one ends us."""
    if status >= 0:
        return status
    if os.name == "posix":
        number = -status
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
        sys.stdout.flush()
        sys.stderr.flush()
        os.kill(os.getpid(), number)
    return 128 - status


def _in_foreground() -> bool:
    """Return whether this process belongs to the terminal's foreground group."""
    if os.name != "posix":
        return True
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
