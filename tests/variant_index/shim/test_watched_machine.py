"""A shim that runs for long looks at its machines again: no restart after a failure or a new driver."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.variant_index.shim.family import ANY, NAME, add_family, cpu_machine, cuda_machine
from tests.variant_index.shim.serving import Shim, running_shim
from tests.variant_index.upstream.fake_index import FakeIndex
from variant_index.detection import DetectionError, DetectionSettings
from variant_index.errors import InputError
from variant_index.model.machine import MachineProfile
from variant_index.selection.choice import TargetTags
from variant_index.shim.views import Targets
from variant_index.shim.watched_machine import Pace, WatchedMachine
from variant_index.simple_api.render import JSON_TYPE

WAIT = 60.0


class Clock:
    """A clock that stands still until told otherwise."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Box:
    """A machine whose driver changes; `looks` counts, `looked` is set after each look."""

    def __init__(self, *answers: MachineProfile | Exception) -> None:
        self.answers = list(answers)
        self.looks = 0
        self.hold: threading.Event | None = None

    def __call__(self) -> MachineProfile:
        answer = self.answers[min(self.looks, len(self.answers) - 1)]
        self.looks += 1
        if self.hold is not None:
            assert self.hold.wait(WAIT)
        if isinstance(answer, Exception):
            raise answer
        return answer


DEAD = DetectionError("GPU not detected: the driver hangs")


def watched(
    box: Box, clock: Clock, tags: Callable[[], TargetTags] = lambda: ANY
) -> tuple[WatchedMachine, list[object], threading.Semaphore]:
    """Return a machine, what it told of its looks and warned of, and a count of its looks that ended."""
    told: list[object] = []
    ended = threading.Semaphore(0)

    def looked(succeeded: bool) -> None:
        told.append(succeeded)
        ended.release()

    return WatchedMachine(box, tags, Pace(60, 600, clock), looked=looked, warn=told.append), told, ended


def test_a_failure_is_a_failure_for_a_minute() -> None:
    box, clock = Box(DEAD, DEAD, cuda_machine("12.8")), Clock()
    machine, told, _ = watched(box, clock)
    assert not machine.is_due()  # nobody has asked yet
    for looks in (1, 2):
        with pytest.raises(DetectionError):
            machine.machine()
        assert (machine.failed, box.looks) == (True, looks)
        clock.now += 59
        assert not machine.is_due()
        clock.now += 1
        assert [machine.is_due(), machine.is_due()] == [True, False]
    assert machine.machine() == cuda_machine("12.8")
    assert (machine.failed, told) == (False, [False, False, True])


def test_what_changed_is_announced_once_and_nobody_waits_for_the_look() -> None:
    box, clock = Box(cuda_machine("12.6"), cuda_machine("12.6"), cuda_machine("12.8")), Clock()
    machine, told, ended = watched(box, clock)
    machine.machine()
    assert ended.acquire(timeout=WAIT)
    clock.now += 599
    assert not machine.is_due()
    assert box.looks == 1
    clock.now += 1
    box.hold = threading.Event()
    assert [machine.is_due(), machine.is_due()] == [False, False]  # it is being looked at
    box.hold.set()
    assert ended.acquire(timeout=WAIT)
    assert not machine.is_due()  # and supports what it did
    clock.now += 600
    assert not machine.is_due()
    assert ended.acquire(timeout=WAIT)
    until(machine.is_due)
    assert not machine.is_due()
    assert machine.machine() == cuda_machine("12.8")
    assert (box.looks, told) == (3, [True, True, True])


def test_a_known_machine_stays_known_while_looks_fail() -> None:
    box, clock = Box(cuda_machine("12.6"), DEAD, cuda_machine("13.0")), Clock()
    machine, told, ended = watched(box, clock)
    machine.machine()
    clock.now += 600
    assert not machine.is_due()
    assert ended.acquire(timeout=WAIT)
    assert ended.acquire(timeout=WAIT)
    assert machine.failed
    assert told == [True, f"{DEAD}; what it supported before is kept", False]
    clock.now += 60
    assert not machine.is_due()
    until(machine.is_due)
    assert not machine.failed


def test_an_interpreter_that_does_not_answer_is_asked_again() -> None:
    answers: list[TargetTags | Exception] = [InputError("no Python"), ANY]

    def tags() -> TargetTags:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    clock = Clock()
    machine, _, _ = watched(Box(cpu_machine()), clock, tags)
    machine.machine()
    with pytest.raises(InputError):
        machine.tags()
    assert machine.failed
    clock.now += 60
    assert machine.is_due()
    assert machine.machine() == cpu_machine()
    assert machine.tags() is ANY
    assert not machine.failed


def until(true: Callable[[], bool]) -> None:
    """Ask again until the thread that looks has said what it saw."""
    for _ in range(6000):
        if true():
            return
        threading.Event().wait(0.01)
    pytest.fail("nothing happened")


