"""Writes project and root pages as PEP 691 JSON and PEP 503 HTML, and chooses between the two.

Pages declare the lowest repository version that covers what they hold: 1.1 (PEP 700) when every file
has a size, 1.3 (PEP 740) when a file also has a provenance object, else 1.0.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from html import escape
from typing import Any, Final

from variant_index.simple_api.page import ProjectFile, ProjectPage

__all__ = [
    "HTML_TYPE",
    "HTML_V1_TYPE",
    "JSON_TYPE",
    "negotiate",
    "render_html",
    "render_json",
    "render_root_html",
    "render_root_json",
]

JSON_TYPE: Final = "application/vnd.pypi.simple.v1+json"
HTML_V1_TYPE: Final = "application/vnd.pypi.simple.v1+html"
HTML_TYPE: Final = "text/html"

_SDIST_SUFFIXES = (".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz", ".tar.Z")


def render_json(page: ProjectPage) -> bytes:
    """Return a project page as PEP 691 JSON; addresses are written as they are."""
    files = [_json_entry(file) for file in page.files]
    complete = all(file.size is not None for file in page.files)
    attested = any(file.provenance is not None for file in page.files)
    version = "1.0" if not complete else "1.3" if attested else "1.1"
    content: dict[str, Any] = {"meta": {"api-version": version}, "name": page.name}
    if complete:
        content["versions"] = list(dict.fromkeys(filter(None, map(_version, page.files))))
    content["files"] = files
    return _dump(content)


def _json_entry(file: ProjectFile) -> dict[str, Any]:
    entry: dict[str, Any] = {"filename": file.filename, "url": file.url, "hashes": file.hashes}
    if file.requires_python is not None:
        entry["requires-python"] = file.requires_python
    if file.yanked:
        entry["yanked"] = file.yanked
    if file.core_metadata is not False:
        # Not under its old name as well: that makes pip 22.3 to 23.1 fail (PEP 714).
        entry["core-metadata"] = file.core_metadata
    if file.size is not None:
        entry["size"] = file.size
    if file.upload_time is not None:
        entry["upload-time"] = file.upload_time
    if file.provenance is not None:
        entry["provenance"] = file.provenance
    return entry


def _version(file: ProjectFile) -> str | None:
    """Return the version as the file name spells it (the sidecar repeats that of its wheels)."""
    name = file.filename
    if name.endswith(".whl"):
        parts = name.split("-", 2)
        return parts[1] if len(parts) == 3 else None
    for suffix in _SDIST_SUFFIXES:
        if name.endswith(suffix):
            return name[: -len(suffix)].rpartition("-")[2] or None
    return None


def render_html(page: ProjectPage) -> bytes:
    """Return a project page as PEP 503 HTML.

    HTML holds one hash of a file and of its metadata: SHA-256 where there is one. Upload times and sizes
    have no place in it but the attributes that uv reads. Addresses are written as they are, with the hash
    as their fragment.
    """
    title = escape(f"Links for {page.name}")
    return _document(title, "".join(map(_anchor, page.files)))


def _anchor(file: ProjectFile) -> str:
    digest = _one_hash(file.hashes)
    attributes = [f'href="{escape(file.url)}{"#" + escape(digest) if digest else ""}"']
    if file.requires_python is not None:
        attributes.append(f'data-requires-python="{escape(file.requires_python)}"')
    if file.yanked:
        attributes.append(f'data-yanked="{escape(file.yanked) if isinstance(file.yanked, str) else ""}"')
    if file.core_metadata is not False:
        known = _one_hash(file.core_metadata) if isinstance(file.core_metadata, Mapping) else None
        value = escape(known or "true")
        attributes += [f'data-core-metadata="{value}"', f'data-dist-info-metadata="{value}"']
    if file.upload_time is not None:
        # In no specification, but PyTorch's index has it and uv needs it for --exclude-newer.
        attributes.append(f'data-upload-time="{escape(file.upload_time)}"')
    if file.size is not None:
        attributes.append(f'data-size="{file.size}"')  # as before: uv reads it
    if file.provenance is not None:
        attributes.append(f'data-provenance="{escape(file.provenance)}"')
    return f"    <a {' '.join(attributes)}>{escape(file.filename)}</a><br>\n"


def _one_hash(hashes: Mapping[str, str]) -> str | None:
    for algorithm in ("sha256", "sha512", "sha384", *hashes):
        if algorithm in hashes:
            return f"{algorithm}={hashes[algorithm]}"
    return None


def render_root_json(names: Iterable[str]) -> bytes:
    """Return the list of projects (normal names) as PEP 691 JSON."""
    return _dump({"meta": {"api-version": "1.0"}, "projects": [{"name": name} for name in names]})


def render_root_html(names: Iterable[str]) -> bytes:
    """Return the list of projects (normal names) as PEP 503 HTML, each linked to the folder `NAME/`."""
    anchors = "".join(f'    <a href="{escape(name)}/">{escape(name)}</a><br>\n' for name in names)
    return _document("Simple index", anchors)


def _dump(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


def _document(title: str, body: str) -> bytes:
    return (
        "<!DOCTYPE html>\n<html>\n  <head>\n"
        '    <meta charset="utf-8">\n'
        '    <meta name="pypi:repository-version" content="1.0">\n'
        f"    <title>{title}</title>\n  </head>\n  <body>\n"
        f"{body}  </body>\n</html>\n"
    ).encode()


_ALIASES = {
    "application/vnd.pypi.simple.latest+json": JSON_TYPE,
    "application/vnd.pypi.simple.latest+html": HTML_V1_TYPE,
}
# Best first: among types the client names and likes equally, and among types its wildcard covers.
_NAMED_ORDER = (JSON_TYPE, HTML_V1_TYPE, HTML_TYPE)
_WILDCARD_ORDER = (HTML_TYPE, HTML_V1_TYPE, JSON_TYPE)


def negotiate(accept: str | None, types: Collection[str] = _NAMED_ORDER) -> str | None:
    """Choose the form of a page for an `Accept` header (PEP 691, RFC 9110 section 12.5.1).

    Args:
        accept: the header.
        types: the content types there are, at least one.

    Returns:
        JSON_TYPE, HTML_V1_TYPE or HTML_TYPE: the content type to answer with. Without a header, and
        for `*/*`, it is HTML_TYPE where there is HTML. None when the client accepts no form (status 406).
    """
    if accept is None or not accept.strip():
        accept = "*/*"
    weights: dict[str, float] = {}
    for item in accept.split(","):
        kind, _, parameters = item.partition(";")
        kind = kind.strip().lower()
        weights[_ALIASES.get(kind, kind)] = _quality(parameters)
    best: tuple[float, int, int] | None = None
    chosen = None
    for offered in filter(types.__contains__, _NAMED_ORDER):
        for specificity, known, order in (
            (2, offered, _NAMED_ORDER),
            (1, offered.partition("/")[0] + "/*", _WILDCARD_ORDER),
            (0, "*/*", _WILDCARD_ORDER),
        ):
            if known in weights:
                key = (weights[known], specificity, -order.index(offered))
                if weights[known] > 0 and (best is None or key > best):
                    best, chosen = key, offered
                break
    return chosen


def _quality(parameters: str) -> float:
    for parameter in parameters.split(";"):
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "q":
            try:
                quality = float(value.strip())
            except ValueError:
                return 0.0
            return quality if 0.0 <= quality <= 1.0 else 0.0
    return 1.0
