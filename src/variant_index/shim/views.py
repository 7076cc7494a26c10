"""One shim for several machines: which of them a path is for, and what was listed for it."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from variant_index.shim.catalog import Catalog
from variant_index.shim.file_table import FileTable
from variant_index.shim.watched_machine import Pace, WatchedMachine

if TYPE_CHECKING:
    from variant_index.model.machine import MachineProfile
    from variant_index.selection.choice import TargetTags

__all__ = ["Targets", "View", "Views"]

_MOST: Final = 32
_MACHINE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._,\-]{0,99}", re.ASCII)
_PYTHON: Final = re.compile(r"py(3\.[0-9]{1,3})", re.ASCII)


@dataclass(frozen=True, slots=True)
class View:
    """What one machine and interpreter sees.

    Attributes:
        catalog: the pages.
        files: the files linked on them.
        watched: tells when the machine is another one; None where that ends with the run.
    """

    catalog: Catalog
    files: FileTable
    watched: WatchedMachine | None = None


@dataclass(frozen=True, slots=True)
class Targets:
    """What else than the shim's own machine and interpreter clients may ask for.

    Attributes:
        machine: returns what detects the machine of a name, None where there is none of that name.
        tags: returns the tags of a version of Python such as `3.12`.
        pace: how often machines are examined.
    """

    machine: Callable[[str], Callable[[], MachineProfile] | None]
    tags: Callable[[str], TargetTags]
    pace: Pace = field(default_factory=Pace)


class Views:
    """Views by the first parts of a path, each made when it is first asked for; safe between threads.

    Where a machine supports something else than before, its view is made anew.

    `m/NAME` is another machine, `py3.12` another version of Python; both may stand there, in this order.
    """

    def __init__(
        self,
        default: View,
        make: Callable[[Callable[[], MachineProfile] | None, Callable[[], TargetTags] | None], View],
        again: Callable[[View], View],
        targets: Targets | None = None,
    ) -> None:
        """Start with one view.

        Args:
            default: for paths that name neither.
            make: makes a view for a machine and an interpreter, None for the shim's own.
            again: makes one for the same machine and interpreter, which may support something else now.
            targets: what may be named; None for nothing.
        """
        self._default = default
        self._make = make
        self._again = again
        self._targets = targets
        self._lock = threading.Lock()
        self._views: dict[tuple[str, str], View] = {}

    def find(self, parts: Sequence[str]) -> tuple[View | None, Sequence[str]]:
        """Return the view that a path is for, None for no such machine, and the rest of the path."""
        machine = python = ""
        if self._targets is not None:
            if len(parts) > 1 and parts[0] == "m":
                machine, parts = parts[1], parts[2:]
                if not _MACHINE.fullmatch(machine):
                    return None, parts
            if parts and (found := _PYTHON.fullmatch(parts[0])):
                python, parts = found[1], parts[1:]
        if machine or python:
            return self._view(machine, python), parts
        if self._default.watched is not None and self._default.watched.is_due():
            self._default = self._again(self._default)
        return self._default, parts

    @property
    def failed(self) -> int:
        """How many machines could not be examined when that was last tried."""
        with self._lock:
            views = [self._default, *self._views.values()]
        return sum(view.watched is not None and view.watched.failed for view in views)

    def _view(self, machine: str, python: str) -> View | None:
        targets = self._targets
        assert targets is not None
        with self._lock:
            if (view := self._views.pop((machine, python), None)) is None:
                detect = targets.machine(machine) if machine else None
                if machine and detect is None:
                    return None
                view = self._make(detect, (lambda: targets.tags(python)) if python else None)
                if len(self._views) >= _MOST:
                    del self._views[next(iter(self._views))]
            elif view.watched is not None and view.watched.is_due():
                view = self._again(view)
            self._views[machine, python] = view  # at the end: the one that was used last goes last
            return view

    def __len__(self) -> int:
        return len(self._views) + 1
