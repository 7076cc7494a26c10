"""Another METADATA for a wheel that is passed on while it arrives: only the end of the archive changes.

Builders put `*.dist-info` last, so nearly all bytes stay. The new end is made before the first byte is sent,
and sent only when the old bytes were the right ones (see `variant_index.shim.spliced`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from variant_index.wheel.archive import Archive
from variant_index.wheel.read import dist_info_folder, read_record
from variant_index.wheel.record import content_row, render_rows
from variant_index.wheel.rewrite import Added, Kept, Part, Span, layout

__all__ = ["MAX_TAIL_BYTES", "Splice", "plan_splice"]

MAX_TAIL_BYTES: Final = 64 << 20
"""An archive whose METADATA or RECORD is farther than this from its end is refused."""

_MAX_METADATA_BYTES: Final = 4 << 20
_SIGNATURES: Final = ("RECORD.jws", "RECORD.p7s")


@dataclass(frozen=True, slots=True)
class Splice:
    """A wheel with another end.

    Attributes:
        prefix: how many of its first bytes stay.
        old_size: its size in bytes.
        old_tail: the SHA-256 of the bytes behind the prefix that the new end was made from.
        new_tail: what comes instead.
        metadata: the new content of METADATA.
    """

    prefix: int
    old_size: int
    old_tail: str
    new_tail: bytes
    metadata: bytes

    @property
    def size(self) -> int:
        """The new size in bytes."""
        return self.prefix + len(self.new_tail)


def plan_splice(archive: Archive, change: Callable[[bytes], bytes]) -> Splice:
    """Return the end that gives a wheel another METADATA; RECORD is corrected, all else keeps its bytes.

    Reads the archive from the first of METADATA and RECORD to the end, at once. Nothing before is read.

    Args:
        archive: the wheel.
        change: returns the new content of METADATA for the old one.

    Raises:
        WheelError: the wheel breaks a rule of archives, is signed, or has METADATA too far from its end.
    """
    folder = dist_info_folder(archive)
    metadata_name, record_name = f"{folder}/METADATA", f"{folder}/RECORD"
    for name in _SIGNATURES:
        if f"{folder}/{name}" in archive.entries:
            archive.refuse(f"is signed ({name}), and a changed RECORD would break the signature")
    entries = sorted(archive.entries.values(), key=lambda entry: entry.offset)
    found = [entry for entry in entries if entry.name in (metadata_name, record_name)]
    if len(found) != 2:
        archive.refuse("has no METADATA or no RECORD", "WHL202")
    if entries[0].offset:
        archive.refuse("bytes before the first entry", "WHL102")
    first = found[0].offset
    if archive.size - first > MAX_TAIL_BYTES:
        archive.refuse(f"has its METADATA more than {MAX_TAIL_BYTES >> 20} MB before its end")
    old_tail = archive.read_at(first, archive.size - first)
    archive.check_framing(first)
    rows, record = read_record(archive, folder)
    metadata = change(archive.read(archive.entries[metadata_name], _MAX_METADATA_BYTES))
    listed = [content_row(row.path, metadata) if row.path == metadata_name else row for row in rows]
    line_end = "\r\n" if b"\r\n" in record else "\n"
    written = {metadata_name: metadata, record_name: render_rows(listed, line_end)}
    plan: list[Part] = [
        Added(entry.name, written[entry.name], entry) if entry.name in written else Kept(entry, entry.name)
        for entry in entries
    ]
    pieces = list(layout(archive, plan))
    if first:
        prefix = pieces.pop(0)
        assert prefix == Span(0, first)
    new_tail = b"".join(
        old_tail[piece.start - first : piece.stop - first] if isinstance(piece, Span) else piece
        for piece in pieces
    )
    return Splice(first, archive.size, hashlib.sha256(old_tail).hexdigest(), new_tail, metadata)
