"""What `variant-index convert --json` prints."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["ConvertNotice", "ConvertReport", "ConvertedDocument"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ConvertNotice(_Strict):
    """One thing that the converted document does not say as the original did.

    Attributes:
        path: the key in the original document, `providers.nvidia.enable-if`.
        message: what became of it, and what follows.
    """

    path: str
    message: str


class ConvertedDocument(_Strict):
    """The outcome for one document.

    Attributes:
        source: the path as given on the command line.
        generation: the form it has: `0.2.0`, `825`, `0.0.3` or `0.0.2`; null when it cannot be converted.
        path: the converted document, null when none was written.
        changed: whether the converted document has other bytes than the original.
        notices: what could not be kept.
        error: why it cannot be converted, null when it can.
    """

    source: str
    generation: str | None = None
    path: str | None = None
    changed: bool = False
    notices: list[ConvertNotice] = []
    error: str | None = None


class ConvertReport(_Strict):
    """The outcome of one run.

    Attributes:
        target: the form wanted.
        documents: one entry a document, in the order given.
    """

    target: str
    documents: list[ConvertedDocument]
