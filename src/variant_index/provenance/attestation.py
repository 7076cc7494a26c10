"""Attestation and provenance objects (PEP 740): read, and bound to a file's name and bytes; pure.

The binding is our own, because the usual one cannot read the name of a wheel with a variant label.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from packaging.version import InvalidVersion, Version

from variant_index.errors import InputError, printable
from variant_index.model.filename import FilenameError, WheelFilename

__all__ = [
    "MAX_OBJECT_BYTES",
    "Attestation",
    "ProvenanceError",
    "check_binding",
    "parse_provenance",
    "read_json",
]

MAX_OBJECT_BYTES = 1 << 20
"""A larger object is refused; those of PyPI have about 10 KB."""

_MAX_ATTESTATIONS = 32
_PAYLOAD_TYPE = "application/vnd.in-toto+json"
_STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
_PREDICATES = ("https://docs.pypi.org/attestations/publish/v1", "https://slsa.dev/provenance/v1")


class ProvenanceError(InputError):
    """An object cannot be read, or says nothing good about the file."""


@dataclass(frozen=True)
class Attestation:
    """One signed statement; nothing of it is known to be true before its signature was checked.

    Attributes:
        certificate: the signer's certificate, DER in base64.
        log_entries: entries of the transparency log, as JSON.
        statement: the signed bytes, base64.
        signature: base64.
    """

    certificate: str
    log_entries: tuple[Mapping[str, Any], ...]
    statement: str
    signature: str

    def bundle(self) -> str:
        """Return the same as a Sigstore bundle (v0.3), in JSON."""
        return json.dumps(
            {
                "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
                "verificationMaterial": {
                    "certificate": {"rawBytes": self.certificate},
                    "tlogEntries": list(self.log_entries),
                },
                "dsseEnvelope": {
                    "payload": self.statement,
                    "payloadType": _PAYLOAD_TYPE,
                    "signatures": [{"sig": self.signature}],
                },
            }
        )


def parse_provenance(data: bytes, source: str) -> tuple[Attestation, ...]:
    """Read a provenance object (`FILE.provenance`) or a single attestation (`FILE.publish.attestation`).

    The publisher that a provenance object names is the claim of whoever made the object, and is left alone.

    Args:
        data: the JSON text.
        source: the file, named in errors.

    Raises:
        ProvenanceError: one line that names `source` and what is wrong.
    """
    try:
        if len(data) > MAX_OBJECT_BYTES:
            raise ProvenanceError(f"larger than {MAX_OBJECT_BYTES} bytes")
        content = _object(read_json(data), "the text")
        if content.get("version") != 1:
            raise ProvenanceError("its version is not 1, the only one known (PEP 740)")
        if "attestation_bundles" not in content:
            return (_attestation(content),)
        bundles = [_object(one, "a bundle") for one in _list(content["attestation_bundles"], "bundles")]
        items = [one for bundle in bundles for one in _list(bundle.get("attestations"), "attestations")]
        if not 0 < len(items) <= _MAX_ATTESTATIONS:
            raise ProvenanceError(f"has {len(items)} attestations, not 1 to {_MAX_ATTESTATIONS}")
        return tuple(_attestation(_object(one, "an attestation")) for one in items)
    except ProvenanceError as error:
        raise ProvenanceError(f"{printable(source)}: {error}") from None


def check_binding(payload: bytes, filename: str, sha256: str) -> str:
    """Return what kind of statement the signed bytes are, when they are about this very file.

    Args:
        payload: the signed statement.
        filename: the file's name.
        sha256: the hexadecimal SHA-256 of its bytes.

    Raises:
        ProvenanceError: the statement is of another kind, or about another file.
    """
    statement = _object(read_json(payload), "the statement")
    kind = statement.get("predicateType")
    if statement.get("_type") != _STATEMENT_TYPE or kind not in _PREDICATES:
        raise ProvenanceError("the statement is none of PyPI's publish or SLSA's provenance statements (v1)")
    subjects = _list(statement.get("subject"), "subjects")
    if len(subjects) != 1:
        raise ProvenanceError(f"the statement is about {len(subjects)} files; PEP 740 wants exactly one")
    subject = _object(subjects[0], "the subject")
    name, digest = subject.get("name"), _object(subject.get("digest"), "the digest").get("sha256")
    if not isinstance(name, str) or not _same_name(name, filename):
        raise ProvenanceError(f"the statement is about {printable(str(name))!r}, another file")
    if digest != sha256:
        raise ProvenanceError("the statement is about a file of this name with other bytes")
    return str(kind)


def _same_name(first: str, second: str) -> bool:
    """Tell whether two names are one; a wheel's may list its tags in any order."""
    if first == second:
        return True
    try:
        one, other = WheelFilename.parse(first), WheelFilename.parse(second)
        same_version = Version(one.version) == Version(other.version)
    except (FilenameError, InvalidVersion):
        return False
    return same_version and all(
        getattr(one, part) == getattr(other, part) for part in ("name", "build", "tags", "label")
    )


def _attestation(content: Mapping[str, Any]) -> Attestation:
    if content.get("version") != 1:
        raise ProvenanceError("an attestation's version is not 1, the only one known (PEP 740)")
    material = _object(content.get("verification_material"), "verification_material")
    envelope = _object(content.get("envelope"), "envelope")
    entries = _list(material.get("transparency_entries"), "transparency_entries")
    return Attestation(
        _base64(material.get("certificate"), "certificate"),
        tuple(_object(entry, "a transparency entry") for entry in entries),
        _base64(envelope.get("statement"), "statement"),
        _base64(envelope.get("signature"), "signature"),
    )


def read_json(data: bytes) -> Any:
    """Read a JSON text in UTF-8 without keys that appear twice in one object.

    Raises:
        ProvenanceError: it is none.
    """

    def refuse_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ProvenanceError("a key appears twice in one object")
        return found

    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=refuse_twins)
    except (ValueError, RecursionError):
        raise ProvenanceError("not JSON in UTF-8") from None


def _object(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ProvenanceError(f"{what} is not a JSON object")
    return value


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise ProvenanceError(f"its {what} are not a list")
    return value


def _base64(value: Any, what: str) -> str:
    try:
        if isinstance(value, str) and value and base64.b64decode(value, validate=True):
            return value
    except (binascii.Error, ValueError):
        pass
    raise ProvenanceError(f"its {what} is not base64")
