"""The files of find-links locations, which are added to what an index has (as pip does it)."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from variant_index.errors import UpstreamError, printable
from variant_index.model.filename import FilenameError, WheelFilename, canonical_name, parse_sidecar_filename
from variant_index.simple_api.page import ProjectFile
from variant_index.simple_api.parse import MAX_PAGE_BYTES, parse_page
from variant_index.simple_api.render import HTML_TYPE
from variant_index.upstream.local import list_folder, local_path, read_page_file
from variant_index.upstream.network import Network
from variant_index.upstream.page import RawPage
from variant_index.upstream.source import Source
from variant_index.upstream.unhashed import left_out_line, split_unhashed

__all__ = ["FindLinks"]


class FindLinks:
    """All find-links locations of a run; each is read once, when the first project is asked for."""

    def __init__(self, sources: Sequence[Source], network: Network, *, allow_unhashed: bool = False) -> None:
        self._sources = sources
        self._network = network
        self._allow_unhashed = allow_unhashed
        self._lock = threading.Lock()
        self._files: dict[str, list[ProjectFile]] | None = None
        self._problems: list[str] = []

    def files(self, name: str) -> tuple[tuple[ProjectFile, ...], tuple[str, ...]]:
        """Return the files of a project (`name` in normal form), in the order of the locations.

        The second part says what was ignored, one printable line each: locations of this machine that
        are not there (pip ignores them too), entries of pages that break a rule, and files elsewhere that no
        hash can check.

        Raises:
            UpstreamError: a location cannot be read.
        """
        if not self._sources:
            return (), ()
        with self._lock:
            if self._files is None:
                self._files = self._read()
        found = self._files.get(name, [])
        kept, left = (found, []) if self._allow_unhashed else split_unhashed(found)
        more = [left_out_line(name, left)] if left else []
        return tuple(kept), (*self._problems, *more)

    def _read(self) -> dict[str, list[ProjectFile]]:
        found: dict[str, list[ProjectFile]] = {}
        for source in self._sources:
            for file in self._read_source(source):
                for name in _possible_names(file.filename):
                    found.setdefault(name, []).append(file)
        return found

    def _read_source(self, source: Source) -> Sequence[ProjectFile]:
        path = local_path(source.url)
        if path is None:
            reply = self._network.get(source.url, limit=MAX_PAGE_BYTES, accept=HTML_TYPE)
            if reply.status != 200:
                refused = reply.status in (401, 403)
                remedy = f": {self._network.credentials.remedy(source.url)}" if refused else ""
                raise UpstreamError(f"find-links {printable(source.url)} answered {reply.status}{remedy}")
            content_type = reply.headers.get("content-type", HTML_TYPE)
            return self._parse(RawPage(reply.url, content_type, reply.body))
        if path.is_dir():
            return list_folder(path)
        if path.suffix in (".html", ".htm"):
            page = read_page_file(path, HTML_TYPE)
            if page is not None:
                return self._parse(page)
        elif path.is_file():
            return [ProjectFile(path.name, path.absolute().as_uri())]
        self._problems.append(f"find-links {printable(str(path))} is ignored: no such file or folder")
        return ()

    def _parse(self, raw: RawPage) -> Sequence[ProjectFile]:
        page = parse_page(raw.body, raw.content_type, raw.url, "find-links")
        self._problems += page.problems
        return page.files


def _possible_names(filename: str) -> set[str]:
    """Return the projects a file may belong to; only an old sdist's name can be read in several ways."""
    if filename.endswith(".whl"):
        try:
            return {WheelFilename.parse(filename).name}
        except FilenameError:
            return {canonical_name(filename.partition("-")[0])}
    if (sidecar := parse_sidecar_filename(filename)) is not None:
        return {sidecar[0]}
    parts = filename.split("-")
    return {canonical_name("-".join(parts[:end])) for end in range(1, min(len(parts), 20))}
