"""Fetches the pages that an installer will ask for while it still reads those that it got.

pip asks for one page after the other and computes in between. So most of its waiting ends when the next
pages are there before it asks: those of the projects it was told to install, and of what these require.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from variant_index.simple_api.page import ProjectFile
from variant_index.upstream.foresight import newest_wheel, required_projects
from variant_index.upstream.project import FetchedProject, Upstream
from variant_index.upstream.published_metadata import PublishedMetadata
from variant_index.upstream.recent import Recent

__all__ = ["Expected", "LookAhead", "LookAheads"]

_WORKERS: Final = 4
_MOST_PROJECTS: Final = 400
_KNOWN_BYTES: Final = 1 << 20
_NAME_BYTES: Final = 200


@dataclass(frozen=True, slots=True)
class Expected:
    """What is known of a run before it begins.

    Attributes:
        projects: normal name -> the extras wanted of it.
        accept: the `Accept` header under which pages will be asked for.
        is_likely: tells whether a project of this normal name may be asked for, called in other threads;
            false for what is installed, say.
    """

    projects: Mapping[str, frozenset[str]]
    accept: str
    is_likely: Callable[[str], bool]


class LookAheads:
    """Threads and memory that all runs share; safe to share between threads."""

    def __init__(
        self,
        upstream: Upstream,
        metadata: PublishedMetadata,
        is_likely: Callable[[str], bool],
        *,
        only_known: bool = False,
        room: int = 48 << 20,
    ) -> None:
        """Prepare; nothing is fetched and no thread runs yet.

        Args:
            upstream: the user's sources.
            metadata: reads what wheels require.
            is_likely: as in `Expected`.
            only_known: whether only projects are foreseen that some run asked for before: where many clients
                differ in what they have, much else would be fetched for nothing.
            room: bytes of pages that nobody has asked for yet; when they are used up nothing is foreseen.
        """
        self.upstream = upstream
        self.metadata = metadata
        self._is_likely = is_likely
        self._known: Recent[bool] | None = Recent(_KNOWN_BYTES) if only_known else None
        self._room = room
        self._lock = threading.Lock()
        self.used = 0
        """Bytes of pages that nobody has asked for yet."""
        self._tasks: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._threads = 0

    def begin(self) -> LookAhead:
        """Return the look-ahead of one run of an installer."""
        return LookAhead(self)

    def is_worthwhile(self, name: str) -> bool:
        """Tell whether a project's page is to be fetched before it is asked for."""
        if self.used >= self._room or (self._known is not None and not self._known.get(name)):
            return False
        return self._is_likely(name)

    def note(self, name: str) -> None:
        """Take note that a project was asked for."""
        if self._known is not None:
            self._known.put(name, True, _NAME_BYTES + len(name))

    def take(self, size: int) -> None:
        """Count bytes that are kept from now on; negative ones are free again."""
        with self._lock:
            self.used += size

    def do(self, task: Callable[[], None]) -> None:
        """Do something in another thread, soon."""
        self._tasks.put(task)
        with self._lock:
            if self._threads >= _WORKERS:
                return
            self._threads += 1
        # Ended with the process: nobody is to wait for a page that is not needed.
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        while True:
            task = self._tasks.get()
            with suppress(Exception):  # a guess must not be the reason that anything fails
                task()
            del task


class LookAhead:
    """The pages of one run of an installer; safe to share between threads.

    A page is fetched after the run began, so an installer never sees an older one than without this. It is
    handed out once; who asks again gets a new one. What fails is said when it is asked for, and not
    otherwise.
    """

    def __init__(self, shared: LookAheads) -> None:
        """Begin with nothing foreseen."""
        self._shared = shared
        self._lock = threading.Lock()
        self._is_over = False
        self._expected: dict[str, frozenset[str]] = {}
        self._newest: dict[str, ProjectFile] = {}
        self._asked: set[str] = set()
        self._foreseen: dict[tuple[str, str], Future[FetchedProject | None]] = {}

    def expect(self, projects: Mapping[str, frozenset[str]], accept: str) -> None:
        """Fetch pages before they are asked for.

        Args:
            projects: normal name -> the extras wanted of it.
            accept: the `Accept` header under which they will be asked for.
        """
        for name, extras in projects.items():
            with self._lock:
                known = self._expected.get(name)
                if known is None and len(self._expected) >= _MOST_PROJECTS:
                    continue
                if known is not None and known >= extras:
                    continue
                self._expected[name] = extras | (known or extras)
                newest = self._newest.get(name)
            if known is None:
                self._shared.do(partial(self._foresee, name, accept))
            elif newest is not None:
                self._shared.do(partial(self._require, name, newest, accept))

    def claim(self, name: str, accept: str) -> Future[FetchedProject | None] | None:
        """Return a project that was foreseen, perhaps still on its way; None where it was not.

        It is asked for from now on, so it will not be foreseen any more.
        """
        self._shared.note(name)
        with self._lock:
            self._asked.add(name)
            foreseen = self._foreseen.pop((name, accept), None)
        if foreseen is not None:
            foreseen.add_done_callback(self._release)
        return foreseen

    def project(self, name: str, accept: str) -> FetchedProject | None:
        """Return what `Upstream.project` does, fetched now, and expect what it leads to."""
        fetched = self._shared.upstream.project(name, accept)
        self._shared.do(partial(self._follow, fetched, accept))
        return fetched

    def end(self) -> None:
        """Forget what nobody asked for; the run is over."""
        with self._lock:
            self._is_over = True
            left = list(self._foreseen.values())
            self._foreseen.clear()
        for foreseen in left:
            foreseen.add_done_callback(self._release)

    def _foresee(self, name: str, accept: str) -> None:
        """Fetch a page, unless it was asked for meanwhile, and then those that it leads to."""
        if not self._shared.is_worthwhile(name):
            return
        answer: Future[FetchedProject | None] = Future()
        with self._lock:
            if self._is_over or name in self._asked:
                return
            self._foreseen[name, accept] = answer
        try:
            fetched = self._shared.upstream.project(name, accept)
        except BaseException as error:
            answer.set_exception(error)
            raise
        self._shared.take(_size(fetched))
        answer.set_result(fetched)
        self._follow(fetched, accept)

    def _follow(self, fetched: FetchedProject | None, accept: str) -> None:
        """Expect what the newest release of a project requires."""
        if self._is_over or fetched is None or fetched.raw is None:
            return
        newest = newest_wheel(fetched.raw, fetched.name)
        if newest is not None:
            with self._lock:
                self._newest[fetched.name] = newest
            self._require(fetched.name, newest, accept)

    def _require(self, name: str, wheel: ProjectFile, accept: str) -> None:
        """Expect what a wheel requires, with the extras that are wanted of it by now."""
        metadata = self._shared.metadata.of(wheel)
        if metadata is not None:
            with self._lock:
                extras = self._expected.get(name, frozenset())
            self.expect(required_projects(metadata, extras), accept)

    def _release(self, foreseen: Future[FetchedProject | None]) -> None:
        """Give back the room of a page that is no longer kept here."""
        if foreseen.exception() is None:
            self._shared.take(-_size(foreseen.result()))


def _size(fetched: FetchedProject | None) -> int:
    return len(fetched.raw.body) if fetched is not None and fetched.raw is not None else 0
