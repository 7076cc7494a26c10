"""Asking sources in order, and merging their findings fact by fact."""

from __future__ import annotations

import sys

from torch_variant_provider.facts import Fact, Findings, Knowledge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from torch_variant_provider.facts import Value

__all__ = ["Source", "gather"]

_LONGEST = 300


class Source:
    """One place to learn about the hardware: a module with a function `read(root) -> Findings`.

    The module is imported only when the source is asked.

    Attributes:
        name: how the source is called in reports.
        gives: names of the facts it may know.
        module: the module's full name.
        wakes: asking it makes the driver talk to the GPUs, which a hung GPU never answers.
    """

    __slots__ = ("gives", "module", "name", "wakes")

    def __init__(self, name: str, gives: tuple[str, ...], module: str, *, wakes: bool = False) -> None:
        self.name = name
        self.gives = gives
        self.module = module
        self.wakes = wakes

    def read(self, root: str) -> Findings:
        """Ask the source; whatever goes wrong becomes a warning.

        Args:
            root: prefix of every file that is read, `/` for this machine.
        """
        try:
            found = __import__(self.module, fromlist=["read"]).read(root)
            assert isinstance(found, Findings)
        except Exception as error:  # noqa: BLE001 - a source that fails must not hide what the others know
            return Findings(warnings=[f"{self.name}: {type(error).__name__}: {error}"])
        return found


def gather(sources: tuple[Source, ...], knowledge: Knowledge, wanted: tuple[str, ...], root: str) -> None:
    """Ask the sources in order until every wanted fact is known, and add what they found.

    A fact that is known stays: forced ones come before all sources, an earlier source before a later
    one. A source is asked only if it may know a wanted fact that is still missing.

    Args:
        sources: best first.
        knowledge: holds the forced facts; completed in place.
        wanted: names of the facts that the properties need.
        root: prefix of every file that is read, `/` for this machine.
    """
    if sys.platform == "darwin":
        knowledge.notes.append("macOS has no driver of this vendor")
        return
    hung = False
    for source in sources:
        if hung and source.wakes:
            continue
        if all(name in knowledge.facts for name in wanted if name in source.gives):
            continue
        found = source.read(root)
        for name, value in found.values.items():
            knowledge.facts.setdefault(name, Fact(_plain(value), source.name))
        knowledge.notes += map(_one_line, found.notes)
        knowledge.warnings += map(_one_line, found.warnings)
        if found.unanswered and knowledge.unanswered is None:
            knowledge.unanswered = _one_line((found.warnings or found.notes or [source.name])[-1])
        hung = hung or found.hung
        if found.conclusive:
            return


def _plain(value: Value) -> Value:
    return _one_line(value) if isinstance(value, str) else tuple(map(_one_line, value))


def _one_line(text: str) -> str:
    """Return text of a driver or a tool fit for one line of a terminal."""
    return text if text.isprintable() and len(text) <= _LONGEST else ascii(text[:_LONGEST])[1:-1]
