"""The choice among all wheels of one release: tags, build numbers, variants, the plain wheel."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from variant_index.errors import printable
from variant_index.model.filename import WheelFilename
from variant_index.model.properties import NULL_LABEL, Properties
from variant_index.selection.explanation import explain_match, explain_mismatch
from variant_index.selection.ordering import END, SortKey, priorities, sort_key

if TYPE_CHECKING:
    from variant_index.model.document import VariantsDocument

__all__ = ["Candidate", "Choice", "TargetTags", "choose"]


# The null variant's key is one end mark; a wheel without a label comes after it.
_PLAIN_KEY: SortKey = (END, END)

_SHOWN_REFUSALS = 2

_DEFAULT = "the default wheel, taken where no variant fits"
_ORDINARY = "an ordinary wheel"

_OTHER_TAGS = "for another Python or platform, tags "

_RELEASE = re.compile(r"\d{1,9}(?:\.\d{1,9}){0,2}", re.ASCII)


class TargetTags:
    """What the interpreter that will install accepts: its compatibility tags, best first, and its version."""

    def __init__(self, tags: Sequence[str], python_version: str | None = None) -> None:
        """Take what the interpreter says of itself.

        Args:
            tags: spelled `cp312-cp312-linux_x86_64`, in the interpreter's own order.
            python_version: its full version, for example `3.12.1`, to be compared with `Requires-Python`;
                None where that is to be ignored.

        Raises:
            ValueError: the version does not begin with a number.
        """
        # As pip: a prerelease of Python (3.14.0rc1, 3.14.0+) counts as the release that it will be.
        release = _RELEASE.match(python_version) if python_version is not None else None
        if python_version is not None and release is None:
            raise ValueError(f"not the version of a Python: {printable(python_version)}")
        self._python_version = release[0] if release is not None else ""
        self._refusals: dict[str, str | None] = {}
        self._positions: dict[tuple[str, ...], int] = {}
        for position, tag in enumerate(tags):
            self._positions.setdefault(tuple(tag.split("-", 2)), position)
        self._known = [{parts[i] for parts in self._positions if i < len(parts)} for i in range(3)]

    def position(self, wheel: WheelFilename) -> int | None:
        """Return the best position of the wheel's tags (0 is best), None when none fits."""
        # Only parts the interpreter knows are combined: a hostile name can carry many unknown ones.
        parts = [
            known.intersection(part.lower().split("."))
            for known, part in zip(self._known, (wheel.python, wheel.abi, wheel.platform), strict=True)
        ]
        positions = self._positions
        return min((positions[tag] for tag in product(*parts) if tag in positions), default=None)

    def for_any_python(self) -> TargetTags:
        """Return the same tags with `Requires-Python` ignored (pip's `--ignore-requires-python`)."""
        same = copy(self)
        same._python_version = ""
        return same

    @property
    def python_version(self) -> str | None:
        """The version that `Requires-Python` is compared with, None where that is ignored."""
        return self._python_version or None

    def refusal(self, requires_python: str | None) -> str | None:
        """Return why a file with this `Requires-Python` is not for the interpreter, None where it is.

        What is no specifier excludes nothing, as in pip.
        """
        if not requires_python or not self._python_version:
            return None
        known = self._refusals  # a page repeats a few specifiers thousands of times
        if requires_python not in known:
            known[requires_python] = _python_refusal(requires_python, self._python_version)
        return known[requires_python]


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
    def explanation(self) -> str:
        """Why the winner won, one line; for a build without hardware support, why no other one fits."""
        if self.selected is None:
            return "nothing fits"
        label, reason = self.selected.wheel.label, self.selected.reason
        if label not in ("", NULL_LABEL):
            return reason
        others = {one.wheel.label for one in self.candidates if one.compatible} - {"", label}
        if others - {NULL_LABEL} or (others and not label):
            return f"its build number goes before that of {', '.join(sorted(others)[:_SHOWN_REFUSALS])}"
        if not label:
            return f"no variant fits: {self.refusals}" if self.refusals else reason
        return f"{reason}; no other fits: {self.refusals}" if self.refusals else reason

    @cached_property
    def refusals(self) -> str:
        """Why the labels that do not fit do not, one line; empty when there are none."""
        fitting = {candidate.wheel.label for candidate in self.candidates if candidate.compatible}
        refused: dict[str, str] = {}
        for candidate in self.candidates:
            label = candidate.wheel.label
            # What a build needs says more than that some of its wheels are for other platforms.
            if label and label not in fitting and refused.get(label, _OTHER_TAGS).startswith(_OTHER_TAGS):
                refused[label] = candidate.reason
        shown = [f"{label} {reason}" for label, reason in refused.items()][:_SHOWN_REFUSALS]
        others = len(refused) - len(shown)
        return "; ".join([*shown, *([f"{others} more"] if others else [])])

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
    wheels = list(wheels)
    plain = _DEFAULT if any(wheel.label for wheel in wheels) else _ORDINARY
    judge = _judge(document, supported, plain)
    verdicts: dict[str, _Verdict] = {}
    fitting: list[tuple[tuple[SortKey, bool, str, int, str], WheelFilename]] = []
    refused: list[Candidate] = []
    for wheel in wheels:
        position = tags.position(wheel)
        if position is None:
            reason = printable(f"{_OTHER_TAGS}{wheel.tag_set}")
            refused.append(Candidate(wheel, False, None, reason))
            continue
        verdict = verdicts.get(wheel.label)
        if verdict is None:
            verdict = verdicts[wheel.label] = judge(wheel.label)
        if verdict.key is None:
            refused.append(Candidate(wheel, False, None, verdict.reason))
        else:
            order = (verdict.key, wheel.label == NULL_LABEL, wheel.label, position, wheel.filename)
            fitting.append((order, wheel))
    fitting.sort(key=lambda item: item[0])
    fitting.sort(key=lambda item: item[1].build_key, reverse=True)  # stable: the order inside a build stays
    ranked = [
        Candidate(wheel, True, rank, verdicts[wheel.label].reason)
        for rank, (_, wheel) in enumerate(fitting, start=1)
    ]
    return Choice((*ranked, *sorted(refused, key=lambda candidate: candidate.wheel.filename)))


def _python_refusal(requires_python: str, version: str) -> str | None:
    try:
        needs = SpecifierSet(requires_python)
    except InvalidSpecifier:
        return None
    if needs.contains(version):
        return None
    return f"requires Python {printable(requires_python)}, the target has {version}"


class _Verdict(NamedTuple):
    """A label's sort key, None when the machine cannot run it, and the reason for either."""

    key: SortKey | None
    reason: str


def _judge(document: VariantsDocument | None, supported: Properties, plain: str) -> Callable[[str], _Verdict]:
    placed = priorities(document, supported) if document is not None else {}

    def judge(label: str) -> _Verdict:
        if not label:
            return _Verdict(_PLAIN_KEY, plain)
        if document is None:
            return _Verdict(None, "the release has no usable variants document")
        properties = document.variants.get(label)
        if properties is None:
            return _Verdict(None, "its label is not in the variants document")
        if label == NULL_LABEL:
            return _Verdict(sort_key(properties, placed), "needs no particular hardware")
        key = sort_key(properties, placed)
        if key is None:
            return _Verdict(None, explain_mismatch(properties, document, placed) or "not supported")
        return _Verdict(key, explain_match(properties, placed))

    return judge
