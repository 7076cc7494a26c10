"""Reads a project page in JSON (PEP 691, PEP 700)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from variant_index.errors import printable
from variant_index.simple_api.entry import (
    EntryError,
    checked_name,
    checked_requires_python,
    checked_text,
    is_digest,
    is_upload_time,
    provenance_address,
)
from variant_index.simple_api.page import ProjectFile, ProjectPage
from variant_index.simple_api.page_reader import PageReader, check_api_version, page_error

__all__ = ["parse_json"]

_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


def parse_json(body: bytes, url: str, name: str) -> ProjectPage:
    """Read a project page in JSON; arguments, result and errors are those of `parse_page`."""
    try:
        page = json.loads(body)
    except (ValueError, RecursionError):
        raise page_error(url, "the page is not JSON") from None
    if not isinstance(page, dict) or not isinstance(files := page.get("files"), list):
        raise page_error(url, "the page is not a JSON object with a list of files (PEP 691)")
    meta = page.get("meta", {})
    if not isinstance(meta, dict):
        raise page_error(url, "meta is not an object (PEP 691)")
    if "api-version" in meta:
        check_api_version(meta["api-version"], url)
    reader = PageReader(url)
    reader.check_count(len(files))
    for entry in files:
        if not isinstance(entry, dict):
            raise page_error(url, "an entry of files is not an object (PEP 691)")
        try:
            reader.files.append(_file(entry, reader))
        except EntryError as error:
            reader.leave_out(entry.get("filename"), error)
    return reader.page(name)


def _file(entry: dict[str, Any], reader: PageReader) -> ProjectFile:
    get = entry.get
    address = get("url")
    if not isinstance(address, str):
        raise EntryError("it has no address")
    requires_python = get("requires-python")
    if requires_python is not None and not isinstance(requires_python, str):
        raise EntryError("its requires-python is not text")
    checked_requires_python(requires_python)
    yanked = get("yanked") or False
    if not isinstance(yanked, (bool, str)):
        raise EntryError("its yanked is neither a boolean nor text")
    checked_text(yanked if isinstance(yanked, str) else "", "yanked")
    core_metadata = get("core-metadata")
    if core_metadata is None:
        core_metadata = get("dist-info-metadata")  # its name before PEP 714
    size, upload_time = get("size"), get("upload-time")
    return ProjectFile(
        checked_name(get("filename")),
        reader.absolute(address).partition("#")[0],
        _checked_hashes(get("hashes", {})),
        requires_python,
        yanked,
        _core_metadata(core_metadata),
        size if type(size) is int and size >= 0 else None,
        upload_time if is_upload_time(upload_time) else None,
        provenance_address(get("provenance")),
        reader.url,
    )


def _is_one_sha256(hashes: dict[str, object]) -> bool:
    """Recognise what nearly every entry has, quickly."""
    digest = hashes.get("sha256")
    return len(hashes) == 1 and isinstance(digest, str) and _SHA256.fullmatch(digest) is not None


def _checked_hashes(hashes: object) -> Mapping[str, str]:
    if not isinstance(hashes, dict):
        raise EntryError("its hashes are not an object")
    if _is_one_sha256(hashes):
        return hashes
    for algorithm, digest in hashes.items():
        if not is_digest(algorithm, digest):
            raise EntryError(f"its {printable(algorithm)} hash is not a hexadecimal digest")
    return hashes


def _core_metadata(value: object) -> bool | Mapping[str, str]:
    if value is None or isinstance(value, bool):
        return value or False
    if not isinstance(value, dict):
        return False
    if not value or _is_one_sha256(value):
        return value or True
    return value if all(is_digest(algorithm, digest) for algorithm, digest in value.items()) else False
