"""Reads a project's page back as the planner wrote it: with relative addresses (pure)."""

from __future__ import annotations

from dataclasses import replace

from variant_index.errors import printable
from variant_index.publish.content_types import content_type
from variant_index.publish.plan import FILES, PAGES, listed_path
from variant_index.publish.store import StoreError
from variant_index.simple_api.page import ProjectPage
from variant_index.simple_api.parse import PageError, parse_page
from variant_index.simple_api.render import JSON_TYPE

__all__ = ["read_published_page"]

# Any address will do: links on our pages are relative, and are made so again when they are read.
_BASE = "https://index.invalid/"


def read_published_page(content: bytes, name: str, place: str) -> ProjectPage:
    """Return the page of a project from either form: both say everything.

    Args:
        content: the page's bytes.
        name: the project's normal name.
        place: where the page is; its extension tells the form.

    Raises:
        StoreError: it is no page, or none of ours.
    """
    try:
        page = parse_page(content, content_type(place) or JSON_TYPE, f"{_BASE}{PAGES}{name}/", name)
    except PageError as error:
        raise _unusable(place, printable(str(error).rpartition(": ")[2])) from None
    if page.problems:
        raise _unusable(place, page.problems[0])
    page = replace(page, files=tuple(replace(file, url=_relative(file.url)) for file in page.files))
    for file in page.files:
        if listed_path(file) is None:
            raise _unusable(place, f"{printable(file.filename)} is not under {FILES}")
    return page


def _relative(url: str) -> str:
    return f"../../{url.removeprefix(_BASE)}" if url.startswith(_BASE) else url


def _unusable(place: str, problem: str) -> StoreError:
    return StoreError(
        f"{printable(place)}: {problem}; remove the page in both forms and build the index again from all "
        "wheels, with --no-cache"
    )
