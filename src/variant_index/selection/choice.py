"""The choice among all wheels of one release: tags, build numbers, variants, the plain wheel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from variant_index.model.filename import WheelFilename
from variant_index.model.properties import NULL_LABEL, Properties
from variant_index.selection.explanation import explain_match, explain_mismatch
from variant_index.selection.ordering import priorities, sort_key

if TYPE_CHECKING:
    from variant_index.model.document import VariantsDocument

__all__ = ["Candidate", "Choice", "TargetTags", "choose"]


class TargetTags:
    """The compatibility tags of the interpreter that will install, best first."""

    def __init__(self, tags: Sequence[str]) -> None:
        """Take tags spelled `cp312-cp312-linux_x86_64`, in the interpreter's own order."""
        self._positions: Mapping[str, int] = {tag: position for position, tag in enumerate(tags)}

    def position(self, wheel: WheelFilename) -> int | None:
        """Return the best position of the wheel's tags (0 is best), None when none fits."""
        positions = self._positions
        found = [
            positions[tag]
            for python in wheel.python.split(".")
            for abi in wheel.abi.split(".")
            for platform in wheel.platform.split(".")
            if (tag := f"{python}-{abi}-{platform}".lower()) in positions
        ]
        return min(found, default=None)


@dataclass(frozen=True)
class Candidate:
    """One wheel of the release and the verdict on it.

    Attributes:
        wheel: the wheel's name.
        compatible: whether the machine and the interpreter can run it.
        rank: 1 for the best compatible wheel, then 2, ...; None when not compatible.
        reason: why it fits or does not, one line.
    """

    wheel: WheelFilename
    compatible: bool
    rank: int | None
    reason: str


@dataclass(frozen=True)
class Choice:
    """The verdict on a release.

    Attributes:
        candidates: compatible wheels in order of preference, then the others by file name.
    """

    candidates: tuple[Candidate, ...]

    @cached_property
    def selected(self) -> Candidate | None:
        """The best wheel, None when nothing fits."""
        return self.candidates[0] if self.candidates and self.candidates[0].compatible else None

    @cached_property
    def presented(self) -> tuple[WheelFilename, ...]:
        """The compatible wheels that share the winner's label and build: what a plain installer may see."""
        if self.selected is None:
            return ()
        winner = self.selected.wheel
        return tuple(
            candidate.wheel
            for candidate in self.candidates
            if candidate.compatible
            and candidate.wheel.label == winner.label
            and candidate.wheel.build_key == winner.build_key
        )


def choose(
    wheels: Iterable[WheelFilename],
    document: VariantsDocument | None,
    supported: Properties,
    tags: TargetTags,
) -> Choice:
    """Judge every wheel of one release and order those that fit.

    Build numbers decide first (the highest wins), then the variant (its sort key, then the null
    variant, then the plain wheel), and among wheels of one label the platform tags.

    Args:
        wheels: all wheels of the release.
        document: the release's variants document; None when it has none or it cannot be used, which
            makes every labelled wheel incompatible (PEP 825).
        supported: what the machine supports, as `priorities` takes it.
        tags: the target interpreter's tags.
    """
    placed = priorities(document, supported) if document is not None else {}
    fitting: list[tuple[tuple[object, ...], WheelFilename, str]] = []
    refused: list[Candidate] = []
    for wheel in wheels:
        key: tuple[object, ...]
        tag_position = tags.position(wheel)
        if not wheel.label:
            key, reason = ((float("inf"),), (float("inf"),)), "the default wheel, for any machine"
        elif document is None:
            refused.append(Candidate(wheel, False, None, "the release has no usable variants document"))
            continue
        elif (properties := document.variants.get(wheel.label)) is None:
            refused.append(Candidate(wheel, False, None, "its label is not in the variants document"))
            continue
        else:
            mismatch = explain_mismatch(properties, document, placed)
            found = sort_key(properties, placed)
            if mismatch is not None or found is None:
                refused.append(Candidate(wheel, False, None, mismatch or "not supported"))
                continue
            key = found
            reason = (
                "the null variant, for any machine"
                if wheel.label == NULL_LABEL
                else explain_match(properties, placed)
            )
        if tag_position is None:
            refused.append(Candidate(wheel, False, None, f"tags {wheel.tag_set} do not fit this interpreter"))
            continue
        fitting.append(((key, wheel.label, tag_position, wheel.filename), wheel, reason))
    fitting.sort(key=lambda item: item[0])
    fitting.sort(key=lambda item: item[1].build_key, reverse=True)  # stable: the order inside a build stays
    ranked = [
        Candidate(wheel, True, rank, reason) for rank, (_, wheel, reason) in enumerate(fitting, start=1)
    ]
    return Choice((*ranked, *sorted(refused, key=lambda candidate: candidate.wheel.filename)))
