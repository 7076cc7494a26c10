"""Which variants leave installers without variant support with nothing to install."""

from __future__ import annotations

import re
from collections.abc import Iterable

from variant_index.model.filename import WheelFilename
from variant_index.publish.release import FoundWheel, Release

__all__ = ["covers", "sources_for_default", "uncovered"]

_PLATFORM = re.compile(
    r"(?:(?P<glibc>manylinux)(?:_(?P<glibc_version>\d{1,3}_\d{1,3})|1|2010|2014)|(?P<linux>linux)"
    r"|(?P<musl>musllinux)_(?P<musl_version>\d{1,3}_\d{1,3})|(?P<mac>macosx)_(?P<mac_version>\d{1,3}_\d{1,3}))"
    r"_(?P<arch>\w+)",
    re.ASCII,
)
_CPYTHON = re.compile(r"cp3(\d{1,3})", re.ASCII)


def covers(plain: WheelFilename, variant: WheelFilename) -> bool:
    """Tell whether every interpreter that fits some tag of `variant` very likely fits one of `plain`.

    Platform versions of glibc Linux do not count: a build for a newer one usually means a newer
    compiler, not another audience.
    """
    return all(any(_tag_covers(ours, theirs) for ours in _tags(plain)) for theirs in _tags(variant))


def uncovered(release: Release) -> tuple[str, ...]:
    """Return the tag sets (`cp312-cp312-linux_x86_64`) that variants have and no plain wheel covers."""
    return tuple(dict.fromkeys(wheel.filename.tag_set for wheel in _lacking(release, release.variants)))


def sources_for_default(release: Release, label: str) -> tuple[FoundWheel, ...]:
    """Return the variant wheels with `label` whose tags no plain wheel covers, the best build of each."""
    best: dict[str, FoundWheel] = {}
    for wheel in _lacking(release, release.variants):
        known = best.get(wheel.filename.tag_set)
        if wheel.filename.label == label and (
            known is None or known.filename.build_key < wheel.filename.build_key
        ):
            best[wheel.filename.tag_set] = wheel
    return tuple(best.values())


def _lacking(release: Release, wheels: Iterable[FoundWheel]) -> list[FoundWheel]:
    return [
        wheel
        for wheel in wheels
        if not any(covers(plain.filename, wheel.filename) for plain in release.plain)
    ]


_Tag = tuple[str, str, str]


def _tags(wheel: WheelFilename) -> list[_Tag]:
    return [
        (python, abi, platform)
        for python in wheel.python.lower().split(".")
        for abi in wheel.abi.lower().split(".")
        for platform in wheel.platform.lower().split(".")
    ]


def _tag_covers(plain: _Tag, variant: _Tag) -> bool:
    return _platform_covers(plain[2], variant[2]) and _python_covers(plain[:2], variant[:2])


def _python_covers(plain: tuple[str, str], variant: tuple[str, str]) -> bool:
    if plain == variant:
        return True
    python, abi = plain
    if abi == "none":
        generic = re.fullmatch(r"(?:py|cp)3(\d{0,3})", python)
        minimum = int(generic[1] or 0) if generic else None
    elif abi == "abi3":
        generic = _CPYTHON.fullmatch(python)
        minimum = int(generic[1]) if generic else None
    else:
        return False
    if minimum is None or (abi == "abi3" and not _CPYTHON.fullmatch(variant[0])):
        return False
    if python.startswith("cp") and abi == "none" and python != "cp3":
        return variant[0] == python  # cp312-none fits 3.12 only
    found = re.fullmatch(r"(?:py|cp)3(\d{0,3})", variant[0])
    # An abi3 wheel does not fit a free-threaded interpreter.
    threaded = abi == "abi3" and variant[1].endswith("t")
    return found is not None and int(found[1] or 0) >= minimum and not threaded


def _platform_covers(plain: str, variant: str) -> bool:
    if plain in ("any", variant):
        return True
    ours, theirs = _PLATFORM.fullmatch(plain), _PLATFORM.fullmatch(variant)
    if ours is None or theirs is None:
        return False
    if ours["arch"] != theirs["arch"]:
        return bool(ours["mac"] and theirs["mac"] and ours["arch"] == "universal2") and _older(
            ours["mac_version"], theirs["mac_version"]
        )
    if (ours["glibc"] or ours["linux"]) and (theirs["glibc"] or theirs["linux"]):
        return True
    for version in ("musl_version", "mac_version"):
        if ours[version] and theirs[version]:
            return _older(ours[version], theirs[version])
    return False


def _older(plain: str, variant: str) -> bool:
    return tuple(map(int, plain.split("_"))) <= tuple(map(int, variant.split("_")))
