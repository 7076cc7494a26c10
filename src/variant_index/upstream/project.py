"""One project over all sources: the first index that has it and find-links files, or as it is routed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final
from urllib.parse import urlsplit

from variant_index.errors import UpstreamError, printable
from variant_index.simple_api.page import ProjectFile, ProjectPage
from variant_index.simple_api.parse import MAX_PAGE_BYTES, parse_page
from variant_index.upstream.find_links import FindLinks
from variant_index.upstream.local import local_path, read_local_page
from variant_index.upstream.network import Network, UnreachableError
from variant_index.upstream.page import RawPage
from variant_index.upstream.routing import Routing
from variant_index.upstream.source import Source
from variant_index.upstream.unhashed import left_out_line, split_unhashed

__all__ = ["PREFER_HTML", "PREFER_JSON", "FetchedProject", "Upstream"]

PREFER_JSON: Final = (
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
)
"""The `Accept` header that asks for JSON and takes HTML."""

PREFER_HTML: Final = (
    "application/vnd.pypi.simple.v1+html, text/html;q=0.9, application/vnd.pypi.simple.v1+json;q=0.1"
)
"""The `Accept` header that asks for HTML and takes JSON."""

_NAME: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)
# PyTorch's storage answers 403, not 404, for what is not there.
_FORBIDDEN_MEANS_MISSING: Final = re.compile(r"download[a-z0-9\-]*\.pytorch\.org", re.ASCII)


@dataclass(frozen=True)
class FetchedProject:
    """What the sources say of one project.

    Attributes:
        name: the project's normal name.
        index: the index that has it; None when only find-links locations do.
        raw: that index's page as sent; None when `index` is.
        found: files of find-links locations, which pip prefers over equal ones of the index.
        problems: what of the find-links locations was ignored and why, one printable line each.
        more: the pages of further indexes, where the user has them merged.
        route: the pattern by which the user sends the project to `index` alone; empty for none.
        merged: the indexes of all pages, where the user has them merged; empty otherwise.
        allow_unhashed: whether files that no hash can check are listed as well.
    """

    name: str
    index: Source | None
    raw: RawPage | None
    found: tuple[ProjectFile, ...] = ()
    problems: tuple[str, ...] = ()
    more: tuple[RawPage, ...] = ()
    route: str = ""
    merged: tuple[Source, ...] = ()
    allow_unhashed: bool = False

    @cached_property
    def page(self) -> ProjectPage:
        """All files as one page, find-links files first; of equal names the first index's file is meant.

        Raises:
            PageError: an index sent something that is not a page.
        """
        return self._sifted[0]

    @property
    def left_out(self) -> tuple[str, ...]:
        """What of the page is left out because no hash could check it, one printable line or none."""
        unhashed = self._sifted[1]
        return (left_out_line(self.name, unhashed),) if unhashed else ()

    @cached_property
    def _sifted(self) -> tuple[ProjectPage, list[ProjectFile]]:
        listed = ProjectPage(self.name, ())
        if self.raw is not None:
            listed = self._parse(self.raw)
        for raw in self.more:
            listed = _merged(listed, self._parse(raw))
        unhashed: list[ProjectFile] = []
        if not self.allow_unhashed:
            kept, unhashed = split_unhashed(listed.files)
            listed = ProjectPage(self.name, tuple(kept), listed.problems) if unhashed else listed
        known = {file.filename for file in self.found}
        files = [file for file in listed.files if file.filename not in known] if known else listed.files
        return ProjectPage(self.name, (*self.found, *files), listed.problems), unhashed

    def index_of(self, file: ProjectFile) -> Source | None:
        """Return the index whose page lists a file of `page`; None for a file of a find-links location."""
        if any(file.filename == found.filename for found in self.found):
            return None
        pages = zip(self.merged, (self.raw, *self.more), strict=False)
        listing = (source for source, raw in pages if raw is not None and raw.url == file.listed_by)
        return next(listing, self.index)

    def _parse(self, raw: RawPage) -> ProjectPage:
        return parse_page(raw.body, raw.content_type, raw.url, self.name)


class Upstream:
    """The user's sources in their order; safe to share between threads."""

    def __init__(
        self,
        sources: Sequence[Source],
        network: Network,
        routing: Routing | None = None,
        *,
        allow_unhashed: bool = False,
    ) -> None:
        """Prepare; nothing is fetched yet.

        Args:
            sources: indexes and find-links locations, in order.
            network: reads them.
            routing: projects that come from one index only, or from all; None for the usual order.
            allow_unhashed: whether files that no hash can check are listed as well.
        """
        self._routing = routing or Routing()
        self._allow_unhashed = allow_unhashed
        self._indexes = tuple(source for source in sources if source.kind == "index")
        self._network = network
        self._find_links = FindLinks(
            [source for source in sources if source.kind == "find-links"],
            network,
            allow_unhashed=allow_unhashed,
        )

    def project(self, name: str, accept: str = PREFER_JSON) -> FetchedProject | None:
        """Ask the indexes in order; the first that has the project answers for it alone.

        Pages of several indexes are merged only where the user says so. An index that fails is an error and
        not a reason to go on: otherwise whoever can stop a private index could put his own package in its
        place. A project with a route comes from there and nowhere else, find-links locations included.

        Args:
            name: the project's normal name (PEP 503).
            accept: `PREFER_JSON` or `PREFER_HTML`.

        Raises:
            UpstreamError: a source that was asked failed; it is named.
        """
        if not _NAME.fullmatch(name):
            return None
        if (route := self._routing.route(name)) is not None:
            raw = self._ask(route.source, name, accept)
            if raw is None:
                return None
            pattern = route.pattern.text
            return FetchedProject(name, route.source, raw, route=pattern, allow_unhashed=self._allow_unhashed)
        found, problems = self._find_links.files(name)
        merges = self._routing.merges(name)
        having: list[Source] = []
        pages: list[RawPage] = []
        for source in self._indexes:
            raw = self._ask(source, name, accept)
            if raw is None:
                continue
            having.append(source)
            pages.append(raw)
            if not merges:
                break
        if not pages and not found:
            return None
        return FetchedProject(
            name,
            having[0] if having else None,
            pages[0] if pages else None,
            found,
            problems,
            tuple(pages[1:]),
            merged=tuple(having) if merges else (),
            allow_unhashed=self._allow_unhashed,
        )

    def is_routed(self, name: str) -> bool:
        """Tell whether the user names the only index of a project."""
        return self._routing.source(name) is not None

    def found(self, name: str) -> tuple[tuple[ProjectFile, ...], tuple[str, ...]]:
        """Return the files of find-links locations alone, and what of these was ignored.

        Raises:
            UpstreamError: a location cannot be read.
        """
        return self._find_links.files(name)

    def _ask(self, source: Source, name: str, accept: str) -> RawPage | None:
        url = source.project_url(name)
        shown = printable(source.url)
        if (folder := local_path(url)) is not None:
            if not folder.parent.is_dir():
                raise UpstreamError(f"index {shown}: no such folder")
            return read_local_page(folder)
        try:
            reply = self._network.get(url, limit=MAX_PAGE_BYTES, accept=accept)
        except UnreachableError as error:
            raise UnreachableError(f"index {shown} cannot be read: {error}") from None
        if reply.status == 200:
            return RawPage(reply.url, reply.headers.get("content-type", ""), reply.body)
        host = urlsplit(url).hostname or ""
        if reply.status in (404, 410) or (reply.status == 403 and _FORBIDDEN_MEANS_MISSING.fullmatch(host)):
            return None
        remedy = f": {self._network.credentials.remedy(url)}" if reply.status in (401, 403) else ""
        raise UpstreamError(f"index {shown} answered {reply.status} for project {name}{remedy}")


def _merged(first: ProjectPage, other: ProjectPage) -> ProjectPage:
    known = {file.filename for file in first.files}
    new = (file for file in other.files if file.filename not in known)
    return ProjectPage(first.name, (*first.files, *new), (*first.problems, *other.problems))
