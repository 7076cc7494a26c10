"""The plugin that Poetry loads: each of its repositories reads from the shim and keeps its own name.

Runs inside of Poetry, so it imports nothing but Poetry and the standard library.
See https://python-poetry.org/docs/plugins/.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

__all__ = ["OTHER_MACHINES", "activate"]

OTHER_MACHINES = "listed for other machines"
"""Why the shim lists a file as yanked that belongs into a lock file nevertheless."""


def activate(_plugin: Any, poetry: Any, _io: Any) -> None:
    """Put repositories that read from the shim in the place of the project's.

    Packages keep the source that the project declares, so a lock file does not see the difference.
    """
    told = _told()
    legacy = importlib.import_module("poetry.repositories.legacy_repository").LegacyRepository
    pool = poetry.pool
    for former in list(pool.all_repositories):
        name = former.name
        address = told["indexes"].get(name.lower())
        if address is None:
            raise RuntimeError(f"variant-index does not know the source {name}")
        source = ("legacy", former.url, name) if isinstance(former, legacy) else (None, None, None)
        priority = pool.get_priority(name)
        pool.remove_repository(name)
        pool.add_repository(_repository(legacy, name, address, poetry.config, source), priority=priority)
    Path(told["folder"], told["proof"]).touch()


def _repository(legacy: Any, name: str, address: str, config: Any, source: tuple[Any, Any, Any]) -> Any:
    def package(self: Any, name: Any, version: Any) -> Any:
        found = legacy.package(self, name, version)
        found._source_type, found._source_url, found._source_reference = source
        return found

    def links_to_data(self: Any, links: Any, data: Any) -> Any:
        found = legacy._links_to_data(self, links, data)
        # Poetry leaves yanked files out of lock files; these are no such ones, but builds for other machines.
        found["files"] += [
            {"file": link.filename, "hash": f"{kind}:{digest}", "url": link.url_without_fragment}
            for link in links
            if link.yanked_reason == OTHER_MACHINES
            for kind, digest in list(link.hashes.items())[:1]
        ]
        return found

    kind = type("ShimRepository", (legacy,), {"package": package, "_links_to_data": links_to_data})
    # Poetry caches what a release holds by the repository's name; on other hardware it holds another wheel.
    return kind(name, address, config=config, disable_cache=True)


def _told() -> Any:
    told = json.loads(os.environ.pop("VARIANT_INDEX_PLUGIN"))
    os.environ.pop("PYTHONPATH", None)
    if told["pythonpath"] is not None:
        os.environ["PYTHONPATH"] = told["pythonpath"]
    if told["folder"] in sys.path:
        sys.path.remove(told["folder"])
    return told


def __getattr__(name: str) -> Any:
    if name != "TakeOver":
        raise AttributeError(name)
    plugin = importlib.import_module("poetry.plugins.plugin").Plugin
    return type("TakeOver", (plugin,), {"activate": activate})
