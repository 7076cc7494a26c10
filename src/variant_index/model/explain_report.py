"""What `variant-index explain --json` prints."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["CandidateReport", "ExplainReport", "SelectedReport"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SelectedReport(_Strict):
    """The file that would be installed.

    Attributes:
        label: its variant label; empty for a non-variant wheel and for a source distribution.
        filename: its name in the index.
        url: where it is.
    """

    label: str
    filename: str
    url: str


class CandidateReport(_Strict):
    """The verdict on one file of the release.

    Attributes:
        label: its variant label; empty for a non-variant wheel and for a source distribution.
        filename: its name in the index.
        compatible: whether it can be installed on this machine.
        rank: 1 for the best compatible file, then 2, ...; null when not compatible.
        reason: why it fits or does not, one line.
    """

    label: str
    filename: str
    compatible: bool
    rank: int | None
    reason: str


class ExplainReport(_Strict):
    """The choice for one requirement.

    Attributes:
        name: the project's normal name.
        version: the chosen release's version; when nothing can be installed that of the newest matching
            release; null when no release matches.
        selected: the winner, null when nothing fits.
        candidates: every file of that release, compatible ones in order of preference, then the others.
    """

    name: str
    version: str | None
    selected: SelectedReport | None
    candidates: list[CandidateReport]
