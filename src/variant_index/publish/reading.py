"""Reads one file that a publisher brings: path in, values out, in any process or on any machine."""

from __future__ import annotations

import base64
import errno
import hashlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from variant_index.errors import InputError, printable
from variant_index.model.filename import SIDECAR_SUFFIX, FilenameError
from variant_index.model.rules import Finding
from variant_index.provenance.attestation import ProvenanceError, check_binding, parse_provenance
from variant_index.provenance.beside import read_beside
from variant_index.publish.release import (
    FoundSidecar,
    FoundSource,
    FoundWheel,
    Refusal,
    release_of,
)
from variant_index.publish.requirements import unreadable_fields
from variant_index.wheel.random_access import Memory
from variant_index.wheel.read import WheelContents, read_wheel

__all__ = [
    "ForeignProvenanceError",
    "MetadataFiles",
    "Reading",
    "ReleaseNameError",
    "file_sha256",
    "read_file",
]

_PIECE = 1 << 20


class ReleaseNameError(FilenameError):
    """A file's name does not say which release it belongs to."""

    rule = "REL007"


class ForeignProvenanceError(InputError):
    """The provenance object beside a file cannot be read, or says something about another file."""

    rule = "REL009"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file turned out to be.

    Attributes:
        path: the file.
        sha256: hexadecimal digest of all its bytes; empty for sidecars and what could not be read.
        found: what it holds, None when it is refused.
        refusals: why.
    """

    path: Path
    sha256: str = ""
    found: FoundWheel | FoundSource | FoundSidecar | None = None
    refusals: tuple[Refusal, ...] = ()


class MetadataFiles:
    """Writes METADATA beside the copies of wheels, as one file where neighbours have the same.

    The wheels of a release mostly do, and a hard link costs much less than a file.
    """

    def __init__(self) -> None:
        self._place: Path | None = None
        self._content = b""

    def write(self, place: Path, content: bytes) -> None:
        """Make the file, which must not be there.

        Raises:
            OSError: it cannot be written; the error names it.
        """
        if self._place is not None and content == self._content:
            try:
                os.link(self._place, place)
            except OSError:  # too many links, or a file system without
                pass
            else:
                return
        descriptor = _create(place)
        try:
            _write(descriptor, memoryview(content))
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(place)) from None
        finally:
            os.close(descriptor)
        self._place, self._content = place, content


def read_file(
    path: Path,
    staging: Path | None = None,
    *,
    verify: bool = True,
    link: bool = False,
    on_bytes: Callable[[int], object] | None = None,
    metadata: MetadataFiles | None = None,
) -> Reading:
    """Read and check a wheel, source distribution or sidecar; what is wrong with it becomes a refusal.

    Args:
        path: the file.
        staging: a folder to copy wheels and source distributions to as they are read. Then the copy is
            what is checked, so that nothing can change between checking and publishing.
        verify: compare all that is in a wheel with its RECORD.
        link: make hard links instead of copies where that is possible; then nobody may change the file.
        on_bytes: called with the number of bytes of wheels verified since the last call.
        metadata: writes METADATA beside the copies; for files whose copies stay until all are read.
    """
    try:
        if path.name.endswith(SIDECAR_SUFFIX):
            return Reading(path, found=FoundSidecar(path, _read_document(path)))
        if release_of(path.name) is None and not path.name.endswith(".whl"):
            raise ReleaseNameError(
                f"{printable(path.name)}: a source distribution's name is NAME-VERSION.tar.gz"
            )
        copy, (sha256, size, content) = _read_once(path, staging, link=link)
        if not path.name.endswith(".whl"):
            source = FoundSource(path, path.name, size, sha256, copy)
            return Reading(path, sha256, replace(source, provenance=_read_provenance(path, sha256)))
        read = partial(read_wheel, verify=verify, progress=on_bytes, content=content)
        reading = _read_wheel(path, sha256, copy, read, metadata or MetadataFiles())
        if isinstance(reading.found, FoundWheel) and (provenance := _read_provenance(path, sha256)):
            return replace(reading, found=replace(reading.found, provenance=provenance))
        return reading
    except InputError as error:
        refusal = Refusal(release_of(path.name), str(error), error.rule, str(path))
    except OSError as error:
        if error.filename is not None and str(error.filename) != str(path):
            raise  # the copy: a full disk is nothing that the file is to blame for
        reason = f"{printable(str(path))}: {error.strerror or error}"
        refusal = Refusal(release_of(path.name), reason, "WHL001", str(path))
    return Reading(path, refusals=(refusal,))


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    return _hash(path, None).sha256


class _Hashed(NamedTuple):
    """A file that was read to its end; a small one is still there, so that it is not read again."""

    sha256: str
    size: int
    content: Memory | None = None


def _hash(path: Path, copy: int | None) -> _Hashed:
    """Read a file, and write its bytes to a descriptor on the way."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        # Opening a FIFO would wait for a writer.
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    digest = hashlib.sha256()
    size = 0
    with path.open("rb", buffering=0) as file:
        if status.st_size < _PIECE:
            # Of a file that grows meanwhile this is a part; the loop below takes the rest.
            data = file.read(status.st_size + 1)
            digest.update(data)
            size = len(data)
            if copy is not None:
                _write(copy, memoryview(data))
        buffer = memoryview(bytearray(min(_PIECE, max(status.st_size - size, 0) + 1)))
        whole = size
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
            size += count
            if copy is not None:
                _write(copy, buffer[:count])
    return _Hashed(digest.hexdigest(), size, Memory(data) if 0 < size == whole else None)


