"""Which plugins the distributions of an environment announce; reads their metadata, runs nothing."""

from __future__ import annotations

import configparser
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from packaging.utils import canonicalize_name

from variant_index.errors import printable
from variant_index.providers.failure import ProviderError
from variant_index.providers.request import Found

__all__ = ["announced"]

_GROUP: Final = "variant_plugins"
_MAX_BYTES: Final = 1 << 20


def announced(python: Path) -> tuple[Found, ...]:
    """Return the entry points of group `variant_plugins`, in a fixed order.

    Args:
        python: the environment's interpreter.

    Raises:
        ProviderError: a distribution's entry points cannot be read.
    """
    root = python.parent.parent
    files = sorted(
        file
        for place in ("lib/python*/site-packages", "Lib/site-packages")
        for file in root.glob(f"{place}/*.dist-info/entry_points.txt")
    )
    return tuple(one for file in files for one in _read(file))


def _read(file: Path) -> Iterator[Found]:
    name = canonicalize_name(file.parent.name.removesuffix(".dist-info").rpartition("-")[0])
    # Names of entry points are case-sensitive, and "=" is the only delimiter.
    parser = configparser.RawConfigParser(delimiters=("=",), strict=False)
    parser.optionxform = str  # type: ignore[method-assign,assignment]
    try:
        with file.open("rb") as stream:
            parser.read_string(stream.read(_MAX_BYTES).decode("utf-8"))
    except (configparser.Error, UnicodeDecodeError):
        raise ProviderError(f"{printable(name)}: its entry_points.txt cannot be read") from None
    if parser.has_section(_GROUP):
        for namespace, api in parser.items(_GROUP):
            yield Found(name, namespace, "".join(api.partition("[")[0].split()))
