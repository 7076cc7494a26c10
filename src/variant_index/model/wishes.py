"""What a command asks its installer for, as texts: what must be known of it before anything is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Upgrade", "Wishes"]

Upgrade = Literal["none", "named", "all"]
"""Whose installed or locked versions do not count: nobody's, of what is named, of all that this needs too."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a command line and the files it names ask for.

    Attributes:
        requirements: as on a command line or in a requirements file (PEP 508, or the path or address of a
            wheel); what is no requirement is the installer's to refuse.
        constraints: the same, for what only limits others.
        upgrade: whose installed or locked versions do not count.
        upgraded: normal names of more such projects.
        kept: normal name -> version that a lock file or a former output keeps where nothing forbids it.
        prereleases: whether prereleases are allowed for everything.
        into_environment: whether what is installed beside the target interpreter stays and counts.
    """

    requirements: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    upgrade: Upgrade = "none"
    upgraded: frozenset[str] = frozenset()
    kept: Mapping[str, str] = field(default_factory=dict)
    prereleases: bool = False
    into_environment: bool = True
