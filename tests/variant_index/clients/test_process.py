"""Running pip: status, signals, the end of it when we fail."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from variant_index.clients.pip.run import become_pip
from variant_index.clients.process import end_like, run_client

posix_only = pytest.mark.skipif(os.name != "posix", reason="POSIX signals")

RUNNER = """
import os, sys
from variant_index.clients.process import end_like, run_client
status = run_client([sys.executable, "-c", sys.argv[1]], os.environ, lambda: None)
print("ended", status, flush=True)
sys.exit(end_like(status))
"""


def start(program: str, *wrapper: str) -> subprocess.Popen[str]:
    """Run a program in the place of pip, in a session of its own as under a service manager."""
    return subprocess.Popen(
        [*wrapper, sys.executable, "-c", RUNNER, program],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


ELSEWHERE = """
import os, signal, sys, threading
from variant_index.clients.process import end_like, run_client
waits = threading.Event()
def late():
    waits.wait()
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
threading.Thread(target=late, daemon=True).start()
program = "import sys, time; print('up', flush=True); time.sleep(600)"
def seen(line):
    waits.set()
    return line
sys.exit(end_like(run_client([sys.executable, "-c", program], os.environ, lambda: None, seen)))
"""


@posix_only
def test_a_signal_that_does_not_wake_the_main_thread() -> None:
    """As one does not that comes right before the thread waits."""
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE], capture_output=True, text=True, timeout=120, start_new_session=True
    )
    assert done.returncode == -signal.SIGTERM, done.stderr


@pytest.mark.parametrize("status", [0, 1, 2, 23])
def test_status(status: int) -> None:
    assert (
        run_client([sys.executable, "-c", f"raise SystemExit({status})"], os.environ, lambda: None) == status
    )
    assert end_like(status) == status


def test_meanwhile_runs_and_its_failure_ends_pip() -> None:
    calls = []
    run_client([sys.executable, "-c", "pass"], os.environ, lambda: calls.append(1))
    assert calls == [1]

    def fail() -> None:
        raise ValueError("no server")

    begun = time.monotonic()
    with pytest.raises(ValueError, match="no server"):
        run_client([sys.executable, "-c", "import time; time.sleep(600)"], os.environ, fail)
    assert time.monotonic() - begun < 120


@posix_only
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_reaches_pip_and_ends_us_alike(number: signal.Signals) -> None:
    default = f"import signal, time; signal.signal({int(number)}, signal.SIG_DFL)"
    program = f"{default}; print('up', flush=True); time.sleep(600)"
    with start(program) as wrapper:
        assert wrapper.stdout is not None
        assert wrapper.stdout.readline() == "up\n"
        wrapper.send_signal(number)
        assert wrapper.stdout.readline() == f"ended {-number}\n"
    assert wrapper.returncode == -number


@posix_only
def test_pip_may_take_its_time_to_clean_up() -> None:
    program = """if True:
        import sys, time
        try:
            print('up', flush=True)
            time.sleep(600)
        except KeyboardInterrupt:
            time.sleep(0.3)
            print('clean', flush=True)
            sys.exit(1)
    """
    with start(program) as wrapper:
        assert wrapper.stdout is not None
        assert wrapper.stdout.readline() == "up\n"
        wrapper.send_signal(signal.SIGINT)
        assert wrapper.stdout.read() == "clean\nended 1\n"
    assert wrapper.returncode == 1


@posix_only
def test_ignored_signals_stay_ignored(tmp_path: Path) -> None:
    program = "import signal; print(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN)"
    with start(program, "nohup") as wrapper:
        assert wrapper.stdout is not None
        assert wrapper.stdout.readline() == "True\n"


@posix_only
def test_a_key_on_the_terminal_is_sent_once() -> None:
    import pty

    program = """if True:
        import signal, sys, time
        count = []
        signal.signal(signal.SIGINT, lambda *_: count.append(1))
        print('up', flush=True)
        while not count:
            time.sleep(0.05)
        time.sleep(0.5)  # for a second one
        print('signals', len(count), flush=True)
    """
    child, terminal = pty.fork()
    if child == 0:  # in the new session, with the terminal as its controlling one
        os.execv(sys.executable, [sys.executable, "-c", RUNNER, program])
    said = b""
    while b"up" not in said:
        said += os.read(terminal, 1000)
    os.write(terminal, b"\x03")
    while b"ended" not in said:
        said += os.read(terminal, 1000)
    os.waitpid(child, 0)
    os.close(terminal)
    assert b"signals 1" in said


FILTER = """
import os, sys
from variant_index.clients.process import end_like, run_client
status = run_client(
    [sys.executable, "-c", sys.argv[1]], os.environ, lambda: None, lambda line: line.replace(b"a", b"\\xff")
)
sys.exit(end_like(status))
"""


def test_lines_of_stdout_may_be_changed_on_their_way() -> None:
    program = "import sys; print('a one'); print('two', end=''); print('a', file=sys.stderr); sys.exit(5)"
    done = subprocess.run([sys.executable, "-c", FILTER, program], capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (5, b"\xff one\ntwo", b"a\n")


@posix_only
def test_lines_come_as_they_are_written_and_their_end_is_the_writers_to_handle() -> None:
    program = """if True:
        import os, sys
        print("first", flush=True)
        try:
            while True:
                os.write(1, b"more\\n")
        except BrokenPipeError:
            sys.exit(7)
    """
    with subprocess.Popen(
        [sys.executable, "-c", FILTER, program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"first\n"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 7


@posix_only
def test_become_pip_is_exactly_pip() -> None:
    module = become_pip.__module__
    script = f"from {module} import become_pip; import sys; become_pip(sys.executable, sys.argv[1:])"
    for arguments in (["--version"], ["no-such-command"]):
        ours, pips = (
            subprocess.run([sys.executable, *command, *arguments], capture_output=True)
            for command in (["-c", script], ["-m", "pip"])
        )
        assert (ours.returncode, ours.stdout, ours.stderr) == (pips.returncode, pips.stdout, pips.stderr)
