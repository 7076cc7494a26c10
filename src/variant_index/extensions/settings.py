"""What is known, before a run, of the packages that extensions are built for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from packaging.version import Version

from variant_index.extensions.asked import Asked
from variant_index.extensions.environment import Environment

__all__ = ["ExtensionSettings"]


@dataclass(frozen=True)
class ExtensionSettings:
    """What the user says, and where to look.

    Attributes:
        environment: where will be installed; None when that is not known.
        asked: tells what the command asks for; called when that matters.
        stated: name -> version, as the user states them; they count before everything else.
        marker_environment: tells the values of marker variables of the target interpreter.
    """

    environment: Environment | None = None
    asked: Callable[[], Asked] = Asked
    stated: Mapping[str, Version] = field(default_factory=dict)
    marker_environment: Callable[[], Mapping[str, str]] = dict
