"""What earlier builds found out, so that a rebuild reads only what changed.

Notes are a convenience and never a source: every row carries a checksum, belongs to a file with exactly
this path, size, times and inode, and is used only where the published page says the same digest. A note
that is damaged, locked, or of another version counts as missing. They lie in the user's cache folder and
not in the index, because they name folders of this machine.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from variant_index import __version__
from variant_index.publish.find import FileState
from variant_index.publish.release import ReleaseKey

__all__ = ["FileNote", "Notes", "ReleaseNote", "notes_file"]

_FORMAT = 1

_TABLES = """
CREATE TABLE IF NOT EXISTS about (salt TEXT);
CREATE TABLE IF NOT EXISTS pages (project TEXT PRIMARY KEY, stamp TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS releases (project TEXT, version TEXT, inputs TEXT, warned INTEGER, report TEXT,
    sum BLOB, PRIMARY KEY (project, version)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, state TEXT, note TEXT, sum BLOB) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class FileNote:
    """What was read from a file.

    Attributes:
        sha256: digest of the whole file.
        document: its variants document as JSON, None without.
        findings: code and message of each rule that it breaks.
    """

    sha256: str
    document: str | None = None
    findings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ReleaseNote:
    """What was published of a release.

    Attributes:
        inputs: a digest of the states of the files it was made from.
        report: what was reported of it, as JSON.
        warned: whether there were warnings.
    """

    inputs: str
    report: str
    warned: bool


def notes_file(title: str) -> Path:
    """Return where the notes about an index are kept."""
    from platformdirs import user_cache_path

    name = hashlib.sha256(title.encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return user_cache_path("variant-index", appauthor=False) / "builds-v1" / f"{name}.sqlite"


class Notes:
    """The notes about one index; a context manager that forgets what was not saved."""

    def __init__(self, file: Path | None, options: str = "") -> None:
        """Open the notes in a file, which is made when missing; None keeps none.

        Args:
            file: where they are.
            options: what else decides how an index looks; notes made with other options are void.
        """
        self._file = file
        self._salt = f"{_FORMAT} {__version__} {options}"
        self._database: sqlite3.Connection | None = None

    def __enter__(self) -> Notes:
        if self._file is not None:
            for _ in range(2):
                try:
                    self._open(self._file)
                    break
                except (sqlite3.Error, OSError) as error:
                    self._give_up()
                    if isinstance(error, sqlite3.OperationalError):
                        break  # another build uses them, or they cannot be written
                    with contextlib.suppress(OSError):
                        self._file.unlink()
        return self

    def _open(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        # One transaction from here to `save`: nobody else changes the notes meanwhile.
        self._database = database = sqlite3.connect(file, timeout=1, isolation_level=None)
        database.executescript("PRAGMA synchronous=OFF;" + _TABLES)
        database.execute("BEGIN IMMEDIATE")
        if database.execute("SELECT salt FROM about").fetchall() != [(self._salt,)]:
            for table in ("about", "pages", "releases", "files"):
                database.execute(f"DELETE FROM {table}")  # noqa: S608 -- our own names
            database.execute("INSERT INTO about VALUES (?)", (self._salt,))

    def __exit__(self, *_: object) -> None:
        self._give_up()

    def _give_up(self) -> None:
        if self._database is not None:
            with contextlib.suppress(sqlite3.Error):
                self._database.close()
            self._database = None

    def _rows(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        if self._database is None:
            return []
        try:
            return self._database.execute(query, values).fetchall()
        except sqlite3.Error:
            self._give_up()
            return []

    @property
    def kept(self) -> bool:
        """Whether what is noted will be kept."""
        return self._database is not None

    def stamps(self) -> Mapping[str, str]:
        """Return the stamps that the projects' pages had when they were written."""
        return dict(self._rows("SELECT project, stamp FROM pages"))

    def inputs(self) -> Mapping[str, Mapping[str, str]]:
        """Return for each project and version the digest of what it was made from."""
        found: dict[str, dict[str, str]] = {}
        for project, version, inputs in self._rows("SELECT project, version, inputs FROM releases"):
            found.setdefault(project, {})[version] = inputs
        return found

    def reports(self, *, warned: bool = False) -> Mapping[ReleaseKey, str]:
        """Return what was reported of each release, or of those with warnings only."""
        query = "SELECT project, version, inputs, warned, report, sum FROM releases"
        rows = self._rows(query + (" WHERE warned" if warned else ""))
        return {(row[0], row[1]): row[4] for row in rows if row[5] == _sum(*row[:5])}

    def file(self, state: FileState) -> FileNote | None:
        """Return what was read from a file, None when it changed since or nothing is known."""
        for note, check in self._rows(
            "SELECT note, sum FROM files WHERE path = ? AND state = ?", state.path, _text(state)
        ):
            if check == _sum(state.path, _text(state), note):
                sha256, document, findings = json.loads(note)
                return FileNote(sha256, document, tuple((code, message) for code, message in findings))
        return None

    def add_files(self, notes: Iterable[tuple[FileState, FileNote]]) -> None:
        """Note what was read from files."""
        self._write("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", map(_file_row, notes))

    def set_project(self, project: str, releases: Mapping[str, ReleaseNote], unchanged: Set[str]) -> None:
        """Note the releases of a project, by version; but for the unchanged ones, others are forgotten."""
        known = self._rows("SELECT version FROM releases WHERE project = ?", project)
        gone = [(project, version) for (version,) in known if version not in unchanged]
        self._write("DELETE FROM releases WHERE project = ? AND version = ?", gone)
        rows = []
        for version, note in releases.items():
            row = (project, version, note.inputs, int(note.warned), note.report)
            rows.append((*row, _sum(*row)))
        self._write("INSERT INTO releases VALUES (?, ?, ?, ?, ?, ?)", rows)

    def save(self, stamps: Mapping[str, str]) -> None:
        """Keep what was noted, with the stamps of all pages as they are now."""
        self._write("DELETE FROM pages", [()])
        self._write("INSERT INTO pages VALUES (?, ?)", stamps.items())
        known = self._rows("SELECT DISTINCT project FROM releases")
        self._write("DELETE FROM releases WHERE project = ?", [row for row in known if row[0] not in stamps])
        if self._database is not None:
            with contextlib.suppress(sqlite3.Error):
                self._database.execute("COMMIT")

    def _write(self, query: str, rows: Iterable[tuple[object, ...]]) -> None:
        if self._database is None:
            return
        try:
            self._database.executemany(query, rows)
        except sqlite3.Error:
            self._give_up()


def _text(state: FileState) -> str:
    return f"{state.size} {state.mtime_ns} {state.ctime_ns} {state.inode} {state.attested_ns}"


def _file_row(noted: tuple[FileState, FileNote]) -> tuple[object, ...]:
    state, note = noted
    text = json.dumps([note.sha256, note.document, note.findings])
    return state.path, _text(state), text, _sum(state.path, _text(state), text)


def _sum(*fields: object) -> bytes:
    return hashlib.blake2b(repr(fields).encode("utf-8", "surrogateescape"), digest_size=16).digest()
