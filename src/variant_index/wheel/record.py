"""RECORD: the list of a wheel's files with hashes and sizes (Recording installed projects, PyPA)."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from variant_index.errors import printable

__all__ = ["RecordError", "RecordRow", "check_rows", "content_row", "parse_record", "render_rows"]

_HASHES = ("sha256=", "sha384=", "sha512=")
_UNHASHED = ("RECORD", "RECORD.jws", "RECORD.p7s")


class RecordError(ValueError):
    """RECORD breaks a rule; the message says which.

    Attributes:
        rule: the rule's code, see `variant_index.model.rules`.
    """

    def __init__(self, problem: str, rule: str) -> None:
        super().__init__(problem)
        self.rule = rule


class RecordRow(NamedTuple):
    """One row: a path, `algorithm=digest` (urlsafe base64 without padding) and a size, both may be empty."""

    path: str
    digest: str
    size: str


def parse_record(data: bytes) -> list[RecordRow]:
    """Read RECORD.

    Raises:
        RecordError: it is not UTF-8 or not a table of three columns.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise RecordError("RECORD is not UTF-8", "WHL301") from None
    try:
        # Not splitlines(): it also splits at characters that may be part of a name.
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except csv.Error as error:
        raise RecordError(f"RECORD is not a table: {error}", "WHL301") from None
    try:
        return list(map(RecordRow._make, rows))
    except TypeError:
        raise RecordError("RECORD has a row that does not have three columns", "WHL301") from None


def check_rows(rows: Iterable[RecordRow], sizes: Mapping[str, int], dist_info: str) -> None:
    """Check that RECORD lists exactly the files present, once each, with a hash and the right size.

    Hashes are not compared with the content here: that needs every byte of the wheel.

    Args:
        rows: the rows of RECORD.
        sizes: file -> size in bytes, for every file of the archive (folders left out).
        dist_info: the metadata folder's name; only its RECORD and signatures may lack a hash.

    Raises:
        RecordError: the first rule broken.
    """
    unhashed = {f"{dist_info}/{name}" for name in _UNHASHED}
    listed: set[str] = set()
    for path, digest, size in rows:
        if path in listed:
            raise RecordError(f"RECORD lists {printable(path)} twice", "WHL304")
        listed.add(path)
        if path not in sizes:
            raise RecordError(f"RECORD lists {printable(path)}, which is not in the wheel", "WHL303")
        if size and size != str(sizes[path]):
            raise RecordError(f"RECORD states another size for {printable(path)} than the archive", "WHL306")
        if not digest.startswith(_HASHES) and path not in unhashed:
            raise RecordError(f"RECORD gives no SHA-256, 384 or 512 hash for {printable(path)}", "WHL305")
    # Signatures are made after RECORD and may be missing from it; RECORD itself may not.
    missing = sizes.keys() - listed - (unhashed - {f"{dist_info}/RECORD"})
    if missing:
        raise RecordError(f"RECORD does not list {printable(min(missing))}", "WHL302")


def content_row(path: str, content: bytes) -> RecordRow:
    """Return the row of a file with this content."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return RecordRow(path, f"sha256={digest}", str(len(content)))


def render_rows(rows: Iterable[RecordRow], line_end: str) -> bytes:
    """Return RECORD with these rows."""
    lines = io.StringIO(newline="")
    csv.writer(lines, lineterminator=line_end).writerows(rows)
    return lines.getvalue().encode()
