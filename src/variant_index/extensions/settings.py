"""What is known, before a run, of the packages that extensions are built for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from variant_index.extensions.environment import Environment

__all__ = ["ExtensionSettings", "pinned_torch"]


@dataclass(frozen=True)
class ExtensionSettings:
    """What the user says, and where to look.

    Attributes:
        environment: where will be installed; None when that is not known.
        pinned: what the command asks of torch; None when it does not name it.
        stated: name -> version, as the user states them; they count before everything else.
    """

    environment: Environment | None = None
    pinned: SpecifierSet | None = None
    stated: Mapping[str, Version] = field(default_factory=dict)


def pinned_torch(requirements: Iterable[str]) -> SpecifierSet | None:
    """Return what requirements ask of torch, all of them together; None when none restricts it.

    Args:
        requirements: as on a command line or in a requirements file, options behind them included; what is no
            requirement is passed over, for the installer to say.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    asked: SpecifierSet | None = None
    for text in requirements:
        try:
            requirement = Requirement(text.partition(" --")[0].partition(" #")[0].strip())
        except InvalidRequirement:
            continue
        if requirement.name.lower() != "torch" or not requirement.specifier:
            continue
        if requirement.marker is None or requirement.marker.evaluate():
            asked = requirement.specifier if asked is None else asked & requirement.specifier
    return asked
