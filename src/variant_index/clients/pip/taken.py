"""How to learn what pip took of the wheels it was shown: from its own report, its lock file, its downloads.

Requests do not tell: pip reads the metadata of releases that it then passes over, and may fail or stop after
that (`--dry-run`). Its report says it, in releases where asking for one changes no output (since 23.0).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from variant_index.clients.pip.arguments import PipArguments
from variant_index.clients.pip.configuration import PipConfiguration

if TYPE_CHECKING:
    from variant_index.shim.present import Chosen

__all__ = ["Evidence", "evidence", "taken"]

_SILENT_REPORTS: Final = (23,)
_MAX_CHARACTERS: Final = 256 << 20
_LOCK_FILE: Final = "pylock.toml"
_FOLDERS: Final = {"download": "dest", "wheel": "wheel-dir"}


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where it stands what pip took, once it ended well.

    Attributes:
        kind: `document`, a file in which the links of the shim stand; `folder`, where fetched wheels lie;
            `requests`, what was fetched is all there is to know; `none`, nothing can be known.
        path: the document or folder. None for a document means that pip must be asked to write one.
    """

    kind: Literal["document", "folder", "requests", "none"]
    path: Path | None = None


def evidence(
    arguments: PipArguments, configuration: PipConfiguration, pip_version: tuple[int, ...]
) -> Evidence:
    """Return where to look after a run.

    Args:
        arguments: pip's.
        configuration: pip's.
        pip_version: empty where unknown.
    """
    if arguments.command == "lock":
        file = configuration.value(arguments, "output") or _LOCK_FILE
        return Evidence("none") if file == "-" else Evidence("document", Path(file))
    if arguments.command in _FOLDERS:
        folder = configuration.value(arguments, _FOLDERS[arguments.command]) or "."
        return Evidence("folder", Path(folder).expanduser())
    if arguments.command != "install":
        return Evidence("none")
    report = configuration.value(arguments, "report")
    if report is not None and report != "-":
        return Evidence("document", Path(report))
    if report is None and pip_version >= _SILENT_REPORTS:
        return Evidence("document")
    return Evidence("none" if configuration.flag(arguments, "dry-run") else "requests")


def taken(
    proof: Evidence, fetched: Sequence[Chosen], chosen_in: Callable[[str], Sequence[Chosen]]
) -> Sequence[Chosen]:
    """Return the choices that pip took in a run that ended well, by project.

    Args:
        proof: where it stands, with the path of a document.
        fetched: the choices whose wheels were fetched.
        chosen_in: finds the choices whose links stand in a text.
    """
    if proof.kind == "none":
        return ()
    if proof.kind == "folder" and proof.path is not None:
        # What was fetched and then passed over is not there; what was there before was not fetched.
        return [one for one in fetched if (proof.path / (one.shown or one.filename)).exists()]
    if proof.kind == "document" and proof.path is not None:
        try:
            with proof.path.open(encoding="utf-8", errors="replace") as file:
                return sorted(chosen_in(file.read(_MAX_CHARACTERS)), key=lambda one: one.name)
        except OSError:
            return fetched  # this pip writes none
    return fetched
