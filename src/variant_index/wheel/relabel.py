"""Turn an ordinary wheel into a variant wheel, and back; rename the project it belongs to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from variant_index.errors import printable
from variant_index.model.document import write_document
from variant_index.model.filename import (
    FilenameError,
    WheelFilename,
    canonical_name,
    escaped_name,
    is_label,
)
from variant_index.model.properties import NULL_LABEL, Property, hash_label
from variant_index.model.settings import VariantSettings
from variant_index.wheel.archive import Archive, WheelError
from variant_index.wheel.directory import Entry
from variant_index.wheel.headers import change_headers
from variant_index.wheel.read import (
    VARIANT_JSON,
    read_contents_and_record,
    refuse_broken,
)
from variant_index.wheel.record import RecordRow, content_row, render_rows
from variant_index.wheel.rewrite import Added, Kept, Part, write_archive
from variant_index.wheel.verify import verify_contents

__all__ = [
    "Change",
    "Original",
    "label_wheel",
    "parse_name",
    "plan_change",
    "rewrite_wheel",
    "unlabel_wheel",
    "variant_label",
]

_PROJECT_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", re.ASCII)
_SIGNATURES = ("RECORD.jws", "RECORD.p7s")


@dataclass(frozen=True, slots=True)
class Change:
    """What to change in a wheel.

    Attributes:
        dist_info: the metadata folder.
        document: the new `variant.json`, None for a wheel without one.
        folders: old top-level folder -> new one.
        written: file of the metadata folder -> its new content.
    """

    dist_info: str
    document: bytes | None
    folders: Mapping[str, str]
    written: Mapping[str, bytes] = field(default_factory=dict)


class Original(NamedTuple):
    """What has to be known of a wheel to rewrite it.

    Attributes:
        filename: its name.
        dist_info: its metadata folder.
        record: the rows and the bytes of its RECORD, as `read_record` returns them.
    """

    filename: WheelFilename
    dist_info: str
    record: tuple[Iterable[RecordRow], bytes]


def variant_label(properties: Iterable[Property], label: str | None) -> str:
    """Return the label of a variant with these properties.

    Args:
        properties: the variant's properties, in any order.
        label: the label asked for; None for the one derived from the properties.

    Raises:
        WheelError: the label is none, or `null` and "no properties" do not come together.
    """
    wanted = set(properties)
    if label is None:
        return hash_label(wanted)
    if not is_label(label):
        raise WheelError(f"label {printable(label)!r} is not made of 0-9 a-z _ . (PEP 825)")
    if (label == NULL_LABEL) != (not wanted):
        raise WheelError(
            "the label null is for the variant without properties: leave the properties out or choose another"
            if wanted
            else f"the label {label} has no properties: add some, or call the variant {NULL_LABEL}"
        )
    return label


def label_wheel(
    source: Path,
    properties: Iterable[Property],
    *,
    label: str | None,
    settings: VariantSettings,
    out: Path,
    rename: str | None = None,
    force: bool = False,
    verify: bool = True,
    progress: Callable[[int], object] | None = None,
) -> Path:
    """Write an ordinary wheel as a variant wheel and return the new file.

    The label goes into the file name and `variant.json` into the metadata folder; RECORD lists it. All
    other entries keep their bytes, compressed as they are. Equal input gives equal bytes.

    Args:
        source: a wheel without label.
        properties: what the variant needs; none makes the null variant.
        label: the variant's label; None for the one derived from the properties.
        settings: namespace order and providers, written into the document.
        out: the folder to write to; made when it is missing.
        rename: the project's new name, for builds that were published under a name of their own. Changes
            the file name, METADATA's Name and the two folders named after the project, nothing else.
        force: replace an existing file with other bytes.
        verify: read all content first and compare it with RECORD, as `variant-index build` will.
        progress: called now and then with the number of bytes verified or written since the last call.

    Raises:
        WheelError: the wheel is bad or labelled already, the label does not fit, or the target exists with
            other bytes.
        SettingsError: a property's namespace has no provider in `settings`.
    """
    wanted = set(properties)
    chosen = variant_label(wanted, label)
    document = write_document(settings.document(chosen, wanted))
    filename = parse_name(source)
    if filename.label:
        raise WheelError(
            f"{printable(source.name)}: has the label {filename.label} already; label the original wheel"
        )
    wanted_name = filename.labelled(chosen)
    if rename is not None:
        wanted_name = replace(wanted_name, distribution=_file_name_part(rename))
    with Archive(source) as archive:
        archive.check_framing()
        contents, record = read_contents_and_record(archive, filename)
        refuse_broken(contents)
        if verify:
            verify_contents(archive, record[0], progress)
        written = {} if rename is None else {"METADATA": _renamed_metadata(contents.metadata, rename)}
        return rewrite_wheel(
            archive,
            Original(filename, contents.dist_info, record),
            wanted_name,
            out,
            document=document,
            written=written,
            force=force,
            progress=progress,
        )


def unlabel_wheel(
    source: Path,
    out: Path,
    *,
    force: bool = False,
    progress: Callable[[int], object] | None = None,
) -> Path:
    """Write a variant wheel as the ordinary wheel that every installer takes, and return the new file.

    The label and `variant.json` go, RECORD is corrected; all other entries keep their bytes.

    Raises:
        WheelError: the wheel is bad or has no label, or the target exists with other bytes.
    """
    filename = parse_name(source)
    if not filename.label:
        raise WheelError(f"{printable(source.name)}: has no label to take away")
    with Archive(source) as archive:
        archive.check_framing()
        contents, record = read_contents_and_record(archive, filename)
        return rewrite_wheel(
            archive,
            Original(filename, contents.dist_info, record),
            filename.labelled(""),
            out,
            document=None,
            force=force,
            progress=progress,
        )


def plan_change(
    entries: Iterable[Entry], rows: Iterable[RecordRow], line_end: str, change: Change
) -> list[Part]:
    """Return the plan of the changed wheel.

    Entries keep their order; `variant.json` and RECORD go to the end, so that when RECORD was last all
    bytes before them stay where they are.

    Args:
        entries: those of the wheel to change.
        rows: its RECORD.
        line_end: what ends the lines of RECORD.
        change: what to change.
    """
    old = change.dist_info
    new = change.folders.get(old, old)
    document_name, record_name = f"{new}/{VARIANT_JSON}", f"{new}/RECORD"
    dropped = {f"{old}/{VARIANT_JSON}", f"{old}/RECORD"}
    written = {f"{new}/{name}": content for name, content in change.written.items()}

    moving = tuple(f"{folder}/" for folder in change.folders)
    plan: list[Part] = []
    ordered = sorted(entries, key=_offset)
    for entry in ordered:
        if entry.name not in dropped:
            name = _moved(entry.name, change.folders) if entry.name.startswith(moving) else entry.name
            plan.append(Added(name, written[name], entry) if name in written else Kept(entry, name))
    listed: list[RecordRow] = []
    for row in rows:
        if row.path not in dropped:
            name = _moved(row.path, change.folders) if row.path.startswith(moving) else row.path
            if name in written:
                listed.append(content_row(name, written[name]))
            else:
                listed.append(row if name == row.path else row._replace(path=name))

    like = next(entry for entry in ordered if entry.name == f"{old}/RECORD")
    if change.document is not None:
        plan.append(Added(document_name, change.document, like))
        listed.append(content_row(document_name, change.document))
    listed.append(RecordRow(record_name, "", ""))
    plan.append(Added(record_name, render_rows(listed, line_end), like))
    return plan


def rewrite_wheel(
    archive: Archive,
    original: Original,
    wanted: WheelFilename,
    out: Path,
    *,
    document: bytes | None,
    written: Mapping[str, bytes] | None = None,
    force: bool = False,
    progress: Callable[[int], object] | None = None,
) -> Path:
    """Write a wheel under another name, with another document or metadata, and return the new file.

    The `.dist-info` and `.data` folders follow the name and version, RECORD is corrected; all other entries
    keep their bytes, compressed as they are. Equal input gives equal bytes.

    Args:
        archive: the open wheel; its framing has been checked.
        original: what it says about itself.
        wanted: the new file name.
        out: the folder to write to; made when it is missing.
        document: the new `variant.json`, None for a wheel without one.
        written: new content of files in the metadata folder, such as METADATA.
        force: replace an existing file with other bytes.
        progress: called now and then with the number of bytes written since the last call.

    Raises:
        WheelError: the wheel is signed, or the target exists with other bytes or cannot be written.
    """
    dist_info = original.dist_info
    for name in _SIGNATURES:
        if f"{dist_info}/{name}" in archive.entries:
            archive.refuse(f"is signed ({name}), and a changed RECORD would break the signature")
    rows, record = original.record
    folders = _renamed_folders(archive, original.filename, wanted)
    change = Change(dist_info, document, folders, written or {})
    plan = plan_change(archive.entries.values(), rows, "\r\n" if b"\r\n" in record else "\n", change)
    target = out / wanted.filename
    write_archive(archive, plan, target, force=force, progress=progress)
    return target


def parse_name(source: Path) -> WheelFilename:
    """Return the name of a wheel that is there, taken apart.

    Raises:
        WheelError: there is no such file, or its name is not that of a wheel.
    """
    if source.is_dir():
        raise WheelError(f"{printable(str(source))}: is a folder; name the wheels in it", "WHL001")
    if not source.exists():
        raise WheelError(f"{printable(str(source))}: there is no such file", "WHL001")
    try:
        return WheelFilename.parse(source.name)
    except FilenameError as error:
        raise WheelError(str(error), error.rule) from None


def _offset(entry: Entry) -> int:
    return entry.offset


def _moved(name: str, folders: Mapping[str, str]) -> str:
    folder, slash, rest = name.partition("/")
    return folders[folder] + slash + rest


def _file_name_part(name: str) -> str:
    if not _PROJECT_NAME.fullmatch(name):
        raise WheelError(f"{printable(name)!r} is not a project name (PEP 508)")
    return escaped_name(name)


def _renamed_folders(archive: Archive, old: WheelFilename, new: WheelFilename) -> dict[str, str]:
    """Return the new names of the `.dist-info` and `.data` folders; what stays the same stays as spelled."""
    same_name, same_version = old.distribution == new.distribution, old.version == new.version
    if same_name and same_version:
        return {}
    folders = {}
    for folder in {name.partition("/")[0] for name in archive.entries if "/" in name}:
        stem, dot, kind = folder.rpartition(".")
        name, dash, version = stem.rpartition("-")
        if dash and kind in ("dist-info", "data") and canonical_name(name) == old.name:
            stem = f"{name if same_name else new.distribution}-{version if same_version else new.version}"
            folders[folder] = f"{stem}{dot}{kind}"
    return folders


def _renamed_metadata(metadata: bytes, name: str) -> bytes:
    return change_headers(metadata, lambda header, _: [name] if header == "name" else None)
