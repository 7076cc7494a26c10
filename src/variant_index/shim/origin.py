"""Where a project is taken from, and by which rule; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from variant_index.torch_index.family import TORCH

if TYPE_CHECKING:
    from variant_index.simple_api.page import ProjectFile
    from variant_index.upstream.project import FetchedProject

__all__ = ["Origin", "origin_in_family", "origin_of"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a project comes from.

    Attributes:
        kind: `index`, `find-links` or `pytorch`.
        url: the index; for find-links the address of the chosen file.
        reason: why there, one line.
    """

    kind: Literal["index", "find-links", "pytorch"]
    url: str
    reason: str


def origin_of(fetched: FetchedProject, winner: ProjectFile | None) -> Origin:
    """Return the source of a project that comes from the user's own sources.

    Args:
        fetched: what the sources say.
        winner: the chosen file, None where nothing fits.
    """
    if fetched.index is None:
        file = winner or fetched.found[0]
        return Origin("find-links", file.url, "only a find-links location has the project")
    if fetched.route:
        reason = f"the route of {fetched.route} sends the project there and nowhere else"
        return Origin("index", fetched.index.url, reason)
    index = fetched.index if winner is None else fetched.index_of(winner)
    if index is None:
        assert winner is not None
        reason = "a find-links location has this file, besides what the index has"
        return Origin("find-links", winner.url, reason)
    if not fetched.merged:
        return Origin("index", index.url, "the first index that has the project")
    if len(fetched.merged) == 1:
        return Origin("index", index.url, "the only one of the merged indexes that has the project")
    what = "the first of them" if winner is None else "this one has the chosen file"
    return Origin("index", index.url, f"{len(fetched.merged)} indexes are merged for the project, {what}")


def origin_in_family(name: str, url: str) -> Origin:
    """Return the source of torch or a project of its family that comes from PyTorch's index, at `url`."""
    who = "torch comes" if name == TORCH else f"{name} is of torch's family, which comes"
    other = "VARIANT_INDEX_TORCH_INDEX=off asks the other indexes"
    return Origin("pytorch", url, f"{who} from PyTorch's index alone; {other}")
