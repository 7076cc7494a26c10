"""Finds what a publisher brings: files in folders, with what tells whether they changed."""

from __future__ import annotations

import hashlib
import marshal
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from variant_index.errors import InputError, printable
from variant_index.model.filename import SIDECAR_SUFFIX
from variant_index.provenance.beside import SUFFIXES as ATTESTED
from variant_index.publish.release import FILE_SUFFIXES

__all__ = ["FileState", "InputPathError", "Listing", "find_files", "find_states", "list_files", "state_of"]


class InputPathError(InputError):
    """A path given by the user cannot be scanned."""


class FileState(NamedTuple):
    """A file, and what differs when it changed.

    Attributes:
        name: its name.
        path: where it is.
        size: bytes; -1 when it cannot be asked.
        mtime_ns: when its content changed, nanoseconds since 1970.
        ctime_ns: when it changed in any way (where the system knows), nanoseconds since 1970; 0 where
            that does not count.
        inode: its number in the file system.
        attested_ns: when its provenance object or attestation changed that lies beside it, 0 without one.
    """

    name: str
    path: str
    size: int = -1
    mtime_ns: int = 0
    ctime_ns: int = 0
    inode: int = 0
    attested_ns: int = 0


_Row = tuple[str, int, int, int, int, int]
"""What is in a FileState, but the path."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What was found; a rebuild of a large index consists of making this and comparing its digest.

    Attributes:
        folders: each with what to put before its files' names to have their paths.
        named: files that were given by name.
    """

    folders: list[tuple[str, list[_Row]]]
    named: list[FileState]

    def digest(self) -> str:
        """Return a text that is another one when any file is."""
        digest = hashlib.blake2b(digest_size=16)
        # The old format has the same bytes for equal values always; later ones go by object identity.
        for folder in self.folders:
            digest.update(marshal.dumps(folder, 2))
        digest.update(marshal.dumps([tuple(state) for state in self.named], 2))
        return digest.hexdigest()

    def names(self) -> Iterator[str]:
        """Yield the files' names."""
        for _, rows in self.folders:
            for row in rows:
                yield row[0]
        for state in self.named:
            yield state.name

    def states(self) -> list[FileState]:
        """Return the files, sorted by name."""
        found = {state.path: state for state in self.named}
        for prefix, rows in self.folders:
            for row in rows:
                path = prefix + row[0]
                found[path] = FileState(row[0], path, *row[1:])
        return sorted(found.values())


def list_files(paths: Iterable[Path], *, exclude: Path | None = None, linked: bool = False) -> Listing:
    """Find the wheels, source distributions and sidecars in `paths`.

    Folders are searched to any depth, without hidden folders, symbolic links to folders and `exclude`
    (the index that is written may lie inside its input). A file given by name must be one of the three
    kinds; other files in folders are passed over.

    Args:
        paths: folders and files.
        exclude: a folder that is not searched.
        linked: hard links to the files are made, which changes their `ctime_ns`: it does not count.

    Raises:
        InputPathError: a path does not exist, cannot be read, or is a file of another kind.
    """
    excluded = str(exclude.resolve()) if exclude is not None else None
    folders: list[tuple[str, list[_Row]]] = []
    named: list[FileState] = []
    for path in paths:
        if path.is_dir():
            # The real path of a folder below is that of this one and its name: links are not followed.
            _walk(str(path), str(path.resolve()), excluded, folders)
        elif not path.exists():
            raise InputPathError(f"{printable(str(path))}: there is no such file or folder")
        elif not path.name.endswith(FILE_SUFFIXES):
            raise InputPathError(
                f"{printable(str(path))}: neither a folder nor a wheel, .tar.gz or *{SIDECAR_SUFFIX}"
            )
        else:
            named.append(state_of(path))
    if linked:
        named = [state._replace(ctime_ns=0) for state in named]
        folders = [(prefix, [(*row[:3], 0, *row[4:]) for row in rows]) for prefix, rows in folders]
    return Listing(folders, named)


def find_states(
    paths: Iterable[Path], *, exclude: Path | None = None, linked: bool = False
) -> list[FileState]:
    """Return the files that `list_files` finds, sorted by name."""
    return list_files(paths, exclude=exclude, linked=linked).states()


def find_files(paths: Iterable[Path], *, exclude: Path | None = None) -> list[Path]:
    """Return the paths of what `list_files` finds."""
    return [Path(state.path) for state in find_states(paths, exclude=exclude)]


def _walk(folder: str, real: str, excluded: str | None, folders: list[tuple[str, list[_Row]]]) -> None:
    if real == excluded:
        return
    rows: list[_Row] = []
    below: list[str] = []
    attested: list[tuple[str, int]] = []
    try:
        with os.scandir(folder) as entries:
            # Nothing but plain tuples: with a hundred thousand files everything here counts.
            for entry in entries:
                name = entry.name
                if name.endswith(FILE_SUFFIXES) and name[0] != "." and not entry.is_dir():
                    try:
                        status = entry.stat()
                    except OSError:
                        rows.append((name, -1, 0, 0, 0, 0))  # reading it will say why
                        continue
                    rows.append(
                        (name, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, 0)
                    )
                elif entry.is_dir(follow_symlinks=False) and name[0] != ".":
                    below.append(name)
                elif name.endswith(ATTESTED):
                    attested.append((name, _changed_ns(entry)))
    except OSError as error:
        raise InputPathError(f"{printable(str(error.filename))}: {error.strerror}") from None
    rows.sort()
    folders.append((os.path.join(folder, ""), _with_attested(rows, attested) if attested else rows))  # noqa: PTH118
    for name in sorted(below):
        _walk(os.path.join(folder, name), os.path.join(real, name), excluded, folders)  # noqa: PTH118


def _with_attested(rows: Iterable[_Row], attested: Iterable[tuple[str, int]]) -> list[_Row]:
    """Add when what lies beside the files changed; the first kind counts where there are both."""
    changed = {
        name.removesuffix(suffix): time
        for suffix in reversed(ATTESTED)
        for name, time in attested
        if name.endswith(suffix)
    }
    return [(*row[:5], changed.get(row[0], 0)) for row in rows]


def _changed_ns(file: Path | os.DirEntry[str]) -> int:
    """Return when a file changed in any way; 0 when there is none."""
    try:
        status = file.stat()
    except OSError:
        return 0
    return max(status.st_mtime_ns, status.st_ctime_ns)


def state_of(path: Path) -> FileState:
    """Return the state of a file as it is now."""
    try:
        status = path.stat()
    except OSError:
        return FileState(path.name, str(path))
    return FileState(
        path.name,
        str(path),
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_ino,
        next(filter(None, (_changed_ns(path.with_name(path.name + suffix)) for suffix in ATTESTED)), 0),
    )
