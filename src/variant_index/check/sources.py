"""Where an index is read from: a folder, or a server."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol

from variant_index.errors import UpstreamError, printable
from variant_index.simple_api.page import ProjectFile
from variant_index.simple_api.parse import MAX_PAGE_BYTES
from variant_index.simple_api.render import HTML_TYPE, JSON_TYPE
from variant_index.upstream.local import local_path, read_page_file
from variant_index.upstream.network import Network
from variant_index.upstream.page import RawPage

__all__ = ["ElsewhereError", "FolderIndex", "IndexSource", "RemoteIndex", "index_folder"]

_FORMS = (("index.json", JSON_TYPE), ("index.html", HTML_TYPE))
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)
# What a file may be at most where the page does not say: as much as a wheel may be.
_MAX_FILE_BYTES = 1 << 32
_SPARE_BYTES = 1 << 20
_MAX_METADATA_BYTES = 1 << 23


class ElsewhereError(UpstreamError):
    """A file lies where it cannot be checked from here."""


class IndexSource(Protocol):
    """An index to check; its pages and files are hostile until checked."""

    def root_pages(self) -> list[RawPage]:
        """Return the list of projects in each form there is.

        Raises:
            UpstreamError: the index cannot be read.
        """

    def unlisted(self, names: set[str]) -> list[str]:
        """Return projects that have pages although their names are not in `names`."""

    def pages(self, name: str) -> list[RawPage]:
        """Return a project's page in each form there is; none when there is no such project.

        Raises:
            UpstreamError: the index cannot be read.
        """

    def file(self, listed: ProjectFile, folder: Path) -> Path:
        """Return a path to the file; one that is not on this machine is written into `folder`.

        Raises:
            ElsewhereError: it is not part of this index.
            UnreachableError: the server is down.
            UpstreamError: there is no such file, or it cannot be read.
        """

    def metadata(self, listed: ProjectFile) -> bytes:
        """Return the metadata file beside a wheel (PEP 658).

        Raises:
            UnreachableError: the server is down.
            UpstreamError: there is no such file, or it cannot be read.
        """


def index_folder(path: Path) -> Path | None:
    """Return the folder of the root page when `path` is a static index, or the folder above; else None."""
    for folder in (path / "simple", path):
        if any((folder / form).is_file() for form, _ in _FORMS):
            return folder
    return None


class FolderIndex:
    """A static index in a folder of this machine."""

    def __init__(self, folder: Path) -> None:
        """Check the index whose root page is in `folder`."""
        self._folder = folder
        # Files may lie beside the pages' folder, but nowhere else.
        self._within = folder.resolve().parent

    def root_pages(self) -> list[RawPage]:
        """See `IndexSource`."""
        return self._pages(self._folder)

    def unlisted(self, names: set[str]) -> list[str]:
        """See `IndexSource`."""
        folders = {page.parent.name for form, _ in _FORMS for page in self._folder.glob(f"*/{form}")}
        return sorted(folders - names)

    def pages(self, name: str) -> list[RawPage]:
        """See `IndexSource`."""
        return self._pages(self._folder / name) if _NAME.fullmatch(name) else []

    def _pages(self, folder: Path) -> list[RawPage]:
        pages = [read_page_file(folder / form, content_type) for form, content_type in _FORMS]
        return [page for page in pages if page is not None]

    def file(self, listed: ProjectFile, folder: Path) -> Path:
        """See `IndexSource`."""
        path = local_path(listed.url)
        try:
            if path is None or not path.resolve().is_relative_to(self._within):
                raise ElsewhereError(f"{printable(listed.url)} lies outside of the index and was not checked")
            if path.is_file():
                return path
        except (OSError, RuntimeError):  # a name too long, or links in a circle
            pass
        raise UpstreamError(f"{printable(str(path))}: is listed, but there is no such file")

    def metadata(self, listed: ProjectFile) -> bytes:
        """See `IndexSource`."""
        path = local_path(f"{listed.url}.metadata")
        assert path is not None  # its wheel is a file
        try:
            with path.open("rb") as file:
                return file.read(_MAX_METADATA_BYTES + 1)
        except OSError as error:
            raise UpstreamError(f"{printable(str(path))}: is listed, but: {error.strerror}") from None


class RemoteIndex:
    """An index on a server; its files are downloaded."""

    def __init__(self, url: str, network: Network) -> None:
        """Check the index whose root page is at `url`."""
        self._url = url.rstrip("/") + "/"
        self._network = network

    def root_pages(self) -> list[RawPage]:
        """See `IndexSource`."""
        pages = self._pages(self._url)
        if not pages:
            raise UpstreamError(f"{printable(self._url)}: there is no index")
        return pages

    def unlisted(self, names: set[str]) -> list[str]:
        """See `IndexSource`."""
        return []  # a server has no other list

    def pages(self, name: str) -> list[RawPage]:
        """See `IndexSource`."""
        return self._pages(f"{self._url}{name}/") if _NAME.fullmatch(name) else []

    def _pages(self, url: str) -> list[RawPage]:
        found: dict[str, RawPage] = {}
        for _, content_type in _FORMS:
            reply = self._network.get(url, limit=MAX_PAGE_BYTES, accept=content_type)
            if reply.status == 200:
                sent = reply.headers.get("content-type", "")
                # A static host has one form only and sends it whatever is asked for.
                found.setdefault(sent.partition(";")[0].lower(), RawPage(reply.url, sent, reply.body))
            elif reply.status not in (404, 406, 410):
                raise UpstreamError(f"{printable(url)} answered {reply.status}")
        return list(found.values())

    def file(self, listed: ProjectFile, folder: Path) -> Path:
        """See `IndexSource`."""
        path = folder / listed.filename  # the reader of pages lets no separators through
        # A little more than listed is received and found to be wrong, much more is not received.
        limit = min(_MAX_FILE_BYTES if listed.size is None else listed.size + _SPARE_BYTES, _MAX_FILE_BYTES)
        with path.open("wb") as file:
            self._found(
                self._network.download(listed.url, file, limit=limit, named_by=listed.listed_by).status,
                listed.url,
            )
        return path

    def metadata(self, listed: ProjectFile) -> bytes:
        """See `IndexSource`."""
        url = f"{listed.url}.metadata"
        reply = self._network.get(url, limit=_MAX_METADATA_BYTES, named_by=listed.listed_by)
        self._found(reply.status, url)
        return reply.body

    def _found(self, status: int, url: str) -> None:
        if status != 200:
            raise UpstreamError(f"{printable(url)}: is listed, but the server answers {status}")
