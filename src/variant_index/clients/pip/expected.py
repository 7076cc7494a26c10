"""Which project pages pip will ask for, as far as its command line and requirements files tell."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Final

from variant_index.clients.pip.arguments import PipArguments
from variant_index.model.wishes import Wishes
from variant_index.upstream.foresight import named_projects
from variant_index.upstream.lookahead import Expected
from variant_index.upstream.project import PREFER_HTML, PREFER_JSON

__all__ = ["expected_pages"]

_READS_JSON: Final = (22, 2)


def expected_pages(
    arguments: PipArguments,
    wishes: Wishes,
    installed: Callable[[], Container[str]] | None,
    pip_version: tuple[int, ...],
) -> Expected:
    """Return what pip will ask for.

    Args:
        arguments: the command line.
        wishes: what that and its files ask for.
        installed: returns the normal names of what is there already, and so needs no page; None where pip
            does not look at that.
        pip_version: decides in which form pip wants pages.
    """
    projects = named_projects(wishes.requirements)
    alone = "--no-deps" in arguments.original or arguments.command == "index"

    def is_likely(name: str) -> bool:
        if alone and name not in projects:
            return False
        anew = wishes.upgrade == "all" or (wishes.upgrade == "named" and name in projects)
        return anew or installed is None or name not in installed()

    accept = PREFER_JSON if pip_version >= _READS_JSON else PREFER_HTML
    return Expected(projects, accept, is_likely)
