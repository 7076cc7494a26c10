"""Finds what a publisher brings: files in folders, with what tells whether they changed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from variant_index.errors import InputError, printable
from variant_index.model.filename import SIDECAR_SUFFIX
from variant_index.provenance.beside import SUFFIXES as ATTESTED
from variant_index.publish.release import FILE_SUFFIXES

__all__ = ["FileState", "InputPathError", "find_files", "find_states", "state_of"]


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


def find_states(
    paths: Iterable[Path], *, exclude: Path | None = None, linked: bool = False
) -> list[FileState]:
    """Return the wheels, source distributions and sidecars in `paths`, sorted by name.

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
    found: dict[str, FileState] = {}
    for path in paths:
        if path.is_dir():
            # The real path of a folder below is that of this one and its name: links are not followed.
            _walk(str(path), str(path.resolve()), excluded, found)
        elif not path.exists():
            raise InputPathError(f"{printable(str(path))}: there is no such file or folder")
        elif not path.name.endswith(FILE_SUFFIXES):
            raise InputPathError(
                f"{printable(str(path))}: neither a folder nor a wheel, .tar.gz or *{SIDECAR_SUFFIX}"
            )
        else:
            found[str(path)] = state_of(path)
    if linked:
        return sorted(state._replace(ctime_ns=0) for state in found.values())
    return sorted(found.values())


def find_files(paths: Iterable[Path], *, exclude: Path | None = None) -> list[Path]:
    """Return the paths of what `find_states` finds."""
    return [Path(state.path) for state in find_states(paths, exclude=exclude)]


def _walk(folder: str, real: str, excluded: str | None, found: dict[str, FileState]) -> None:
    if real == excluded:
        return
    attested: dict[str, dict[str, int]] = {suffix: {} for suffix in reversed(ATTESTED)}
    try:
        with os.scandir(folder) as entries:
            # A rebuild of a large index consists of this loop.
            for entry in entries:
                name = entry.name
                if name.endswith(FILE_SUFFIXES) and not name.startswith(".") and not entry.is_dir():
                    path = entry.path
                    try:
                        status = entry.stat()
                    except OSError:
                        found[path] = FileState(name, path)  # reading it will say why
                        continue
                    found[path] = FileState(
                        name, path, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino
                    )
                elif entry.is_dir(follow_symlinks=False) and not name.startswith("."):
                    _walk(entry.path, os.path.join(real, name), excluded, found)  # noqa: PTH118 -- faster
                elif name.endswith(ATTESTED):
                    suffix = ATTESTED[0] if name.endswith(ATTESTED[0]) else ATTESTED[1]
                    attested[suffix][entry.path.removesuffix(suffix)] = _changed_ns(entry)
    except OSError as error:
        raise InputPathError(f"{printable(str(error.filename))}: {error.strerror}") from None
    # The first kind counts where there are both.
    for path, changed in (item for kind in attested.values() for item in kind.items()):
        if path in found:
            found[path] = found[path]._replace(attested_ns=changed)


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
