"""Running the vendors' command-line tools: a last resort, with a deadline and a limit on what is read."""

from __future__ import annotations

import os
import sys

from torch_variant_provider.deadline import seconds_for

__all__ = ["Ran", "find_program", "run_program"]

_SECONDS = 5.0
_LIMIT = 4 * 1024 * 1024

# These narrow or change what the tools show; an installation outlives them.
_PER_RUN = (
    "CUDA_VISIBLE_DEVICES",
    "GPU_DEVICE_ORDINAL",
    "HIP_VISIBLE_DEVICES",
    "HSA_OVERRIDE_GFX_VERSION",
    "ROCR_VISIBLE_DEVICES",
)


def find_program(name: str, folders: tuple[str, ...] = ()) -> str | None:
    """Return the absolute path of a program on PATH or in one of the folders, None when there is none.

    Relative entries of PATH are skipped: what lies in the working directory is not to be run.
    """
    if sys.platform == "win32":
        name += ".exe"
    for folder in (*os.environ.get("PATH", "").split(os.pathsep), *folders):
        path = os.path.join(folder, name)  # noqa: PTH118 - pathlib is slow to import
        if os.path.isabs(folder) and os.access(path, os.X_OK) and os.path.isfile(path):  # noqa: PTH113, PTH117
            return path
    return None


class Ran:
    """How a program went.

    Attributes:
        text: what it printed on standard output, nothing where it could not be run or did not end.
        status: its exit status, negative for a signal; None where it could not be run or did not end.
        problem: why its answer is not to be trusted, as part of a sentence; empty when it ended well.
        hung: it did not end in time.
    """

    __slots__ = ("hung", "problem", "status", "text")

    def __init__(self, text: str, status: int | None, problem: str, *, hung: bool = False) -> None:
        self.text = text
        self.status = status
        self.problem = problem
        self.hung = hung


def run_program(path: str, *arguments: str, seconds: float = _SECONDS) -> Ran:
    """Run a program and return what it printed, and how it ended.

    Args:
        path: the program's absolute path.
        arguments: passed as they are.
        seconds: how long to wait, unless the host's limit for all sources ends before.
    """
    import contextlib
    import signal
    import subprocess
    import tempfile

    seconds, whole = seconds_for(seconds)
    if seconds <= 0:
        return Ran("", None, f"it was not run, the {whole:g} s were over")
    environ = {name: value for name, value in os.environ.items() if name not in _PER_RUN}
    # A file, not a pipe: what the program leaves running cannot keep us waiting.
    with tempfile.TemporaryFile() as output:
        try:
            program = subprocess.Popen(
                [path, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.DEVNULL,
                env={**environ, "LC_ALL": "C"},
                start_new_session=os.name == "posix",
            )
        except OSError as error:
            return Ran("", None, f"it cannot be run: {error.strerror}")
        try:
            status = program.wait(seconds)
        except subprocess.TimeoutExpired:
            if os.name == "posix":
                os.killpg(program.pid, signal.SIGKILL)
            else:
                program.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):  # what hangs in the kernel cannot be killed
                program.wait(1)
            return Ran("", None, f"it did not answer in {whole:g} s", hung=True)
        output.seek(0)
        text = output.read(_LIMIT).decode("utf-8", "replace")
    return Ran(text, status, f"it failed (status {status})" if status else "")
