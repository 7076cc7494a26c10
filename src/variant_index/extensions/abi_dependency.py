"""PEP 817's namespace `abi_dependency`: variants for particular versions of another package; pure.

`abi_dependency :: torch :: 2.9` needs torch 2.9.*, whatever its patch number. An installer answers for this
namespace itself, from the packages that there are or will be.
"""

from __future__ import annotations

from collections.abc import Mapping

from packaging.version import InvalidVersion, Version

from variant_index.errors import InputError, printable
from variant_index.model.filename import canonical_name
from variant_index.model.properties import ABI_DEPENDENCY, Properties

__all__ = ["AbiDependencyError", "abi_properties", "parse_stated"]


class AbiDependencyError(InputError):
    """A version that is stated cannot be understood."""


def parse_stated(text: str) -> dict[str, Version]:
    """Read versions that the user states, as variantlib has them: normal name -> version.

    Args:
        text: such as `torch==2.9.0+cu128,numpy==2.3`.

    Raises:
        AbiDependencyError: it is not a list of `NAME==VERSION`.
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
                f"{printable(item)!r} is no version; a list such as torch==2.9.0+cu128,numpy==2.3 is"
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
