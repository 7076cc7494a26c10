"""What `variant-index remove --json` and `variant-index yank --json` print."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["EditReport", "EditedRelease"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EditedRelease(_Strict):
    """A release of which something was changed.

    Attributes:
        name: the project's normal name.
        version: the normalised version.
        files: names of the wheels and source distributions that were meant.
    """

    name: str
    version: str
    files: list[str]


class EditReport(_Strict):
    """What was changed in an index.

    Attributes:
        out: the index.
        releases: each release that was meant.
    """

    out: str
    releases: list[EditedRelease]
