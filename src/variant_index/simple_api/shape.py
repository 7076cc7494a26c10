"""Whether a page can go to installers unread: pip ends with a traceback on what is not a page at all."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any, Final

from variant_index.simple_api.entry import is_upload_time
from variant_index.simple_api.render import JSON_TYPE

__all__ = ["has_page_shape"]

_SOUND_ORIGIN: Final = re.compile(
    r"https?://(?:[A-Za-z0-9\-_]{1,63}\.)*[A-Za-z0-9\-_]{1,63}(?::[0-9]{1,4})?/", re.ASCII
)
_ODD_HOST: Final = re.compile(rb"""://[^/"'<>\s]{0,300}[\[\]\x80-\xff&%]""")
_VERSION_ONE: Final = re.compile(r"1\.\d{1,6}", re.ASCII)
_KNOWN_META: Final = re.compile(
    rb"""<meta (?:charset="?(?:utf|UTF)-8"?|name="(?:pypi:repository-version" content="1\.\d{1,6}"""
    rb"""|api-version" value="2|viewport" content="[^"<>&]{0,200})") ?/?>"""
)
_CHARSET: Final = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9._\-]{1,40})", re.IGNORECASE | re.ASCII)


def has_page_shape(body: bytes, content_type: str) -> bool:
    """Tell whether a body is JSON with a list of files, or text in the encoding it claims, without traps.

    Much faster than `parse_page`, which says what is wrong, or that nothing is: a page with odd values may
    lack this shape. Nothing is said about values that installers check themselves.

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
                and _is_version_one(page.get("meta", {}))
                and isinstance(page.get("files"), list)
                and all(map(_is_file, page["files"]))
            )
        found = _CHARSET.search(parameters)
        charset = found[1] if found else "utf-8"
        body.decode(charset)
        return "<m".encode(charset) == b"<m" and _has_known_metas(body) and _ODD_HOST.search(body) is None
    except (ValueError, LookupError, RecursionError):
        return False


def _is_version_one(meta: object) -> bool:
    return isinstance(meta, dict) and _VERSION_ONE.fullmatch(str(meta.get("api-version", "1.0"))) is not None


def _has_known_metas(page: bytes) -> bool:
    """Tell whether no `meta` of an HTML page can name a version of the API that clients refuse (PEP 629)."""
    tags = page.count(b"<m") + page.count(b"<M")  # of whatever begins with m
    return tags == 0 or len(_KNOWN_META.findall(page)) == tags


def _is_file(entry: Any) -> bool:
    if not isinstance(entry, dict):
        return False
    get = entry.get
    url, requires_python, upload_time = get("url"), get("requires-python"), get("upload-time")
    return (
        isinstance(url, str)
        and url.isascii()
        and _is_sound_origin(url[: url.find("/", len("https://")) + 1])
        and isinstance(get("filename"), str)
        and _are_digests(get("hashes"))
        and (requires_python is None or (isinstance(requires_python, str) and len(requires_python) <= 1000))
        and (upload_time is None or is_upload_time(upload_time))
        and _is_core_metadata(get("core-metadata"))
        and _is_core_metadata(get("dist-info-metadata"))
    )


@lru_cache(64)
def _is_sound_origin(text: str) -> bool:
    return _SOUND_ORIGIN.fullmatch(text) is not None


def _is_core_metadata(value: object) -> bool:
    return value is None or isinstance(value, bool) or _are_digests(value)


def _are_digests(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    for digest in value.values():  # noqa: SIM110 - half the time of all()
        if not isinstance(digest, str) or not digest:
            return False
    return True
