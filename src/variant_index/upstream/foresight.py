"""What an installer will ask for next, guessed from a project page and from METADATA; pure.

A guess may be wrong: then a page was fetched for nothing, or is fetched when it is asked for. Nothing that
is listed or chosen depends on it, so what is doubtful is passed over, and the cheapest way is taken.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import InvalidVersion, Version

from variant_index.model.filename import canonical_name
from variant_index.simple_api.page import ProjectFile
from variant_index.simple_api.parse import PageError, parse_page
from variant_index.simple_api.render import JSON_TYPE
from variant_index.upstream.page import RawPage
from variant_index.wheel.headers import HeaderError, parse_headers

__all__ = ["named_projects", "newest_wheel", "required_projects"]

_WHEEL: Final = re.compile(rb"-([0-9][A-Za-z0-9_.!]{0,60})-[A-Za-z0-9_.\-]{5,200}\.whl(?=[<\"])")
_LARGEST_ENTRY: Final = 1 << 14
_MOST_NESTED: Final = 4
_MOST_REQUIREMENTS: Final = 500
_LONGEST_REQUIREMENT: Final = 1000


def newest_wheel(raw: RawPage, name: str) -> ProjectFile | None:
    """Return a wheel of a page's newest final release; None when there is none, or nothing can be told.

    The page is searched and not parsed, which for thousands of files would take longer than what is gained.

    Args:
        raw: the page, HTML or JSON.
        name: the project's normal name.
    """
    places: dict[bytes, int] = {}
    for match in _WHEEL.finditer(raw.body):
        places[match[1]] = match.start()
    versions = {version: place for text, place in places.items() if (version := _final(text)) is not None}
    if not versions:
        return None
    place = versions[max(versions)]
    is_html = raw.body.lstrip()[:1] == b"<"
    entry = _html_entry(raw.body, place) if is_html else _json_entry(raw.body, place, name)
    try:
        page = parse_page(entry, raw.content_type if is_html else JSON_TYPE, raw.url, name)
    except PageError:
        return None
    return page.files[0] if page.files else None


def required_projects(metadata: bytes, extras: Iterable[str] = ()) -> dict[str, frozenset[str]]:
    """Return normal name -> extras of what METADATA requires; markers are those of this interpreter.

    Args:
        metadata: the content of METADATA.
        extras: the extras asked for.
    """
    try:
        lines = parse_headers(metadata).get("requires-dist", [])
    except HeaderError:
        return {}
    return named_projects(lines, extras)


def named_projects(requirements: Iterable[str], extras: Iterable[str] = ()) -> dict[str, frozenset[str]]:
    """Return normal name -> extras of what requirements name, without those that are URLs.

    Args:
        requirements: PEP 508 requirements; what is none is passed over.
        extras: the extras under which they stand.
    """
    found: dict[str, frozenset[str]] = {}
    environments = [{"extra": extra} for extra in ("", *extras)]
    for text, _ in zip(requirements, range(_MOST_REQUIREMENTS), strict=False):
        if len(text) > _LONGEST_REQUIREMENT:
            continue
        try:
            requirement = Requirement(text)
            holds = requirement.marker is None or any(map(requirement.marker.evaluate, environments))
        except (InvalidRequirement, ValueError, KeyError):
            continue
        if holds and requirement.url is None:
            name = canonical_name(requirement.name)
            found[name] = found.get(name, frozenset()) | requirement.extras
    return found


def _final(text: bytes) -> Version | None:
    try:
        version = Version(text.decode("ascii"))
    except InvalidVersion:
        return None
    return None if version.is_prerelease else version


def _html_entry(page: bytes, place: int) -> bytes:
    """Return a page of the one link around a place."""
    begin = page.rfind(b"<a", max(0, place - _LARGEST_ENTRY), place)
    end = page.find(b"</a>", place, place + _LARGEST_ENTRY)
    return b"<!DOCTYPE html><html><body>" + page[begin : end + 4] if 0 <= begin < end else b""


def _json_entry(page: bytes, place: int, name: str) -> bytes:
    """Return a page of the one entry around a place; the innermost object that has a file name is it."""
    begin = place
    for _ in range(_MOST_NESTED):
        begin = page.rfind(b"{", max(0, place - _LARGEST_ENTRY), begin)
        if begin < 0:
            break
        try:
            text = page[begin : begin + _LARGEST_ENTRY].decode("utf-8", "replace")
            entry, _end = json.JSONDecoder().raw_decode(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, Mapping) and "filename" in entry:
            content = {"meta": {"api-version": "1.0"}, "name": name, "files": [entry]}
            return json.dumps(content).encode()
    return b""
