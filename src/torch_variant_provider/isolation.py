"""Running driver libraries apart: a crash, a hang or a print inside one must not reach the host.

Where there is `fork`, the call runs in a forked child: it shares our imports, so it costs about a
millisecond, and its standard output is our standard error. Elsewhere it runs in a thread with a
deadline, which cannot contain a crash. Findings are handed back as they come: what a library told
before it crashed or hung is kept.
"""

from __future__ import annotations

import os
import sys

from torch_variant_provider.deadline import seconds_for
from torch_variant_provider.facts import Findings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Keep = Callable[[Findings], None]
    Reader = Callable[[Keep], Findings]

__all__ = ["APART", "run_isolated"]

APART = hasattr(os, "fork")
"""Whether an isolated call runs in a process of its own."""

_SIGKILL = 9
_PR_SET_PDEATHSIG = 1
_LONGEST = 1024 * 1024  # bytes of findings; more is not ours
_LOOK = 0.05  # seconds between two looks whether a silent child still runs


def run_isolated(name: str, read: Reader, seconds: float) -> Findings:
    """Return what `read` finds; a crash, a failure or no answer in time adds a warning to it.

    Args:
        name: the source's name, for the warning.
        read: calls into a driver library; runs in a child process where the system can fork. It is given
            a function that hands back what is known so far, to call before a risky step.
        seconds: how long to wait where the host sets no limit for all sources.
    """
    seconds, whole = seconds_for(seconds, extend=True)
    if seconds <= 0:
        return Findings(notes=[f"{name}: not asked, the {whole:g} s were over"])
    run = _in_child if APART else _in_thread
    try:
        found, problem = run(name, read, seconds)
    except OSError as error:  # no process, no descriptor left
        return Findings(warnings=[f"{name}: it cannot be asked: {error.strerror}"], unanswered=True)
    if problem is None:
        return found
    found.hung = problem == _SILENT
    found.unanswered = True
    found.warnings.append(
        f"{name} did not answer in {whole:g} s; is a GPU hung?" if found.hung else f"{name}: {problem}"
    )
    return found


_SILENT = "it did not answer in time"


def _in_child(name: str, read: Reader, seconds: float) -> tuple[Findings, str | None]:
    receiving, sending = _pipe()
    try:
        child = _Child(_fork())
    except OSError:
        os.close(receiving)
        os.close(sending)
        raise
    if child.number == 0:
        try:
            os.close(receiving)
            os.setsid()  # so that it can be killed with all that the library starts
            _end_with_parent()
            _divert_output()
            _send(sending, _guarded(name, read, lambda found: _send(sending, found)), last=True)
        finally:
            os._exit(0)  # without the host's clean-up: buffers, handlers and threads are the parent's
    os.close(sending)
    try:
        found, complete = _receive(receiving, child, seconds)
        silent = not child.ended()
    finally:
        os.close(receiving)
        child.end(patience=0.0)
    if complete:
        return found, None
    if silent:
        return found, _SILENT
    signal = f" (signal {child.status & 0x7F})" if child.status and child.status & 0x7F else ""
    return found, f"the driver library crashed{signal}"


def _fork() -> int:
    import warnings

    # Python 3.12 warns in hosts with threads: the child may wait for a lock for ever. It may; the
    # deadline ends it.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _pipe() -> tuple[int, int]:
    """Return a pipe beside descriptors 0, 1 and 2, which a host may have closed."""
    ends = os.pipe()
    if min(ends) > 2:
        return ends
    import fcntl

    receiving, sending = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 3) for end in ends)
    for end in ends:
        os.close(end)
    return receiving, sending


def _end_with_parent() -> None:
    """Let the kernel kill this process when its parent is: a hung driver call must not outlive both."""
    if sys.platform != "linux":
        return
    import contextlib
    import ctypes

    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, _SIGKILL)


