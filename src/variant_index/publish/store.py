"""Where an index lives: what a store must do so that its readers see an old index or a new one, never a mix.

The planner knows no store and a store knows no wheels; between them are the steps of `plan.py`. Two
kinds of path, and nothing else, are in an index:

* `files/PROJECT/BATCH/NAME`: bytes that never change, because BATCH is a digest of all that is in it. They
  can be written at any time, by several publishers at once, and cached forever.
* `simple/...`: pages. They change together, when every file they name is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from variant_index.errors import InputError, VariantIndexError
from variant_index.publish.layout import Layout
from variant_index.publish.plan import Copy, Delete, Put, Step
from variant_index.simple_api.page import ProjectPage

__all__ = ["OnStep", "OvertakenError", "SourceChangedError", "Step", "Store", "StoreError"]

OnStep = Callable[[Step, bool], object]
"""Called when a step is prepared, with whether it changes anything."""


class StoreError(InputError):
    """The place cannot hold the index: something in it is not ours, or somebody else is writing there."""


class SourceChangedError(InputError):
    """A file is no longer what it was when it was read."""


class OvertakenError(VariantIndexError):
    """Somebody else published meanwhile: read what is published, and plan again."""

    exit_code = 2


class Store(Protocol):
    """An index at some place.

    Every method may raise OSError (or an UpstreamError, where a server is asked) when the place cannot
    be read or written. Names are normal project names.
    """

    @property
    def title(self) -> str:
        """The place as the user named it."""

    @property
    def scratch(self) -> Path | None:
        """A local folder from which files can be moved into the index; None where they are uploaded.

        It exists while `exclusive`. Sources of `Copy` steps that are `owned` lie below it.
        """

    def exclusive(self) -> AbstractContextManager[None]:
        """Keep other publishers out, where the place allows that, and finish what a killed one left.

        Everything below is called inside. Where others cannot be kept out, `carry_out` notices them.

        Raises:
            StoreError: another publisher is at work.
        """

    def stamps(self) -> Mapping[str, str]:
        """Return, for each project that has a page, a text that changes whenever the page does.

        It is compared and never interpreted: an ETag, or a file's inode, size and time. Cheap: no page
        is read.
        """

    def layout(self) -> Layout | None:
        """Return the forms that pages have, None when nothing is published."""

    def page(self, name: str) -> ProjectPage | None:
        """Return a project's page, None when it has none. The addresses are as in `plan.py`: relative.

        Raises:
            StoreError: it cannot be read, so what is published already is not known.
        """

    def read(self, path: str) -> bytes:
        """Return a small file (under `files/`): a sidecar.

        Raises:
            OSError: it is not there.
        """

    def carry_out(self, steps: Iterable[Copy | Put | Delete], on_step: OnStep | None = None) -> None:
        """Make the index what the steps say, at once.

        The steps are made while they are asked for, and must not be kept: there may be millions. Files
        (`files/`) are stored as they come; pages (`simple/`) are put aside, and take effect together
        after the last step. When the iterable raises, and when anything else goes wrong, no page
        changes. Pages that no step names stay.

        A `Delete` of a file takes effect after a grace period, because readers of the old pages may
        still want it; and only if no page names it again by then.

        Args:
            steps: of any number of projects, files before the pages that name them.
            on_step: told about each step.

        Raises:
            SourceChangedError: a file to copy does not have the digest it had when it was read.
            OvertakenError: another publisher changed a page since it was read here; nothing is
                published, plan again.
        """
