"""Stores the file of an upload form, and checks that it is what the client meant to send."""

from __future__ import annotations

import contextlib
import hashlib
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from variant_index.errors import printable
from variant_index.model.filename import SIDECAR_SUFFIX
from variant_index.provenance.attestation import MAX_OBJECT_BYTES, ProvenanceError
from variant_index.provenance.objects import attestations_object
from variant_index.publish.release import PROVENANCE, release_of
from variant_index.upload.form import FormError, FormReader

__all__ = ["FIELDS_BYTES", "UploadFormError", "discard", "receive_file"]

FIELDS_BYTES = 8 << 20
"""So much may all fields of a form have beside the file: a long description, mostly."""

_MAX_NAME = 240
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!\-]*", re.ASCII)

_DIGESTS: dict[str, Callable[[], Any]] = {
    "sha256_digest": hashlib.sha256,
    "blake2_256_digest": partial(hashlib.blake2b, digest_size=32),
    "md5_digest": partial(hashlib.md5, usedforsecurity=False),
}
_ATTESTATIONS = "attestations"
_FIELDS = {**dict.fromkeys([":action", "protocol_version", *_DIGESTS], 1024), _ATTESTATIONS: MAX_OBJECT_BYTES}
"""The fields that count, and how many bytes each may have."""


class UploadFormError(FormError):
    """A form is not an upload, or its file is not what the form says."""


def receive_file(form: FormReader, folder: Path, max_bytes: int) -> Path:
    """Store the form's file in a new folder of its own below `folder`, and return its path.

    Of the form's fields, only those about the bytes count: a wheel's own metadata says what it is.
    Attestations (PEP 740) become the provenance object beside the file; who signed them, and what they are
    about, is for whoever reads the file.

    Args:
        form: as `twine upload` and `uv publish` send it.
        folder: where to.
        max_bytes: how large the file may be.

    Raises:
        FormError: it is not such a form, or the file is not what the form says; nothing is left behind.
        OSError: the file cannot be written, or the connection broke; nothing is left behind.
    """
    place: Path | None = None
    try:
        values: dict[str, bytes] = {}
        digests: dict[str, str] = {}
        read = 0
        for part in form:
            if part.name == "content":
                if place is not None:
                    raise UploadFormError("the form has two files; send one upload for each")
                name = _checked_name(part.filename)
                place = folder / secrets.token_hex(8) / name
                digests = _store(form.content(), place, max_bytes, _named(values))
                continue
            value = bytearray()
            for piece in form.content():
                read += len(piece)
                if read > FIELDS_BYTES:
                    raise UploadFormError(f"the fields of the form are larger than {FIELDS_BYTES >> 20} MiB")
                value += piece[: _FIELDS.get(part.name, 0) + 1 - len(value)]
            if part.name in _FIELDS:
                _note(values, part.name, bytes(value))
        if place is None:
            raise UploadFormError("the form has no file: its field is named content")
        _check_values(values, digests, place.name)
        if _ATTESTATIONS in values:
            _keep(values[_ATTESTATIONS], place)
        return place
    except BaseException:
        if place is not None:
            discard(place)
        raise


def discard(place: Path) -> None:
    """Remove what `receive_file` stored, if it is still there."""
    with contextlib.suppress(OSError):
        place.unlink(missing_ok=True)
        place.with_name(place.name + PROVENANCE).unlink(missing_ok=True)
        place.parent.rmdir()


def _checked_name(filename: str | None) -> str:
    """Return a name that is a file's name on every system, of a kind that indexes have."""
    shown = printable(filename or "", 100)
    if filename is None or len(filename) > _MAX_NAME or not _NAME.fullmatch(filename):
        raise UploadFormError(f"{shown!r} is not the name of a wheel or source distribution")
    if filename.endswith(SIDECAR_SUFFIX):
        raise UploadFormError(f"{shown}: the index makes this file from the wheels; upload those")
    if not filename.endswith((".whl", ".tar.gz")) or release_of(filename) is None:
        raise UploadFormError(f"{shown}: its name is not that of a wheel or NAME-VERSION.tar.gz")
    return filename


def _store(pieces: Iterable[bytes], place: Path, max_bytes: int, wanted: Iterable[str]) -> dict[str, str]:
    """Write a file and return the wanted digests by field name."""
    hashes = {field: _DIGESTS[field]() for field in wanted}
    size = 0
    place.parent.mkdir(mode=0o700)
    # The file's mode follows the umask: it is moved into the index, for any web server to read.
    with place.open("xb", buffering=0) as file:
        for piece in pieces:
            size += len(piece)
            if size > max_bytes:
                raise UploadFormError(
                    f"{place.name}: larger than {max_bytes >> 20} MiB, which this server takes (--max-upload)"
                )
            for digest in hashes.values():
                digest.update(piece)
            view = memoryview(piece)
            while view:
                view = view[file.write(view) :]
    return {field: digest.hexdigest() for field, digest in hashes.items()}


def _keep(attestations: bytes, place: Path) -> None:
    """Write the attestations of a file beside it."""
    try:
        content = attestations_object(attestations, f"{place.name}: the form's field {_ATTESTATIONS}")
    except ProvenanceError as error:
        raise UploadFormError(str(error)) from None
    place.with_name(place.name + PROVENANCE).write_bytes(content)


def _named(values: Mapping[str, bytes]) -> list[str]:
    """Return the digests that a form names."""
    return [field for field in _DIGESTS if values.get(field)]


def _note(values: dict[str, bytes], name: str, value: bytes) -> None:
    if name in values:
        raise UploadFormError(f"the form has two fields {name}")
    if len(value) > _FIELDS[name]:
        raise UploadFormError(f"the form's field {name} is longer than {_FIELDS[name]} bytes")
    values[name] = value.strip()


def _check_values(values: Mapping[str, bytes], digests: Mapping[str, str], name: str) -> None:
    action = values.get(":action", b"").decode("utf-8", "replace")
    if action != "file_upload":
        raise UploadFormError(f"{printable(action)!r} is not a known :action; it must be file_upload")
    if values.get("protocol_version", b"1") != b"1":
        raise UploadFormError("the protocol_version is not 1, the only one known")
    for field in _named(values):
        if field not in digests:
            raise UploadFormError(f"the form's field {field} must come before the file")
        if values[field].lower() != digests[field].encode():
            raise UploadFormError(
                f"{name}: what arrived does not have the {field} that the form names; upload it again"
            )
