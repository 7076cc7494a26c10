"""The plugin that pdm loads: all its sources are one, the shim, under the name `pypi`.

Runs inside of pdm, so it imports nothing but pdm and the standard library.
See https://pdm-project.org/latest/dev/write/.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

__all__ = ["take_over"]


def take_over(core: Any) -> None:
    """Replace the class of pdm's projects by one whose only source is the shim.

    pdm writes no addresses into its lock file, unless asked to (`static_urls`).
    """
    told = _told()
    config = importlib.import_module("pdm._types").RepositoryConfig
    caches = importlib.import_module("pdm.models.caches")

    def get_sources(_self: Any, *_arguments: Any, **_options: Any) -> list[Any]:
        return [config(config_prefix="pypi", name="pypi", url=told["indexes"][""], verify_ssl=True)]

    def make_candidate_info_cache(self: Any) -> Any:
        # pdm remembers dependencies by name and version; on other hardware the same version has others.
        return caches.EmptyCandidateInfoCache(self.cache("metadata") / "variant-index.json")

    methods = {"get_sources": get_sources, "make_candidate_info_cache": make_candidate_info_cache}
    core.project_class = type("Project", (core.project_class,), methods)
    Path(told["folder"], told["proof"]).touch()


def _told() -> Any:
    told = json.loads(os.environ.pop("VARIANT_INDEX_PLUGIN"))
    os.environ.pop("PYTHONPATH", None)
    if told["pythonpath"] is not None:
        os.environ["PYTHONPATH"] = told["pythonpath"]
    if told["folder"] in sys.path:
        sys.path.remove(told["folder"])
    return told
