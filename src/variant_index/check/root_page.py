"""Reads the list of projects of an index (PEP 503 HTML, PEP 691 JSON)."""

from __future__ import annotations

import json
from html.parser import HTMLParser

from variant_index.errors import printable
from variant_index.model.filename import canonical_name
from variant_index.simple_api.parse import MAX_PAGE_BYTES, PageError
from variant_index.simple_api.render import JSON_TYPE
from variant_index.upstream.page import RawPage

__all__ = ["parse_root"]


def parse_root(page: RawPage) -> list[str]:
    """Return the normal names of the projects that a root page lists, in its order.

    Raises:
        PageError: it is no such page.
    """
    if len(page.body) > MAX_PAGE_BYTES:
        raise PageError(f"{printable(page.url)}: the page is larger than {MAX_PAGE_BYTES >> 20} MB")
    if page.content_type.partition(";")[0].strip().lower() == JSON_TYPE:
        return _names(page)
    parser = _Anchors()
    try:
        # Never closed: close() reads an unfinished tag again and again, in quadratic time.
        parser.feed(page.body.decode("utf-8", "replace"))
    except AssertionError:
        raise PageError(f"{printable(page.url)}: the page is not HTML") from None
    return [canonical_name(name) for name in parser.names]


def _names(page: RawPage) -> list[str]:
    try:
        names = [project["name"] for project in json.loads(page.body)["projects"]]
        return [canonical_name(name) for name in names]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise PageError(
            f"{printable(page.url)}: the page is not a JSON object with a list of projects (PEP 691)"
        ) from None


class _Anchors(HTMLParser):
    """Collects the texts of all links."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self._text: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self._text = []

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._text is not None:
            name = "".join(self._text).strip().rstrip("/")
            if name:
                self.names.append(name)
            self._text = None

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)
