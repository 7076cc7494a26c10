"""Another METADATA for a wheel that is passed on while it arrives: spans of the old one, new bytes between.

What is new is made before the first byte is sent. A zip archive's directory is its end, and that is sent
only when all old bytes were the right ones (see `variant_index.shim.spliced`); nobody has an archive before.
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

__all__ = ["Splice", "plan_splice"]

_MAX_METADATA_BYTES: Final = 4 << 20
_MAX_RECORD_BYTES: Final = 64 << 20
_SIGNATURES: Final = ("RECORD.jws", "RECORD.p7s")


@dataclass(frozen=True, slots=True)
class Splice:
    """A wheel with other METADATA.

    Attributes:
        pieces: what it consists of, in order: spans of the old wheel, and new bytes. Spans follow one another
            as in the old wheel. The last piece is the new directory.
        old_size: the old wheel's size in bytes.
        replaced: the SHA-256 of its bytes that are in no span, in their order: those that the new ones were
            made from.
        metadata: the new content of METADATA.
    """

    pieces: tuple[Span | bytes, ...]
    old_size: int
    replaced: str
    metadata: bytes

    @property
    def size(self) -> int:
        """The new size in bytes."""
        return sum(
            piece.stop - piece.start if isinstance(piece, Span) else len(piece) for piece in self.pieces
        )


def plan_splice(archive: Archive, change: Callable[[bytes], bytes]) -> Splice:
    """Plan how a wheel gets another METADATA; RECORD is corrected, all else keeps its bytes.

    Reads METADATA, RECORD and the directory, wherever they are, and nothing else.

    Args:
        archive: the wheel.
        change: returns the new content of METADATA for the old one.

    Raises:
        WheelError: the wheel breaks a rule of archives, or is signed.
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
    replaced = hashlib.sha256()
    for entry in found:
        limit = _MAX_METADATA_BYTES if entry.name == metadata_name else _MAX_RECORD_BYTES
        replaced.update(archive.extent(entry, limit))
    replaced.update(archive.read_at(archive.directory_offset, archive.size - archive.directory_offset))
    rows, record = read_record(archive, folder)
    metadata = change(archive.read(archive.entries[metadata_name], _MAX_METADATA_BYTES))
    listed = [content_row(row.path, metadata) if row.path == metadata_name else row for row in rows]
    line_end = "\r\n" if b"\r\n" in record else "\n"
    written = {metadata_name: metadata, record_name: render_rows(listed, line_end)}
    plan: list[Part] = [
        Added(entry.name, written[entry.name], entry) if entry.name in written else Kept(entry, entry.name)
        for entry in entries
    ]
    return Splice(tuple(layout(archive, plan)), archive.size, replaced.hexdigest(), metadata)