def _divert_output() -> None:
    """Let what is printed go to standard error, or nowhere in a host that has none."""
    try:
        os.dup2(2, 1)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _send(sending: int, found: Findings, *, last: bool = False) -> None:
    import marshal

    state = (found.values, found.notes, found.warnings, found.unanswered, found.conclusive)
    data = marshal.dumps((last, state))
    data = len(data).to_bytes(4, "big") + data
    while data:
        data = data[os.write(sending, data) :]


def _receive(receiving: int, child: _Child, seconds: float) -> tuple[Findings, bool]:
    """Return the last findings that the child sent, and whether they are all.

    Waits for neither the end of the child nor that of the pipe, which a process that the library has
    started may hold open.
    """
    import marshal
    import select
    import time

    deadline = time.monotonic() + seconds
    poll = select.poll()
    poll.register(receiving, select.POLLIN)
    received = b""
    found = Findings()
    gone = False
    while (left := deadline - time.monotonic()) > 0 and len(received) < _LONGEST:
        if not poll.poll(0 if gone else min(left, _LOOK) * 1000):
            if gone:
                break
            gone = child.ended()
            continue
        data = os.read(receiving, 65536)
        if not data:
            child.end(patience=1.0)
            break
        received += data
        while len(received) >= 4 and len(received) >= (end := 4 + int.from_bytes(received[:4], "big")):
            try:
                last, state = marshal.loads(received[4:end])  # noqa: S302 - written by our own child
                *lists, unanswered, conclusive = state
            except (EOFError, TypeError, ValueError):  # a library has written to what is not its own
                return found, False
            received = received[end:]
            found = Findings(*lists, unanswered=unanswered, conclusive=conclusive)
            if last:
                return found, True
    return found, False


class _Child:
    """A forked process.

    Attributes:
        number: its process id, 0 in the child itself.
        status: its wait status once it has ended, None before that and where the host collected it.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.status: int | None = None
        self._gone = False

    def ended(self) -> bool:
        """Whether it has ended; collects it."""
        if not self._gone:
            try:
                ended, status = os.waitpid(self.number, os.WNOHANG)
            except ChildProcessError:  # the host collects its children itself
                self._gone = True
            else:
                self._gone = bool(ended)
                self.status = status if ended else None
        return self._gone

    def end(self, patience: float) -> None:
        """Wait `patience` seconds for its end, then kill it and what it has started.

        A child that hangs inside the kernel cannot even be killed; after a second it is left behind.
        """
        import contextlib

        self._wait(patience)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.number, _SIGKILL)
        if not self._gone:  # it may not lead a group yet
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.number, _SIGKILL)
        self._wait(1.0)

    def _wait(self, seconds: float) -> None:
        import time

        deadline = time.monotonic() + seconds
        while not self.ended() and time.monotonic() < deadline:
            time.sleep(0.0002)


def _in_thread(name: str, read: Reader, seconds: float) -> tuple[Findings, str | None]:
    import threading

    kept: list[Findings] = []
    complete: list[Findings] = []
    worker = threading.Thread(
        target=lambda: complete.append(_guarded(name, read, kept.append)),
        daemon=True,
    )
    try:
        output = os.dup(1)
    except OSError:  # a host without a standard output
        worker.start()
        worker.join(seconds)
    else:
        try:
            _divert_output()
            worker.start()
            worker.join(seconds)
            _flush_native()
        finally:
            os.dup2(output, 1)
            os.close(output)
    if complete:
        return complete[0], None
    return (kept[-1] if kept else Findings()), _SILENT


def _flush_native() -> None:
    """Write out what C code has buffered for standard output, while that is still diverted."""
    import ctypes

    ctypes.CDLL("ucrtbase" if os.name == "nt" else None).fflush(None)


def _guarded(name: str, read: Reader, keep: Keep) -> Findings:
    last = Findings()

    def keep_last(found: Findings) -> None:
        nonlocal last
        last = found
        keep(found)

    try:
        return read(keep_last)
    except Exception as error:  # noqa: BLE001 - a driver's binding may raise anything
        last.warnings.append(f"{name}: {type(error).__name__}: {error}")
        last.unanswered = True
        return last
