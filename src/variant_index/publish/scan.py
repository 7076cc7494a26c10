"""Finds and reads what a publisher brings: folders and files in, values and refusals out.

One bad file never stops the others; it becomes a refusal of the release that its name belongs to.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from variant_index.errors import InputError, printable
from variant_index.model.document import MAX_DOCUMENT_BYTES, DocumentError
from variant_index.model.filename import (
    SIDECAR_SUFFIX,
    FilenameError,
)
from variant_index.publish.release import (
    FILE_SUFFIXES,
    FoundSidecar,
    FoundSource,
    FoundWheel,
    Refusal,
    Scan,
    release_of,
)
from variant_index.wheel.read import read_wheel

__all__ = ["InputPathError", "ReleaseNameError", "SameNameError", "file_sha256", "find_files", "scan"]

# Hashing releases the interpreter's lock, which pays for big files; small ones are faster in turn.
_BIG = 16 << 20


class InputPathError(InputError):
    """A path given by the user cannot be scanned."""


class SameNameError(InputError):
    """Two files of one name have different bytes."""

    rule = "REL004"


class ReleaseNameError(FilenameError):
    """A file's name does not say which release it belongs to."""

    rule = "REL007"


def find_files(paths: Iterable[Path], *, exclude: Path | None = None) -> list[Path]:
    """Return the wheels, source distributions and sidecars in `paths`, sorted by name.

    Folders are searched to any depth, without hidden folders, symbolic links to folders and `exclude`
    (the index that is written may lie inside its input). A file given by name must be one of the three
    kinds; other files in folders are passed over.

    Raises:
        InputPathError: a path does not exist, cannot be read, or is a file of another kind.
    """
    excluded = exclude.resolve() if exclude is not None else None
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            found.update(dict.fromkeys(_walk(path, excluded)))
        elif not path.exists():
            raise InputPathError(f"{printable(str(path))}: there is no such file or folder")
        elif not path.name.endswith(FILE_SUFFIXES):
            raise InputPathError(
                f"{printable(str(path))}: neither a folder nor a wheel, .tar.gz or *{SIDECAR_SUFFIX}"
            )
        else:
            found[path] = None
    return sorted(found, key=lambda path: (path.name, str(path)))


def _walk(folder: Path, excluded: Path | None) -> Iterator[Path]:
    def fail(error: OSError) -> None:
        raise InputPathError(f"{printable(str(error.filename))}: {error.strerror}")

    for root, folders, files in os.walk(folder, onerror=fail):
        here = Path(root)
        if excluded is not None and here.resolve() == excluded:
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (
            here / name for name in files if name.endswith(FILE_SUFFIXES) and not name.startswith(".")
        )


def scan(
    paths: Iterable[Path],
    *,
    on_file: Callable[[Path], None] | None = None,
    on_bytes: Callable[[int], object] | None = None,
) -> Scan:
    """Read the files that `find_files` returned.

    A name that occurs twice counts once when the bytes are the same and is refused otherwise.

    Args:
        paths: wheels, source distributions and sidecars.
        on_file: called as each file is done, from this thread.
        on_bytes: called with the number of bytes of wheels verified since the last call.
    """
    result = Scan()
    seen: dict[str, tuple[Path, str]] = {}
    paths = list(paths)
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        big = {path: pool.submit(file_sha256, path) for path in paths if _size(path) >= _BIG}
        for path in paths:
            try:
                if path.name.endswith(SIDECAR_SUFFIX):
                    result.sidecars.append(FoundSidecar(path, _read_document(path)))
                    continue
                sha256 = big[path].result() if path in big else file_sha256(path)
                other, known = seen.setdefault(path.name, (path, sha256))
                if known != sha256:
                    raise SameNameError(
                        f"{printable(str(path))}: {printable(str(other))} has the same name and other "
                        "bytes; keep one, or give them different labels or build numbers"
                    )
                if other is not path:
                    continue
                if path.name.endswith(".whl"):
                    wheel, errors = _read_wheel(path, sha256, on_bytes)
                    result.refusals += errors
                    if not errors:
                        result.wheels.append(wheel)
                else:
                    result.sources.append(_read_source(path, sha256))
            except InputError as error:
                result.refusals.append(Refusal(release_of(path.name), str(error), error.rule, str(path)))
            except OSError as error:
                reason = f"{printable(str(path))}: {error.strerror or error}"
                result.refusals.append(Refusal(release_of(path.name), reason, "WHL001", str(path)))
            finally:
                if on_file is not None:
                    on_file(path)
    return result


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # reading it will say why


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    if not path.is_file() and path.exists():
        # Opening a FIFO would wait for a writer.
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(1 << 20))
    with path.open("rb", buffering=0) as file:
        while size := file.readinto(buffer):
            digest.update(buffer[:size])
    return digest.hexdigest()


def _read_wheel(
    path: Path, sha256: str, on_bytes: Callable[[int], object] | None
) -> tuple[FoundWheel, list[Refusal]]:
    """Return the wheel and why it is refused although it can be read."""
    contents = read_wheel(path, verify=True, progress=on_bytes)
    release = release_of(path.name)
    if release is None:
        raise ReleaseNameError(
            f"{printable(path.name)}: {printable(contents.filename.version)!r} is not a version (PEP 440)"
        )
    wheel = FoundWheel(
        path=path,
        filename=contents.filename,
        size=contents.size,
        sha256=sha256,
        metadata=contents.metadata,
        requires_python=contents.requires_python,
        document=contents.document,
        findings=contents.findings,
    )
    errors = [finding for finding in contents.findings if finding.rule.severity == "error"]
    return wheel, [Refusal(release, str(error), error.code, error.path) for error in errors]


def _read_source(path: Path, sha256: str) -> FoundSource:
    if release_of(path.name) is None:
        raise ReleaseNameError(f"{printable(path.name)}: a source distribution's name is NAME-VERSION.tar.gz")
    return FoundSource(path, path.name, path.stat().st_size, sha256)


def _read_document(path: Path) -> bytes:
    if release_of(path.name) is None:
        raise ReleaseNameError(f"{printable(path.name)}: a sidecar's name is NAME-VERSION{SIDECAR_SUFFIX}")
    with path.open("rb") as file:
        data = file.read(MAX_DOCUMENT_BYTES + 1)
    if len(data) > MAX_DOCUMENT_BYTES:
        raise DocumentError(f"{printable(str(path))}: larger than {MAX_DOCUMENT_BYTES >> 20} MB", "VAR012")
    return data
