"""The content types of what an index consists of (pure)."""

from __future__ import annotations

from variant_index.simple_api.render import HTML_TYPE, JSON_TYPE

__all__ = ["content_type"]

_TYPES = (
    (".whl", "application/octet-stream"),
    (".provenance", "application/json"),
    (".metadata", "text/plain; charset=utf-8"),
    ("-variants.json", "application/json"),
    (".tar.gz", "application/gzip"),
    ("index.json", JSON_TYPE),
    ("index.html", f"{HTML_TYPE}; charset=utf-8"),
)


def content_type(path: str) -> str | None:
    """Return the content type of a file or page of an index; None for what is in no index."""
    return next((kind for suffix, kind in _TYPES if path.endswith(suffix)), None)
