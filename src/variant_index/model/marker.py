"""Environment markers of requirements, evaluated for the interpreter that will install."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.markers import Marker

__all__ = ["marker_holds"]


def marker_holds(marker: Marker | None, environment: Mapping[str, str] | None = None) -> bool | None:
    """Tell whether a requirement without extras applies.

    Args:
        marker: its marker, None for none.
        environment: the values of marker variables in the target interpreter (see `shim.target`); None for
            those of this interpreter.

    Returns:
        None where the answer is not defined, as for `os_name ~= "a"`: installers refuse that.
    """
    if marker is None:
        return True
    try:
        return marker.evaluate({**(environment or {}), "extra": ""})
    except (ValueError, LookupError):  # a comparison, a version or a variable that is not defined
        return None
