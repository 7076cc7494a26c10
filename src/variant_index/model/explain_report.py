"""What `variant-index explain --json` prints."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

__all__ = ["CandidateReport", "ExplainListReport", "ExplainReport", "HiddenReport", "MarkerReport"]
__all__ += ["NewerReport", "PlatformReport", "SelectedReport", "SourceReport"]


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
        tags: the wheel's compatibility tags as its name spells them; null for a source distribution.
    """

    label: str
    filename: str
    compatible: bool
    rank: int | None
    reason: str
    tags: str | None = None


class SourceReport(_Strict):
    """Where the project comes from.

    Attributes:
        kind: `index`, `find-links`, or `pytorch` for the torch family from PyTorch's index.
        url: the index; for find-links the chosen file.
        reason: why there, one line.
    """

    kind: Literal["index", "find-links", "pytorch"]
    url: str
    reason: str


class NewerReport(_Strict):
    """A release that is newer than the chosen one.

    Attributes:
        version: its version.
        reason: why it was not chosen, one line.
    """

    version: str
    reason: str


class PlatformReport(_Strict):
    """What this machine's hardware would get on an interpreter and platform.

    Attributes:
        tags: compatibility tags of wheels of the release.
        label: the best label among the wheels with these tags; null when none fits the hardware.
        filename: that wheel's name, null likewise.
    """

    tags: str
    label: str | None
    filename: str | None


class MarkerReport(_Strict):
    """What became of one requirement of the selected wheel that has a variant marker.

    Attributes:
        requirement: as the wheel has it.
        becomes: the requirement as installers see it, with what is left of its marker; null when dropped.
    """

    requirement: str
    becomes: str | None


class HiddenReport(_Strict):
    """A wheel that installers do not see.

    Attributes:
        version: its release.
        filename: its name in the index.
        reason: why its variant markers cannot be decided, one line.
    """

    version: str
    filename: str
    reason: str


class ExplainReport(_Strict):
    """The choice for one project.

    Attributes:
        name: the project's normal name.
        version: the chosen release's version; when nothing can be installed that of the newest matching
            release; null when no release matches.
        selected: the winner, null when nothing fits.
        candidates: every file of that release, compatible ones in order of preference, then the others.
        requirement: what was asked for, constraints included.
        places: the lines of requirements files that ask for it, `FILE, line N`.
        source: where the project comes from, null when no source has it.
        newer: the releases that are newer than the chosen one, newest first.
        platforms: the wheel for each set of compatibility tags in the release.
        notes: what else matters to the choice, one line each.
        markers: the requirements of the selected wheel that have variant markers.
        hidden: the wheels that are hidden, in that release and in newer ones that match.
        ignored: why nothing is to be installed (the requirement's marker is false), null otherwise.
        error: why there is no answer (an index failed), null otherwise.
    """

    name: str
    version: str | None
    selected: SelectedReport | None
    candidates: list[CandidateReport]
    requirement: str = ""
    places: list[str] = []
    source: SourceReport | None = None
    newer: list[NewerReport] = []
    platforms: list[PlatformReport] = []
    notes: list[str] = []
    markers: list[MarkerReport] = []
    hidden: list[HiddenReport] = []
    ignored: str | None = None
    error: str | None = None


class ExplainListReport(_Strict):
    """The choices for several projects, or for a requirements file.

    Attributes:
        requirements: one for each project, in the order in which they are first named.
    """

    requirements: list[ExplainReport]
