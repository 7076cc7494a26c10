"""Fetches a project's pages of all backend folders that matter, several at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from packaging.version import Version

from variant_index.errors import UpstreamError, printable
from variant_index.model.properties import Properties
from variant_index.simple_api.parse import MAX_PAGE_BYTES, parse_page
from variant_index.simple_api.render import HTML_TYPE
from variant_index.torch_index.backends import Backend, parse_backend, runnable
from variant_index.torch_index.builds import Build, collect_builds
from variant_index.torch_index.table import CURRENT_BACKENDS, OLDER_BACKENDS
from variant_index.upstream.local import local_path, read_local_page
from variant_index.upstream.network import Network, UnreachableError
from variant_index.upstream.page import RawPage
from variant_index.upstream.source import Source

__all__ = ["TorchIndex", "TorchProject"]

_PARALLEL: Final = 8
_REMEDY: Final = "VARIANT_INDEX_TORCH_INDEX can name a mirror, or be off to take torch from your own index"
# PyTorch's storage answers 403 for what is not there, and so do its mirrors on the same kind of storage.
_MISSING: Final = (403, 404, 410)


@dataclass(frozen=True)
class TorchProject:
    """What the index has of one project.

    Attributes:
        name: the project's normal name.
        builds: public version -> its wheels, over all folders that were read.
        problems: what was left out and why, one printable line each.
    """

    name: str
    builds: Mapping[Version, tuple[Build, ...]]
    problems: tuple[str, ...] = ()


class TorchIndex:
    """PyTorch's index or a mirror of it; pages that did not change are read once. Safe between threads."""

    def __init__(self, source: Source, network: Network, backends: Iterable[Backend] = ()) -> None:
        """Prepare; nothing is fetched yet.

        Args:
            source: the folder above the backend folders.
            network: reads it.
            backends: the folders to read; without any, those that PyTorch has (see `table`).
        """
        self.source = source
        self._network = network
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(_PARALLEL)  # its threads begin when needed and end with this object
        self._known: dict[str, tuple[tuple[RawPage, ...], TorchProject]] = {}
        chosen = tuple(backends)
        self._always = chosen or _backends(CURRENT_BACKENDS)
        self._if_runnable = () if chosen else _backends(OLDER_BACKENDS)

    def project(self, name: str, supported: Properties) -> TorchProject | None:
        """Read a project; None when no folder has it.

        Args:
            name: the project's normal name.
            supported: what the machine supports, as `priorities` takes it; folders of older backends are
                read only where it can run their builds.

        Returns:
            The project, the same object for as long as no page changes.

        Raises:
            UpstreamError: a folder's page cannot be read.
        """
        old = runnable(self._if_runnable, supported)
        backends = (*self._always, *(backend for backend in self._if_runnable if backend.folder in old))
        pages = self._pages(name, backends)
        if not pages:
            return None
        with self._lock:
            known = self._known.get(name)
        if known is not None and known[0] == pages:
            return known[1]
        parsed = (parse_page(page.body, page.content_type, page.url, name) for page in pages)
        builds, problems = collect_builds(name, parsed)
        project = TorchProject(name, builds, problems)
        with self._lock:
            self._known[name] = (pages, project)
        return project

    def _pages(self, name: str, backends: Iterable[Backend]) -> tuple[RawPage, ...]:
        asked = [self._pool.submit(self._page, backend, name) for backend in backends]
        try:
            return tuple(page for one in asked if (page := one.result()) is not None)
        except UnreachableError as error:
            raise UnreachableError(f"{error}; {_REMEDY}") from None
        finally:
            for one in asked:
                one.cancel()  # after a failure nobody waits for the rest

    def _page(self, backend: Backend, name: str) -> RawPage | None:
        url = f"{self.source.url.rstrip('/')}/{backend.folder}/{name}/"
        if (folder := local_path(url)) is not None:
            return read_local_page(folder)
        reply = self._network.get(url, limit=MAX_PAGE_BYTES, accept=HTML_TYPE)
        if reply.status == 200:
            return RawPage(reply.url, reply.headers.get("content-type", ""), reply.body)
        if reply.status in _MISSING:
            return None
        raise UpstreamError(f"PyTorch index {printable(url)} answered {reply.status}")


def _backends(folders: Iterable[str]) -> tuple[Backend, ...]:
    return tuple(backend for folder in folders if (backend := parse_backend(folder)) is not None)
