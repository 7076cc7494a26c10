"""Which forms the pages of an index come in: HTML, JSON, or both (pure).

An index remembers its layout by what it consists of: its root page has just these forms.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Final, Literal

__all__ = ["FORMS", "HTML_PAGE", "JSON_PAGE", "Layout", "layout_of"]

Layout = Literal["both", "html", "json"]
"""
* `both`: for servers that negotiate; others pass over one of the two.
* `html`: for hosts that go by the extension, where no JSON page can have its content type.
* `json`: for hosts that can be told the index document and its content type.
"""

HTML_PAGE: Final = "index.html"
JSON_PAGE: Final = "index.json"

FORMS: Final[Mapping[Layout, tuple[str, ...]]] = {
    "both": (HTML_PAGE, JSON_PAGE),
    "html": (HTML_PAGE,),
    "json": (JSON_PAGE,),
}
"""The file names of each layout's pages."""


def layout_of(pages: Container[str]) -> Layout | None:
    """Return the layout of an index, given the file names of its root page; None when it has none."""
    html, json = HTML_PAGE in pages, JSON_PAGE in pages
    return "both" if html and json else "html" if html else "json" if json else None
