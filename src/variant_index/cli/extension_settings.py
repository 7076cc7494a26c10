"""What commands know of the packages that extension wheels are built for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING

from variant_index.configuration.effective import Configuration

if TYPE_CHECKING:
    from variant_index.extensions.settings import ExtensionSettings
    from variant_index.model.wishes import Wishes

__all__ = ["extension_settings"]


def extension_settings(
    configuration: Configuration, python: Callable[[], str] | None, wishes: Wishes | None = None
) -> ExtensionSettings:
    """Return the settings.

    Args:
        configuration: the settings in effect; `abi-dependency` counts before all else.
        python: tells the interpreter to install for; None where that is not known.
        wishes: what the command asks for, None for nothing.

    Raises:
        InputError: the versions that are stated cannot be understood.
    """
    from variant_index.extensions.abi_dependency import parse_stated
    from variant_index.extensions.asked import read_asked
    from variant_index.extensions.environment import Environment
    from variant_index.extensions.settings import ExtensionSettings
    from variant_index.model.wishes import Wishes

    with configuration.naming("abi-dependency"):
        stated = parse_stated(configuration.text("abi-dependency") or "")
    if python is None:
        return ExtensionSettings(stated=stated)
    interpreter = python

    @cache
    def markers() -> Mapping[str, str]:
        from variant_index.shim.target import marker_environment

        return marker_environment(interpreter())

    said = wishes or Wishes()
    return ExtensionSettings(
        Environment(interpreter) if said.into_environment else None,
        cache(lambda: read_asked(said, markers)),
        stated,
        markers,
    )