@pytest.fixture
def index(tmp_path: Path) -> Iterator[FakeIndex]:
    with FakeIndex() as index:
        add_family(index, tmp_path / "files")
        yield index


def label(shim: Shim, path: str = "") -> str | None:
    """Return what is chosen on a page, None where the machine could not be examined."""
    answer = shim.ask(shim.index_url.removesuffix("simple/") + f"{path}simple/{NAME}/")
    if answer.status == 424:
        return None
    assert answer.status == 200
    (wheel,) = (name for name in answer.files() if name.startswith(f"{NAME}-2.0-"))
    return wheel.partition("-0_")[2].partition("-")[0]


def health(shim: Shim) -> str:
    answer = shim.ask("/healthz")
    assert answer.status == 200
    return answer.body.decode().strip()


def metrics(shim: Shim, prefix: str = "variant_index_machine") -> list[str]:
    token = shim.index_url.split("/")[3]
    answer = shim.ask("/metrics", headers={"Authorization": f"Bearer {token}"})
    return [line for line in answer.body.decode().splitlines() if line.startswith(prefix)]


def test_a_running_shim_gets_over_a_failure(index: FakeIndex) -> None:
    box, clock = Box(DEAD, cuda_machine("12.8")), Clock()
    targets = Targets(lambda _name: None, lambda _version: ANY, Pace(clock=clock))
    with running_shim(index.url, machine=box, targets=targets) as shim:
        assert health(shim) == "ok"
        assert [label(shim), label(shim)] == [None, None]
        assert box.looks == 1
        assert health(shim) == "degraded: a machine was not examined"
        assert metrics(shim) == [
            "variant_index_machines 1",
            "variant_index_machines_failed 1",
            'variant_index_machine_looks_total{result="failed"} 1',
        ]
        clock.now += 60
        assert health(shim) != "ok"  # nobody needed to know
        assert label(shim) == "cu128"
        assert health(shim) == "ok"
        assert metrics(shim)[1:] == [
            "variant_index_machines_failed 0",
            'variant_index_machine_looks_total{result="failed"} 1',
            'variant_index_machine_looks_total{result="ok"} 1',
        ]


def test_a_running_shim_sees_a_new_driver_and_keeps_old_links(index: FakeIndex, tmp_path: Path) -> None:
    clock, box = Clock(), Box(cuda_machine("12.6"), cuda_machine("13.0"))
    profile = tmp_path / "box.json"
    profile.write_text(cuda_machine("12.6").model_dump_json())
    settings = DetectionSettings(machine=str(profile))
    targets = Targets(lambda _name: settings.profile, lambda _version: ANY, Pace(clock=clock))
    with running_shim(index.url, machine=box, targets=targets) as shim:
        for path in ("", "m/box/"):
            profile.write_text(cuda_machine("12.6").model_dump_json())
            assert label(shim, path) == "cu126"
            page = shim.ask(shim.index_url.removesuffix("simple/") + f"{path}simple/{NAME}/")
            (link,) = (file["url"] for file in json.loads(page.body)["files"] if "cu126" in file["url"])
            profile.write_text(cuda_machine("13.0").model_dump_json())
            assert label(shim, path) == "cu126"
            clock.now += 600
            until(lambda path=path: label(shim, path) == "cu130")  # type: ignore[misc]
            address = shim.index_url.removesuffix("simple/") + path + link.removeprefix("../../")
            assert shim.ask(address).status == 302


def test_clients_that_hang_up_leave_nothing_behind(index: FakeIndex) -> None:
    box, clock = Box(cuda_machine("12.8")), Clock()
    box.hold = threading.Event()
    targets = Targets(lambda _name: None, lambda _version: ANY, Pace(clock=clock))
    with running_shim(index.url, machine=box, targets=targets) as shim:
        path = urlsplit(shim.index_url).path
        head = f"GET {path}{NAME}/ HTTP/1.1\r\nHost: {shim.authority}\r\nAccept: {JSON_TYPE}\r\n\r\n"
        host, _, port = shim.authority.partition(":")
        for _ in range(3):
            with socket.create_connection((host, int(port))) as client:
                client.sendall(head.encode())
                until(lambda: box.looks == 1)
        box.hold.set()
        assert label(shim) == "cu128"
        until(lambda: "variant_index_connections 1" in metrics(shim, "variant_index_connections"))
    assert box.looks == 1
    assert shim.journal.failures == ()


def test_a_shim_for_one_run_asks_once(index: FakeIndex) -> None:
    box = Box(DEAD, cuda_machine("12.8"))
    with running_shim(index.url, machine=box) as shim:
        assert [label(shim), label(shim)] == [None, None]
        assert box.looks == 1
