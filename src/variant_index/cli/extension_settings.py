"""What commands know of the packages that extension wheels are built for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from variant_index.extensions.settings import ExtensionSettings

__all__ = ["extension_settings"]


def extension_settings(
    python: Callable[[], str] | None, requirements: Iterable[str] = ()
) -> ExtensionSettings:
    """Return the settings; `VARIANT_ABI_DEPENDENCY` states versions that count before all others.

    Args:
        python: tells the interpreter to install for; None where what is installed there does not count.
        requirements: those of the command; what is no requirement is passed over.

    Raises:
        AbiDependencyError: the variable cannot be understood.
    """
    from variant_index.extensions.abi_dependency import VARIABLE, parse_stated
    from variant_index.extensions.environment import Environment
    from variant_index.extensions.settings import ExtensionSettings, pinned_torch

    environment = None if python is None else Environment(python)
    return ExtensionSettings(
        environment, pinned_torch(requirements), parse_stated(os.environ.get(VARIABLE, ""))
    )
