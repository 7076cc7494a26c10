"""Whether a page can go to installers unread: pip ends with a traceback on what is not a page at all."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from variant_index.simple_api.render import JSON_TYPE

__all__ = ["has_page_shape"]

_CHARSET: Final = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9._\-]{1,40})", re.IGNORECASE | re.ASCII)


def has_page_shape(body: bytes, content_type: str) -> bool:
    """Tell whether a body is JSON with a list of files, or text in the encoding it claims.

    Much faster than `parse_page`, which says what is wrong. Nothing is said about values that installers
    check themselves.

    Args:
        body: the page.
        content_type: as the server sent it; what is not JSON counts as HTML.
    """
    kind, _, parameters = content_type.partition(";")
    try:
        if kind.strip().lower() == JSON_TYPE:
            page = json.loads(body)
            return (
                isinstance(page, dict)
                and isinstance(page.get("files"), list)
                and all(map(_is_file, page["files"]))
            )
        charset = _CHARSET.search(parameters)
        body.decode(charset[1] if charset else "utf-8")
    except (ValueError, LookupError, RecursionError):
        return False
    return True


def _is_file(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("url"), str)
        and isinstance(entry.get("filename"), str)
        and isinstance(entry.get("hashes"), dict)
        and isinstance(entry.get("requires-python"), str | None)
    )
