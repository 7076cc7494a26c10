"""Reads a project page of an index: PEP 503 HTML or PEP 691 JSON, whichever the server sent.

A page as a whole that breaks the rules is an error. A single entry that cannot be used safely (its
address, name, hash, yank or `Requires-Python` is malformed) is left out and reported in
`ProjectPage.problems`: listing it without that field would promise more than the index does.
Malformed size, upload time and core metadata only lose the field: nothing depends on them.
pip ends with a traceback on some malformed values, so none of these gets through.
"""

from __future__ import annotations

from typing import Final

from variant_index.errors import printable
from variant_index.simple_api.page import ProjectPage
from variant_index.simple_api.page_reader import PageError, page_error
from variant_index.simple_api.parse_html import parse_html
from variant_index.simple_api.parse_json import parse_json

__all__ = ["MAX_PAGE_BYTES", "PageError", "parse_page"]

MAX_PAGE_BYTES = 64 << 20
"""A larger page is refused; the largest real ones have about 10 MB."""

_JSON_TYPES: Final = frozenset(
    {"application/vnd.pypi.simple.v1+json", "application/vnd.pypi.simple.latest+json"}
)
_HTML_TYPES: Final = frozenset(
    {"text/html", "application/vnd.pypi.simple.v1+html", "application/vnd.pypi.simple.latest+html"}
)


def parse_page(body: bytes, content_type: str, url: str, name: str) -> ProjectPage:
    """Read a project page.

    Args:
        body: the page's bytes.
        content_type: the response's `Content-Type`; only the types of PEP 691 and `text/html` are pages.
        url: where the page came from after redirects; relative addresses start there.
        name: the project's normal name; the result carries it.

    Returns:
        The page. Every `url` is absolute, with its percent-encoding as given and no fragment. In HTML
        the file's name is the last part of the address, as installers read it.

    Raises:
        PageError: one line that names `url` and what is wrong with the page as a whole.
    """
    kind, _, parameters = content_type.partition(";")
    kind = kind.strip().lower()
    if len(body) > MAX_PAGE_BYTES:
        raise page_error(url, f"the page is larger than {MAX_PAGE_BYTES >> 20} MB")
    if kind in _JSON_TYPES:
        return parse_json(body, url, name)
    if kind in _HTML_TYPES:
        return parse_html(body, parameters, url, name)
    raise page_error(
        url, f"content type {printable(kind)!r} is not a project page (PEP 503 HTML or PEP 691 JSON)"
    )
