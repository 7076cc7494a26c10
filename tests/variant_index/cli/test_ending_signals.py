"""A service ends at the first signal, whenever that comes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from variant_index.cli.ending_signals import ending_signals

pytestmark = pytest.mark.skipif(os.name != "posix", reason="sends POSIX signals")

# Threads that compute keep the main one waiting before nearly every step.
_PROGRAM = """
import signal, sys, threading
from variant_index.cli.ending_signals import ending_signals
sys.setswitchinterval(0.0005)
for _ in range(3):
    threading.Thread(target=lambda: [sum(range(100)) for _ in iter(int, 1)], daemon=True).start()
with ending_signals() as wait:
    print("up", flush=True)
    wait()
print("ended", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_never_lost(number: signal.Signals) -> None:
    for _ in range(20):
        with subprocess.Popen([sys.executable, "-c", _PROGRAM], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
            process.send_signal(number)
            out, _ = process.communicate(timeout=60)
        assert (process.returncode, out) == (0, "ended\n")


def test_one_that_came_before_counts_and_the_next_has_its_usual_effect() -> None:
    program = """if True:
        import os, signal
        from variant_index.cli.ending_signals import ending_signals
        with ending_signals() as wait:
            os.kill(os.getpid(), signal.SIGTERM)
            wait()
            print("came", flush=True)
            os.kill(os.getpid(), signal.SIGTERM)
            print("not here")
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, "came\n")


def test_who_does_not_wait_leaves_everything_as_it_was() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with ending_signals():
        assert signal.getsignal(signal.SIGTERM) != before[0]
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    assert signal.set_wakeup_fd(-1) == -1
