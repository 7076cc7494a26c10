"""Read a wheel: its name, metadata and variant, with every rule that can be checked without hashing it."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from variant_index.errors import printable
from variant_index.model.filename import (
    FilenameError,
    WheelFilename,
    canonical_name,
)
from variant_index.model.properties import each_property
from variant_index.model.rules import Finding
from variant_index.wheel.archive import Archive, WheelError
from variant_index.wheel.headers import HeaderError, parse_headers
from variant_index.wheel.odd import Broken, odd_document, odd_filename, odd_names, odd_tags
from variant_index.wheel.record import RecordError, RecordRow, check_rows, parse_record
from variant_index.wheel.verify import verify_contents

if TYPE_CHECKING:
    from variant_index.model.document import VariantsDocument
    from variant_index.wheel.random_access import RandomAccess

__all__ = [
    "VARIANT_JSON",
    "WheelContents",
    "WheelError",
    "dist_info_folder",
    "read_contents",
    "read_contents_and_record",
    "read_record",
    "read_variant_json",
    "read_wheel",
    "read_wheel_file",
    "refuse_broken",
]

VARIANT_JSON = "variant.json"
"""The file in the metadata folder that says which variant a wheel is (PEP 825)."""

_MAX_METADATA_BYTES = 1 << 23
_MAX_RECORD_BYTES = 1 << 26
_MAX_SMALL_BYTES = 1 << 20
_MAX_VALUES = 10_000


@dataclass(frozen=True, slots=True)
class WheelContents:
    """What a wheel says about itself.

    Attributes:
        path: the file.
        filename: its name, taken apart; METADATA and the metadata folder agree with it.
        size: its size in bytes.
        dist_info: the name of the metadata folder.
        metadata: the exact bytes of METADATA.
        requires_python: METADATA's Requires-Python, None when absent.
        document: the variant document, None for a non-variant wheel; it holds the label of the name only.
        findings: the rules it breaks although it can be read.
    """

    path: Path
    filename: WheelFilename
    size: int
    dist_info: str
    metadata: bytes
    requires_python: str | None
    document: VariantsDocument | None
    findings: tuple[Finding, ...] = ()

    @property
    def label(self) -> str:
        """The variant label, `""` for a non-variant wheel."""
        return self.filename.label


def read_wheel(
    path: Path,
    *,
    verify: bool = False,
    progress: Callable[[int], object] | None = None,
    content: RandomAccess | None = None,
) -> WheelContents:
    """Read and check a wheel.

    Checked are the file name, the archive's framing, one metadata folder with METADATA, WHEEL and RECORD,
    RECORD against the files present (sizes, not hashes), name and version against the file name, entry
    point names, and the variant document against the label. Nothing of the payload is read: the
    cost follows the number of entries, about 5 us each. Safe to call from several threads or processes.

    Args:
        path: the file.
        verify: read all content too, and compare it with the hashes of RECORD.
        progress: called now and then with the number of the file's bytes verified since the last call.
        content: the file's bytes, where they are at hand; None to open it.

    Raises:
        WheelError: `FILE: rule`, the first rule broken.
    """
    try:
        filename = WheelFilename.parse(path.name)
    except FilenameError as error:
        raise WheelError(str(error), error.rule) from None
    with Archive(path, content) as archive:
        archive.check_framing()
        contents, (rows, _) = read_contents_and_record(archive, filename)
        if verify:
            verify_contents(archive, rows, progress)
        return contents


def read_contents(archive: Archive, filename: WheelFilename, *, any_document: bool = False) -> WheelContents:
    """Read and check an open archive as the wheel `filename`; see `read_wheel`.

    Args:
        archive: the open wheel; its framing has been checked.
        filename: its name, taken apart.
        any_document: leave `variant.json` unread: it may be of an older generation.
    """
    return read_contents_and_record(archive, filename, any_document=any_document)[0]


def read_variant_json(archive: Archive, dist_info: str) -> bytes:
    """Return the bytes of `variant.json`, whatever they say.

    Raises:
        WheelError: there is none, or it is too large or damaged.
    """
    from variant_index.model.document import MAX_DOCUMENT_BYTES

    return _read(archive, f"{dist_info}/{VARIANT_JSON}", MAX_DOCUMENT_BYTES)


def read_wheel_file(archive: Archive, dist_info: str) -> bytes:
    """Return the bytes of `WHEEL`.

    Raises:
        WheelError: there is none, or it is too large or damaged.
    """
    return _read(archive, f"{dist_info}/WHEEL", _MAX_SMALL_BYTES)


def read_contents_and_record(
    archive: Archive, filename: WheelFilename, *, any_document: bool = False
) -> tuple[WheelContents, tuple[list[RecordRow], bytes]]:
    """Do as `read_contents`, and return what `read_record` returns too: large wheels have long ones."""
    dist_info = dist_info_folder(archive)
    if not _is_dist_info_of(dist_info, filename):
        archive.refuse(f"folder {printable(dist_info)} does not belong to this file name", "WHL204")
    record = read_record(archive, dist_info)
    metadata = _read(archive, f"{dist_info}/METADATA", _MAX_METADATA_BYTES)
    requires_python = _check_metadata(archive, metadata, filename)
    wheel_file = read_wheel_file(archive, dist_info)
    broken = [
        *odd_filename(filename),
        *_check_wheel_file(archive, wheel_file, filename),
        *odd_names(archive.entries),
    ]
    if f"{dist_info}/entry_points.txt" in archive.entries:
        _check_entry_points(archive, _read(archive, f"{dist_info}/entry_points.txt", _MAX_SMALL_BYTES))
    document = None if any_document else _read_document(archive, dist_info, filename.label)
    if document is not None:
        broken += odd_document(document)
    shown, place = printable(archive.path.name), str(archive.path)
    contents = WheelContents(
        path=archive.path,
        filename=filename,
        size=archive.size,
        dist_info=dist_info,
        metadata=metadata,
        requires_python=requires_python,
        document=document,
        findings=tuple(Finding(code, f"{shown}: {problem}", place) for code, problem in broken),
    )
    return contents, record


def refuse_broken(contents: WheelContents, *, but: Container[str] = ()) -> None:
    """Refuse a wheel that can be read but breaks a rule whose severity is `error`.

    Args:
        contents: the wheel.
        but: codes of rules that may be broken.

    Raises:
        WheelError: the first such rule.
    """
    for finding in contents.findings:
        if finding.rule.severity == "error" and finding.code not in but:
            raise WheelError(str(finding), finding.code)


def dist_info_folder(archive: Archive) -> str:
    """Return the name of the wheel's only metadata folder.

    Raises:
        WheelError: there is none or more than one.
    """
    folders = {name.partition("/")[0] for name in archive.entries if ".dist-info/" in name}
    folders = {folder for folder in folders if folder.endswith(".dist-info")}
    if len(folders) != 1:
        archive.refuse("has several .dist-info folders" if folders else "has no .dist-info folder", "WHL201")
    return folders.pop()


def read_record(archive: Archive, dist_info: str) -> tuple[list[RecordRow], bytes]:
    """Return the rows of RECORD, checked against the files present, and its bytes.

    Raises:
        WheelError: RECORD is missing or wrong.
    """
    data = _read(archive, f"{dist_info}/RECORD", _MAX_RECORD_BYTES)
    try:
        rows = parse_record(data)
        sizes = {name: entry.size for name, entry in archive.entries.items() if name[-1] != "/"}
        check_rows(rows, sizes, dist_info)
    except RecordError as error:
        archive.refuse(str(error), error.rule)
    return rows, data


def _read(archive: Archive, name: str, limit: int) -> bytes:
    entry = archive.entries.get(name)
    if entry is None:
        archive.refuse(f"has no {printable(name)}", "WHL202")
    return archive.read(entry, limit)


def _is_dist_info_of(folder: str, filename: WheelFilename) -> bool:
    name, dash, version = folder.removesuffix(".dist-info").rpartition("-")
    return bool(dash) and canonical_name(name) == filename.name and _same_version(version, filename.version)


def _same_version(first: str, second: str) -> bool:
    return (known := _normal_version(first)) is not None and known == _normal_version(second)


@lru_cache(maxsize=64)  # a wheel names its version three times, and a release in every wheel
def _normal_version(text: str) -> str | None:
    from packaging.version import InvalidVersion, Version

    try:
        return str(Version(text))
    except InvalidVersion:
        return None


def _check_metadata(archive: Archive, metadata: bytes, filename: WheelFilename) -> str | None:
    """Check METADATA's Name and Version, and return its Requires-Python."""
    try:
        headers = parse_headers(metadata)
    except HeaderError as error:
        archive.refuse(f"METADATA: {error}", "WHL203")
    found: dict[str, str] = {}
    for header in ("name", "version", "requires-python"):
        values = headers.get(header, [])
        if len(values) > 1:
            archive.refuse(f"METADATA has more than one {header.title()}", "WHL203")
        if values:
            found[header] = values[0]
    for header in ("name", "version"):
        if not found.get(header):
            archive.refuse(f"METADATA has no {header.title()}", "WHL203")
    if canonical_name(found["name"]) != filename.name:
        archive.refuse(f"METADATA is for {printable(found['name'], 80)!r}, not for this file name", "WHL204")
    if not _same_version(found["version"], filename.version):
        archive.refuse(
            f"METADATA is for version {printable(found['version'], 80)!r}, not for this file name", "WHL204"
        )
    requires_python = found.get("requires-python")
    if requires_python is not None and not requires_python.isprintable():
        archive.refuse("METADATA: Requires-Python holds control characters", "WHL203")
    return requires_python or None


