"""A throw-away plugin for installers written in Python: found through `PYTHONPATH`, gone with its folder.

Poetry and pdm take indexes from the project's files only, which are not ours to change; their plugin APIs
are the documented way to other ones.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from variant_index.clients.takeover import Child, reach_loopback

__all__ = ["PROOF", "plugged_in"]

PROOF: Final = "taken-over"
"""The file by which a plugin says that it was loaded."""


def plugged_in(
    command: tuple[str, ...], environment: Mapping[str, str], *, group: str, plugin: Path, entry: str
) -> Callable[[Mapping[str, str], Path], Child]:
    """Return what makes the child that loads a plugin, as `Takeover.child` is called.

    The addresses are told to the plugin in the variable `VARIANT_INDEX_PLUGIN`. It takes this and our part
    of `PYTHONPATH` out of its environment, so that its children do not see them.

    Args:
        command: the program and its arguments.
        environment: the variables.
        group: the entry point group in which the installer looks for plugins.
        plugin: the plugin's one module, which may import only the standard library and the installer.
        entry: the name in it.
    """
    module = "_variant_index_plugin"
    files = {
        f"{module}.py": plugin.read_text(encoding="utf-8"),
        f"{module}-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: variant-index-plugin\nVersion: 1\n",
        f"{module}-1.dist-info/entry_points.txt": f"[{group}]\nvariant-index = {module}:{entry}\n",
    }
    former = environment.get("PYTHONPATH")

    def child(urls: Mapping[str, str], folder: Path) -> Child:
        told = {"folder": str(folder), "pythonpath": former, "proof": PROOF, "indexes": dict(urls)}
        variables = {
            **reach_loopback(environment),
            "PYTHONPATH": os.pathsep.join(filter(None, (str(folder), former))),
            "VARIANT_INDEX_PLUGIN": json.dumps(told),
        }
        return Child(command, variables, files, PROOF)

    return child
