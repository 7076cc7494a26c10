"""What `variant-index label --json` prints."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["LabelReport", "LabelledWheel"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LabelledWheel(_Strict):
    """The outcome for one wheel.

    Attributes:
        source: the path as given on the command line.
        path: the variant wheel, null when it was not written.
        label: its label, null when it was not written.
        properties: its properties, each `namespace :: feature :: value`, sorted.
        error: why it was not written, null when it was.
    """

    source: str
    path: str | None = None
    label: str | None = None
    properties: list[str] = []
    error: str | None = None


class LabelReport(_Strict):
    """The outcome of one run.

    Attributes:
        wheels: one entry a wheel, in the order given.
    """

    wheels: list[LabelledWheel]
