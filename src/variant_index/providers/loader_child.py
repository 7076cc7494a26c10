"""Runs in the loader's environment, without variant_index: asks plugins through variantlib, within limits.

Called by its path with one JSON argument: `python` (the provider's interpreter), `plugins` (namespace ->
where its plugin is) and `seconds`. The answer is one JSON object on stdout, a failure one line on stderr.

The first process only watches a second one, for which it sets limits and whose descendants it ends, those
that left its session too: on Linux they become its children when their parents end.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

__all__ = ["TIMED_OUT", "main"]

_MEGABYTE = 1 << 20
_LIMITS = {
    "RLIMIT_CORE": 0,
    "RLIMIT_FSIZE": 64 * _MEGABYTE,
    # Of data that was really asked for: GPU drivers reserve addresses far beyond the memory there is.
    "RLIMIT_DATA": 1024 * _MEGABYTE,
    "RLIMIT_NOFILE": 1024,
}
_MORE_THREADS = 256
TIMED_OUT = 124
"""Exit status where the plugins did not answer in time."""

_SUBREAPER = 36


def main(arguments: list[str]) -> int:
    """Answer, or watch a child that does."""
    if arguments[0] == "--ask":
        return _ask(json.loads(arguments[1]))
    return _watch(arguments[0])


def _watch(text: str) -> int:
    seconds = float(json.loads(text)["seconds"])
    _set_limits(seconds)
    adopts = _adopt_orphans()
    child = subprocess.Popen(
        [sys.executable, "-I", "-B", __file__, "--ask", text],
        stdin=subprocess.DEVNULL,
        start_new_session=os.name == "posix",
    )
    try:
        status = child.wait(seconds)
    except subprocess.TimeoutExpired:
        status = TIMED_OUT
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
    else:
        child.kill()
    if adopts:
        _end_descendants()
    return status if status >= 0 else 128 - status


def _ask(request: dict[str, object]) -> int:
    from pathlib import Path

    from variantlib.plugins.loader import DictPluginLoader

    plugins = request["plugins"]
    try:
        with DictPluginLoader(plugins, venv_python_executable=Path(str(request["python"]))) as loader:
            found = loader.get_supported_configs()
        answer = {
            namespace: [
                {"name": one.name, "values": one.values, "multi_value": one.multi_value}
                for one in provider.configs
            ]
            for namespace, provider in found.items()
        }
    except ValueError as error:  # not JSON, or not a name or value of a property
        if not isinstance(error, (json.JSONDecodeError, UnicodeDecodeError)):
            return _fail(str(error))
        return _fail("it printed something on standard output, where its answer goes, or ended early")
    except MemoryError:
        return _fail("its answer is too large")
    except Exception as error:  # noqa: BLE001 - whatever the plugin made variantlib raise is a failure of it
        return _fail(str(error) or type(error).__name__)
    sys.stdout.write(json.dumps(answer))
    sys.stdout.flush()
    return 0


def _fail(text: str) -> int:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    sys.stderr.write(f"{lines[-1] if lines else 'it failed'}\n")
    return 1


def _set_limits(seconds: float) -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    wanted = {**_LIMITS, "RLIMIT_CPU": int(seconds * 4) + 4}
    # A user's limit counts all of the user's threads; all that there are is an upper bound of that.
    if (threads := _threads()) is not None:
        wanted["RLIMIT_NPROC"] = threads + _MORE_THREADS
    for name, value in wanted.items():
        with contextlib.suppress(AttributeError, OSError, ValueError):
            kind = getattr(resource, name)
            hard = resource.getrlimit(kind)[1]
            limit = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(kind, (limit, limit))


def _threads() -> int | None:
    try:
        with open("/proc/loadavg", encoding="ascii") as file:  # noqa: PTH123
            return int(file.read().split()[3].partition("/")[2])
    except (OSError, ValueError, IndexError):
        return None


def _adopt_orphans() -> bool:
    if not sys.platform.startswith("linux"):
        return False
    try:
        import ctypes

        return ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0) == 0  # type: ignore[no-any-return,unused-ignore]
    except (ImportError, OSError, AttributeError):
        return False


def _end_descendants() -> None:
    """End children until there are none: those of an ended one become ours."""
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline and (children := _descendants(os.getpid())):
        for pid in children:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.005)


def _descendants(ancestor: int) -> set[int]:
    """Return the running descendants of a process, as /proc shows them."""
    parents: dict[int, int] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
                    state, parent = file.read().rpartition(")")[2].split()[:2]
                if state != "Z":
                    parents[int(name)] = int(parent)
    found: set[int] = set()
    new = {ancestor}
    while new:
        new = {pid for pid, parent in parents.items() if parent in new} - found
        found |= new
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
