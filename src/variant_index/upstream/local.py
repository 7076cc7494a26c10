"""Indexes and find-links locations that are folders or files of this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from variant_index.errors import UpstreamError, printable
from variant_index.simple_api.page import ProjectFile
from variant_index.simple_api.parse import MAX_PAGE_BYTES
from variant_index.simple_api.render import HTML_TYPE, JSON_TYPE
from variant_index.upstream.page import RawPage
from variant_index.upstream.source import Source, SourceError

__all__ = ["check_local", "list_folder", "local_path", "read_local_page", "read_page_file"]

_PAGES = (("index.json", JSON_TYPE), ("index.html", HTML_TYPE))


def local_path(url: str) -> Path | None:
    """Return the path that a `file` URL (or a plain path) names, None for any other URL.

    Raises:
        UpstreamError: no file can have that name.
    """
    if "://" not in url:
        return Path(url)
    parts = urlsplit(url)
    if parts.scheme != "file":
        return None
    from urllib.request import url2pathname  # here, for it loads an HTTP client: 15 ms

    path = url2pathname(parts.path)
    if "\0" in path:
        raise UpstreamError(f"{printable(url)} is not the address of a file")
    return Path(path)


def check_local(sources: Sequence[Source], *, strict: bool = False) -> None:
    """Make sure that the folders of indexes are there, and of find-links locations at least one.

    pip goes on without a find-links location that is missing, so what it finds elsewhere counts; it is a
    warning later.

    Args:
        sources: all sources of a command.
        strict: whether every find-links location must be there, and the folder of an index itself be named
            instead of one around it.

    Raises:
        SourceError: one is missing; it is named.
    """
    missing = []
    for source in sources:
        path = local_path(source.url)
        if path is None:
            continue
        if path.exists():
            if strict and source.kind == "index" and _is_around_an_index(path):
                inner = f"{source.url.rstrip('/')}/simple"
                raise SourceError(
                    f"index {printable(source.url)}: its pages are in {printable(inner)}, name that"
                )
            continue
        if strict or source.kind == "index":
            raise SourceError(f"{source.kind} {printable(source.url)}: no such folder")
        missing.append(source)
    if missing and len(missing) == len(sources):
        raise SourceError(
            f"find-links {printable(missing[0].url)}: no such file or folder, and there is no other source"
        )


def _is_around_an_index(folder: Path) -> bool:
    """Tell whether a folder is no index but holds one, as `variant-index build --out` makes it."""
    inner = folder / "simple"
    names = [name for name, _ in _PAGES]
    if any((folder / name).exists() for name in names) or not any((inner / name).exists() for name in names):
        return False
    return any((project / name).exists() for project in inner.iterdir() for name in names)


def read_local_page(folder: Path) -> RawPage | None:
    """Return the page in a project's folder of a local index; None when there is no such project.

    Raises:
        UpstreamError: the page is too large or cannot be read.
    """
    for filename, content_type in _PAGES:
        if (page := read_page_file(folder / filename, content_type)) is not None:
            return page
    return None


def read_page_file(path: Path, content_type: str) -> RawPage | None:
    """Return the page that a file holds; None when there is no such file.

    Raises:
        UpstreamError: the file is too large or cannot be read.
    """
    try:
        with path.open("rb") as file:
            body = file.read(MAX_PAGE_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UpstreamError(f"{printable(str(path))}: {error.strerror}") from None
    return RawPage(path.absolute().as_uri(), content_type, body)


def list_folder(folder: Path) -> list[ProjectFile]:
    """Return every file of a folder as an entry of a page, sorted by name.

    Raises:
        UpstreamError: the folder cannot be read.
    """
    try:
        names = sorted(entry.name for entry in folder.iterdir() if entry.is_file())
    except OSError as error:
        raise UpstreamError(f"{printable(str(folder))}: {error.strerror}") from None
    return [ProjectFile(name, (folder / name).absolute().as_uri()) for name in names]