def _write(copy: int, data: memoryview) -> None:
    while data:
        data = data[os.write(copy, data) :]


def _read_once(path: Path, staging: Path | None, *, link: bool) -> tuple[Path | None, _Hashed]:
    """Return the file's copy, and what was read."""
    if staging is None:
        return None, _hash(path, None)
    if link and (linked := _make(path.name, staging, partial(_link, path))) is not None:
        return linked[0], _hash(linked[0], None)
    made = _make(path.name, staging, _create)
    assert made is not None
    copy, descriptor = made
    try:
        try:
            hashed = _hash(path, descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        copy.unlink(missing_ok=True)
        if error.filename is None:  # writing failed
            raise OSError(error.errno, error.strerror, str(staging)) from None
        raise
    return copy, hashed


_Made = TypeVar("_Made")


def _make(name: str, staging: Path, make: Callable[[Path], _Made | None]) -> tuple[Path, _Made] | None:
    """Make a file of that name in a folder that no other process uses; None where that cannot be."""
    number = 0
    while True:
        copy = Path(f"{staging}/{os.getpid()}-{number}/{name}")
        try:
            made = make(copy)
            return (copy, made) if made is not None else None
        except FileNotFoundError:
            copy.parent.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            number += 1


def _create(copy: Path) -> int:
    return os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)


def _link(path: Path, copy: Path) -> bool | None:
    try:
        if stat.S_ISREG(path.lstat().st_mode):
            os.link(path, copy)
            return True
    except (FileNotFoundError, FileExistsError):
        raise
    except OSError:  # another file system, or one without hard links
        pass
    return None


def _read_wheel(
    path: Path,
    sha256: str,
    copy: Path | None,
    read: Callable[[Path], WheelContents],
    metadata: MetadataFiles,
) -> Reading:
    try:
        contents = read(copy or path)
        release = release_of(path.name)
        if release is None:
            raise ReleaseNameError(
                f"{printable(path.name)}: {printable(contents.filename.version)!r} is not a version (PEP 440)"
            )
    except InputError:
        if copy is not None:
            copy.unlink(missing_ok=True)
        raise
    if copy is not None:
        metadata.write(Path(f"{copy}.metadata"), contents.metadata)
    unreadable = [
        Finding(code, f"{printable(path.name)}: {problem}")
        for code, problem in unreadable_fields(contents.metadata, contents.label)
    ]
    findings = tuple(replace(finding, path=str(path)) for finding in (*contents.findings, *unreadable))
    wheel = FoundWheel(
        path=path,
        filename=contents.filename,
        size=contents.size,
        sha256=sha256,
        metadata=contents.metadata,
        requires_python=contents.requires_python,
        document=contents.document,
        findings=findings,
        copy=copy,
    )
    errors = [finding for finding in findings if finding.rule.severity == "error"]
    refusals = tuple(Refusal(release, str(error), error.code, error.path) for error in errors)
    return Reading(path, sha256, wheel, refusals)


def _read_provenance(path: Path, sha256: str) -> bytes | None:
    """Return the provenance object for a file by what lies beside it, None without; see `check_binding`.

    Signatures are not looked at.
    """
    place = str(path)
    try:
        found = read_beside(path)
        if found is None:
            return None
        from variant_index.provenance.objects import provenance_object

        place = str(found[0])
        data = provenance_object(found[1], place)
        for attestation in parse_provenance(data, place):
            check_binding(base64.b64decode(attestation.statement), path.name, sha256)
    except ProvenanceError as error:
        problem = str(error).removeprefix(f"{printable(place)}: ")
        raise ForeignProvenanceError(f"{printable(place)}: {problem}; remove it, or attest again") from None
    return data


def _read_document(path: Path) -> bytes:
    from variant_index.model.document import MAX_DOCUMENT_BYTES, DocumentError

    if release_of(path.name) is None:
        raise ReleaseNameError(f"{printable(path.name)}: a sidecar's name is NAME-VERSION{SIDECAR_SUFFIX}")
    with path.open("rb") as file:
        data = file.read(MAX_DOCUMENT_BYTES + 1)
    if len(data) > MAX_DOCUMENT_BYTES:
        raise DocumentError(f"{printable(str(path))}: larger than {MAX_DOCUMENT_BYTES >> 20} MB", "VAR012")
    return data