def _check_wheel_file(archive: Archive, data: bytes, filename: WheelFilename) -> list[Broken]:
    try:
        headers = parse_headers(data)
    except HeaderError as error:
        archive.refuse(f"WHEEL: {error}", "WHL205")
    version = headers.get("wheel-version", [""])[0]
    if version.partition(".")[0] != "1":
        archive.refuse(f"WHEEL: format version {printable(version, 20)!r} is not known (1.x is)", "WHL205")
    tags = headers.get("tag", [])
    return [] if tags == [filename.tag_set] else odd_tags(tags, filename)


def _check_entry_points(archive: Archive, data: bytes) -> None:
    """Refuse script names that would be written outside of the scripts folder."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        archive.refuse("entry_points.txt is not UTF-8", "WHL207")
    for line in text.splitlines():
        name, equals, _ = line.partition("=")
        if equals and ("/" in name or "\\" in name):
            archive.refuse(f"entry point name {printable(name.strip(), 80)!r} is a path", "WHL207")


def _read_document(archive: Archive, dist_info: str, label: str) -> VariantsDocument | None:
    name = f"{dist_info}/{VARIANT_JSON}"
    entry = archive.entries.get(name)
    if entry is None:
        if label:
            archive.refuse(f"its name has the label {label}, but the wheel has no {VARIANT_JSON}", "VAR001")
        return None
    if not label:
        archive.refuse(
            f"has a {VARIANT_JSON} but no label in its name "
            "('wheel pack' drops the label: put it back into the file name)",
            "VAR002",
        )
    from variant_index.model.document import MAX_DOCUMENT_BYTES, DocumentError, parse_document

    if entry.size > MAX_DOCUMENT_BYTES:
        archive.refuse(f"{VARIANT_JSON} is larger than {MAX_DOCUMENT_BYTES} bytes", "VAR012")
    data = archive.read(entry, MAX_DOCUMENT_BYTES)
    try:
        document = parse_document(data, f"{archive.path.name}: {VARIANT_JSON}", strict=True)
    except DocumentError as error:
        raise WheelError(str(error), error.rule) from None
    if list(document.variants) != [label]:
        archive.refuse(
            f"{VARIANT_JSON} must describe the label {label} of the file name and nothing else", "VAR005"
        )
    if sum(1 for _ in each_property(document.variants[label])) > _MAX_VALUES:
        archive.refuse(f"{VARIANT_JSON} has more than {_MAX_VALUES} values", "VAR012")
    return document
