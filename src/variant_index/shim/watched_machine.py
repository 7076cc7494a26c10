"""A machine under a shim that runs for long: examined again after a failure, and after a while.

Drivers may come up after the service, and are upgraded; GPUs come and go. None of that needs a restart.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from variant_index.errors import VariantIndexError

if TYPE_CHECKING:
    from variant_index.model.machine import MachineProfile
    from variant_index.selection.choice import TargetTags

__all__ = ["Pace", "WatchedMachine"]


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a machine is examined at most; never but for a request.

    Attributes:
        retry: seconds after a failure.
        renew: seconds after an answer.
        clock: tells the time in seconds.
    """

    retry: float = 60.0
    renew: float = 600.0
    clock: Callable[[], float] = time.monotonic


class WatchedMachine:
    """A machine and the interpreter on it; safe to share between threads.

    Who chooses by what they answer asks once, and starts anew when `is_due` says so.

    Attributes:
        failed: whether the last look failed.
    """

    def __init__(
        self,
        machine: Callable[[], MachineProfile],
        tags: Callable[[], TargetTags],
        pace: Pace,
        *,
        looked: Callable[[bool], None],
        warn: Callable[[str], None],
    ) -> None:
        """Prepare; nothing is asked yet.

        Args:
            machine: examines the machine.
            tags: asks the interpreter for its tags.
            pace: how often.
            looked: told of every look whether it succeeded.
            warn: takes what a look said that nobody waited for.
        """
        self.failed = False
        self._machine = machine
        self._tags = tags
        self._pace = pace
        self._looked = looked
        self._warn = warn
        self._lock = threading.Lock()
        self._next = math.inf
        self._profile: MachineProfile | None = None
        self._changed: MachineProfile | None = None
        self._is_due = False

    def machine(self) -> MachineProfile:
        """Return what the machine supports; raises as what examines it does."""
        with self._lock:
            if self._changed is not None:
                self._profile, self._changed = self._changed, None
                return self._profile
        try:
            profile = self._machine()
        except VariantIndexError:
            self._ended(None)
            raise
        self._ended(profile)
        return profile

    def tags(self) -> TargetTags:
        """Return the interpreter's tags; raises as what asks for them does."""
        try:
            return self._tags()
        except VariantIndexError:
            self._ended(None)
            raise

    def is_due(self) -> bool:
        """Tell whether what was answered holds no longer; True once each time.

        Nobody waits for a machine that is known: it is examined beside, and its old answers serve meanwhile.
        """
        now = self._pace.clock()
        if now < self._next and not self._is_due:
            return False
        with self._lock:
            if self._is_due:
                self._is_due = False
                return True
            if now < self._next:
                return False
            self._next = now + self._pace.retry
            if self._profile is None:
                return True
            threading.Thread(target=self._look_beside, args=(self._profile,), daemon=True).start()
            return False

    def _look_beside(self, former: MachineProfile) -> None:
        try:
            profile = self._machine()
        except VariantIndexError as error:
            self._warn(f"{error}; what it supported before is kept")
            self._ended(former, failed=True)
            return
        self._ended(former)
        if profile.supported() != former.supported():
            with self._lock:
                self._changed, self._is_due = profile, True

    def _ended(self, profile: MachineProfile | None, *, failed: bool = False) -> None:
        failed = failed or profile is None
        with self._lock:
            self.failed, self._profile = failed, profile
            self._next = self._pace.clock() + (self._pace.retry if failed else self._pace.renew)
        self._looked(not failed)
