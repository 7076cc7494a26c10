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
import os
import shutil
import sqlite3
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from variant_index import __version__
from variant_index.publish.changes import ProjectChange
from variant_index.publish.find import FileState
from variant_index.publish.release import ReleaseKey

__all__ = ["FileNote", "Notes", "ReleaseNote", "notes_file"]

_FORMAT = 2
_FOLDER = f"builds-v{_FORMAT}"
_FORMER = ("builds-v1",)

_KEEP_SECONDS = 90 * 86400
_KEEP_BYTES = 1 << 30
"""Notes about indexes that are not built any more go when they are old, or all notes together are large."""

_TABLES = """
CREATE TABLE IF NOT EXISTS about (salt TEXT, inputs TEXT);
CREATE TABLE IF NOT EXISTS pages (project TEXT PRIMARY KEY, stamp TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS releases (project TEXT, version TEXT, inputs TEXT, warned INTEGER, report TEXT,
    sum BLOB, PRIMARY KEY (project, version)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS files (project TEXT, path TEXT, version TEXT, state TEXT, note TEXT, sum BLOB,
    PRIMARY KEY (project, path)) WITHOUT ROWID;
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
    return user_cache_path("variant-index", appauthor=False) / _FOLDER / f"{name}.sqlite"


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
            database.execute("INSERT INTO about VALUES (?, NULL)", (self._salt,))
        os.utime(file)  # it is in use

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

    def same(self, inputs: str, stamps: Mapping[str, str]) -> bool:
        """Tell whether everything is as it was when a build had found nothing left to do.

        Args:
            inputs: the digest of all files, see `save`.
            stamps: those of the projects' pages now.
        """
        return self._rows("SELECT inputs FROM about") == [(inputs,)] and self.stamps() == stamps

    def count(self) -> int:
        """Return how many releases are published."""
        return sum(number for (number,) in self._rows("SELECT count(*) FROM releases"))

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

    def files(self, change: ProjectChange) -> list[tuple[FileState, FileNote]]:
        """Return what was read from the files of changed releases that have not changed since."""
        query = "SELECT path, state, note, sum FROM files WHERE project = ?"
        rows = {row[0]: row[1:] for row in self._rows(query, change.name)} if change.changed else {}
        found = []
        for state in change.files():
            text, note, check = rows.get(state.path, ("", "", b""))
            if text == _text(state) and check == _sum(state.path, text, note):
                sha256, document, findings = json.loads(note)
                findings = tuple((code, message) for code, message in findings)
                found.append((state, FileNote(sha256, document, findings)))
        return found

    def set_project(
        self,
        change: ProjectChange,
        releases: Mapping[str, ReleaseNote],
        files: Iterable[tuple[FileState, FileNote]],
    ) -> None:
        """Note what was published of a project, by version, and read from files.

        Releases that did not change stay noted, other releases and files that are gone are forgotten.
        """
        project = change.name
        known = self._rows("SELECT version FROM releases WHERE project = ?", project)
        gone = [(project, version) for (version,) in known if version not in change.unchanged]
        self._write("DELETE FROM releases WHERE project = ? AND version = ?", gone)
        rows = []
        for version, note in releases.items():
            row = (project, version, note.inputs, int(note.warned), note.report)
            rows.append((*row, _sum(*row)))
        self._write("INSERT INTO releases VALUES (?, ?, ?, ?, ?, ?)", rows)
        versions = {state.path: version for version, states in change.changed.items() for state in states}
        known = self._rows("SELECT path, version FROM files WHERE project = ?", project)
        gone = [
            (project, path)
            for path, version in known
            if path not in versions and version not in change.unchanged
        ]
        self._write("DELETE FROM files WHERE project = ? AND path = ?", gone)
        self._write(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)",
            (
                (project, state.path, versions[state.path], *_file_row(state, note))
                for state, note in files
                if _is_text(state.path)
            ),
        )

    def save(self, stamps: Mapping[str, str], inputs: str | None) -> None:
        """Keep what was noted.

        Args:
            stamps: those of all pages as they are now.
            inputs: the digest of all files, when all that they are is published and noted.
        """
        self._write("UPDATE about SET inputs = ?", [(inputs,)])
        self._write("DELETE FROM pages", [()])
        self._write("INSERT INTO pages VALUES (?, ?)", stamps.items())
        for table in ("releases", "files"):
            known = self._rows(f"SELECT DISTINCT project FROM {table}")  # noqa: S608 -- our own names
            gone = [row for row in known if row[0] not in stamps]
            self._write(f"DELETE FROM {table} WHERE project = ?", gone)  # noqa: S608
        if self._database is not None and self._file is not None:
            with contextlib.suppress(sqlite3.Error):
                self._database.execute("COMMIT")
                self._shrink(self._database)
            if self._file.parent.name == _FOLDER:
                _prune(self._file, time.time())

    def _shrink(self, database: sqlite3.Connection) -> None:
        """Give back the space of what was forgotten, when that is most of the file."""
        ((free,),), ((pages,),) = (
            database.execute(f"PRAGMA {name}").fetchall() for name in ("freelist_count", "page_count")
        )
        if free > pages // 2:
            database.execute("VACUUM")

    def _write(self, query: str, rows: Iterable[tuple[object, ...]]) -> None:
        if self._database is None:
            return
        try:
            self._database.executemany(query, rows)
        except sqlite3.Error:
            self._give_up()


def _text(state: FileState) -> str:
    return f"{state.size} {state.mtime_ns} {state.ctime_ns} {state.inode} {state.attested_ns}"


def _is_text(path: str) -> bool:
    """Tell whether a path is Unicode, as what is in a database must be; on Linux it need not be."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _file_row(state: FileState, note: FileNote) -> tuple[object, ...]:
    text = json.dumps([note.sha256, note.document, note.findings])
    return _text(state), text, _sum(state.path, _text(state), text)


def _prune(file: Path, now: float) -> None:
    """Remove the notes about indexes that were not built for long, and the oldest of too many.

    Whoever uses one of them meanwhile reads everything once more.
    """
    for former in _FORMER:
        shutil.rmtree(file.parent.parent / former, ignore_errors=True)
    with contextlib.suppress(OSError):
        others = [(other, other.stat()) for other in file.parent.glob("*.sqlite") if other != file]
        left = _KEEP_BYTES - file.stat().st_size
        for other, status in sorted(others, key=lambda item: -item[1].st_mtime):
            left -= status.st_size
            if left < 0 or status.st_mtime < now - _KEEP_SECONDS:
                # The journal first: it must not be taken for that of a new file.
                Path(f"{other}-journal").unlink(missing_ok=True)
                other.unlink(missing_ok=True)


def _sum(*fields: object) -> bytes:
    return hashlib.blake2b(repr(fields).encode("utf-8", "surrogateescape"), digest_size=16).digest()
