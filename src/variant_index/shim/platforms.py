"""What one machine's hardware would get of a release on every interpreter and platform."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from variant_index.selection.choice import Choice, TargetTags
from variant_index.upstream.releases import Release

if TYPE_CHECKING:
    from variant_index.torch_index.release import ReleaseDecision

__all__ = ["PlatformWheel", "family_platforms", "release_platforms"]

_MAX_PLATFORMS: Final = 200


@dataclass(frozen=True, slots=True)
class PlatformWheel:
    """What this machine's hardware would get on an interpreter and platform.

    Attributes:
        tags: the wheel's tag set, `cp312-cp312-manylinux_2_28_x86_64`.
        label: the best label there, None where no wheel with these tags fits the hardware.
        filename: that wheel's name, None likewise.
    """

    tags: str
    label: str | None
    filename: str | None


def release_platforms(
    release: Release, judge: Callable[[Release, TargetTags], Choice]
) -> tuple[PlatformWheel, ...]:
    """Choose for each tag set of a release as if the interpreter took exactly that.

    Args:
        release: the release.
        judge: judges the wheels of a release for an interpreter.
    """
    found = []
    for tags in sorted({wheel.tag_set for wheel in release.wheels})[:_MAX_PLATFORMS]:
        wheels = {wheel: file for wheel, file in release.wheels.items() if wheel.tag_set == tags}
        one = "-".join(part.partition(".")[0] for part in tags.lower().split("-"))
        winner = judge(replace(release, wheels=wheels), TargetTags([one])).selected
        label, name = (winner.wheel.label, winner.wheel.filename) if winner else (None, None)
        found.append(PlatformWheel(tags, label, name))
    return tuple(found)


def family_platforms(decision: ReleaseDecision) -> tuple[PlatformWheel, ...]:
    """Return the chosen backend's wheel for each tag set of the release."""
    others = (*decision.pinnable, *decision.refused)
    builds = [*decision.chosen, *(verdict.build for verdict in others)]
    found: dict[str, PlatformWheel] = {}
    for build in builds:
        tags = build.wheel.tag_set
        if build.backend == decision.backend:
            found.setdefault(tags, PlatformWheel(tags, build.folder, build.file.filename))
    for build in builds:
        found.setdefault(build.wheel.tag_set, PlatformWheel(build.wheel.tag_set, None, None))
    return tuple(found[tags] for tags in sorted(found)[:_MAX_PLATFORMS])
