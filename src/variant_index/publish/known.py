"""Files that need not be read again: notes about them, checked against the page that lists them (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from variant_index.errors import InputError
from variant_index.model.filename import WheelFilename
from variant_index.model.rules import RULES, Finding
from variant_index.publish.find import FileState
from variant_index.publish.notes import FileNote
from variant_index.publish.reading import Reading
from variant_index.publish.release import FoundSource, FoundWheel
from variant_index.simple_api.page import ProjectFile, ProjectPage

if TYPE_CHECKING:
    from variant_index.model.document import VariantsDocument

__all__ = ["known_files", "note_of"]


def note_of(reading: Reading) -> FileNote | None:
    """Return what to note of a file that was read; None for one that has to be read again every time."""
    if reading.refusals:
        return None
    if isinstance(reading.found, FoundSource):
        return FileNote(reading.sha256)
    if isinstance(reading.found, FoundWheel):
        wheel = reading.found
        findings = tuple((finding.code, finding.message) for finding in wheel.findings)
        if wheel.document is None:
            return FileNote(wheel.sha256, None, findings)
        from variant_index.model.document import write_document

        return FileNote(wheel.sha256, write_document(wheel.document).decode(), findings)
    return None


def known_files(
    noted: Iterable[tuple[FileState, FileNote]], published: ProjectPage | None
) -> Mapping[str, Reading]:
    """Return, by path, the files that are unchanged since they were read and published with these bytes."""
    listed = {file.filename: file for file in published.files} if published is not None else {}
    known = {}
    for state, note in noted:
        file = listed.get(state.name)
        if file is not None and (reading := _known(state, note, file)) is not None:
            known[state.path] = reading
    return known


def _known(state: FileState, note: FileNote, file: ProjectFile) -> Reading | None:
    path = Path(state.path)
    if file.hashes.get("sha256") != note.sha256 or file.size != state.size:
        return None
    if not state.name.endswith(".whl"):
        return Reading(
            path,
            note.sha256,
            FoundSource(path, state.name, state.size, note.sha256, published=True),
        )
    if file.core_metadata in (True, False) or any(code not in RULES for code, _ in note.findings):
        return None
    try:
        document = _document(note.document, state.name) if note.document is not None else None
        filename = WheelFilename.parse(state.name)
    except InputError:
        return None
    wheel = FoundWheel(
        path=path,
        filename=filename,
        size=state.size,
        sha256=note.sha256,
        metadata=b"",
        requires_python=file.requires_python,
        document=document,
        findings=tuple(Finding(code, message, state.path) for code, message in note.findings),
        published=True,
    )
    return Reading(path, note.sha256, wheel)


def _document(text: str, name: str) -> VariantsDocument:
    from variant_index.model.document import parse_document

    return parse_document(text.encode(), name)
