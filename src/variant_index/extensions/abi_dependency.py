"""PEP 817's namespace `abi_dependency`: variants for particular versions of another package; pure.

`abi_dependency :: torch :: 2.9` needs torch 2.9.*, whatever its patch number. An installer answers for this
namespace itself, from the packages that there are or will be.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from packaging.version import InvalidVersion, Version

from variant_index.errors import InputError, printable
from variant_index.model.filename import canonical_name
from variant_index.model.properties import ABI_DEPENDENCY, Properties

__all__ = ["VARIABLE", "AbiDependencyError", "abi_properties", "parse_stated"]

VARIABLE: Final = "VARIANT_ABI_DEPENDENCY"
"""The environment variable that states versions, as variantlib reads it: `torch==2.9.0+cu128,numpy==2.3`."""


class AbiDependencyError(InputError):
    """The variable cannot be understood."""


def parse_stated(text: str) -> dict[str, Version]:
    """Read the variable: normal name -> version.

    Raises:
        AbiDependencyError: it is not a list of `name==version`.
    """
    stated = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, equals, version = item.partition("==")
        try:
            if not (equals and name.strip()):
                raise InvalidVersion
            stated[canonical_name(name.strip())] = Version(version)
        except InvalidVersion:
            raise AbiDependencyError(
                f"{VARIABLE} has {printable(item)!r}; it is a list such as torch==2.9.0+cu128,numpy==2.3"
            ) from None
    return stated


def abi_properties(versions: Mapping[str, Version]) -> Properties:
    """Return what packages support: 2.9.1, 2.9 and 2 of their namespaces, the closest first.

    Args:
        versions: normal name -> version.
    """
    if not versions:
        return {}
    return {
        ABI_DEPENDENCY: {
            name.replace("-", "_"): (
                f"{one.major}.{one.minor}.{one.micro}",
                f"{one.major}.{one.minor}",
                f"{one.major}",
            )
            for name, one in sorted(versions.items())
        }
    }
