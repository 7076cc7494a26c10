"""How to learn what pip took of the wheels it was shown: from its own report, its lock file, its downloads.

Requests do not tell: pip reads the metadata of releases that it then passes over, and may fail or stop after
that (`--dry-run`). Its report says it, in releases where asking for one changes no output (since 23.0).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from glob import escape
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
_SITE_PACKAGES: Final = ("", "lib/python*/site-packages/", "Lib/site-packages/")
_FOLDERS: Final = {"download": "dest", "wheel": "wheel-dir"}


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where it stands what pip took, once it ended well.

    Attributes:
        kind: `document`, a file in which the links of the shim stand; `printed`, such a one on stdout;
            `wheels`, a folder where fetched wheels lie; `installed`, one into which they are unpacked, or the
            prefix of an environment; `none`, nothing can be known.
        path: the document or folder. None for a document means that pip must be asked to write one.
    """

    kind: Literal["document", "printed", "wheels", "installed", "none"]
    path: Path | None = None


def evidence(
    arguments: PipArguments,
    configuration: PipConfiguration,
    pip_version: tuple[int, ...],
    prefix: Callable[[], str],
) -> Evidence:
    """Return where to look after a run.

    Args:
        arguments: pip's.
        configuration: pip's.
        pip_version: empty where unknown.
        prefix: tells `sys.prefix` of the interpreter that pip installs for; called only when it matters.
    """
    if arguments.command == "lock":
        file = configuration.value(arguments, "output") or _LOCK_FILE
        return Evidence("printed") if file == "-" else Evidence("document", Path(file))
    if arguments.command in _FOLDERS:
        folder = configuration.value(arguments, _FOLDERS[arguments.command]) or "."
        return Evidence("wheels", Path(folder).expanduser())
    if arguments.command != "install":
        return Evidence("none")
    report = configuration.value(arguments, "report")
    if report is not None:
        return Evidence("printed") if report == "-" else Evidence("document", Path(report))
    if pip_version >= _SILENT_REPORTS:
        return Evidence("document")
    elsewhere = configuration.value(arguments, "root") or configuration.flag(arguments, "user")
    if elsewhere or configuration.flag(arguments, "dry-run"):
        return Evidence("none")
    place = configuration.value(arguments, "target") or configuration.value(arguments, "prefix") or prefix()
    return Evidence("installed", Path(place).expanduser())


def taken(
    proof: Evidence,
    fetched: Sequence[Chosen],
    chosen_in: Callable[[str], Sequence[Chosen]],
    printed: str = "",
) -> Sequence[Chosen]:
    """Return the choices that pip took in a run that ended well, by project.

    Args:
        proof: where it stands, with the path of a document.
        fetched: the choices whose wheels were fetched.
        chosen_in: finds the choices whose links stand in a text.
        printed: what pip printed, where it stands there.
    """
    if proof.kind == "printed":
        return sorted(chosen_in(printed), key=lambda one: one.name)
    if proof.path is None or proof.kind == "none":
        return ()
    if proof.kind == "document":
        try:
            with proof.path.open(encoding="utf-8", errors="replace") as file:
                return sorted(chosen_in(file.read(_MAX_CHARACTERS)), key=lambda one: one.name)
        except OSError:
            return ()  # pip wrote none, so it took nothing
    # What was fetched and then passed over is not there; what was there before was not fetched.
    if proof.kind == "wheels":
        return [one for one in fetched if (proof.path / (one.shown or one.filename)).exists()]
    return [one for one in fetched if _is_installed(proof.path, one)]


def _is_installed(place: Path, one: Chosen) -> bool:
    name, version = one.filename.split("-", 2)[:2]
    return any(
        any(place.glob(f"{folder}{escape(f'{name}-{version}')}.dist-info")) for folder in _SITE_PACKAGES
    )
