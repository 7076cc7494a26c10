"""Pages for tools that write lock files: besides the chosen build all others, for their hashes.

A lock file is for other machines too. On each of them the shim shows the build that is chosen there, and
installers compare its hash with the locked ones, not its name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from packaging.version import Version

from variant_index.model.filename import WheelFilename
from variant_index.shim.present import Chosen, Listed, Presented, legal_filename
from variant_index.simple_api.page import ProjectFile
from variant_index.upstream.releases import Release, Releases
from variant_index.upstream.sidecar import STRONG_HASHES

__all__ = ["with_every_variant"]

_WHY: Final = "listed for other machines"


def with_every_variant(presented: Presented, releases: Releases) -> Presented:
    """Add what was not chosen to a page, for every release of which a variant was chosen; pure.

    The chosen wheels get the higher build number, because tools read dependencies from the wheel that they
    prefer. Wheels without a hash stay out, as ever.

    Args:
        presented: the page for this machine.
        releases: the same project, sorted by `group_releases`.
    """
    chosen: dict[Version, Listed] = {}
    for listed in presented.files:
        if listed.chosen is not None and listed.chosen.label:
            chosen.setdefault(Version(listed.chosen.version), listed)
    files: list[Listed] = []
    shown = {one.chosen.filename if one.chosen else one.file.filename for one in presented.files}
    for listed in presented.files:
        files.append(_preferred(listed))
        for version, first in chosen.items():
            if first is listed:
                files += _others(releases.by_version[version], listed, shown)
    return replace(presented, files=tuple(files))


def _preferred(listed: Listed) -> Listed:
    """Raise the build number of a chosen variant: `-0_cu128-` becomes `-1_cu128-`."""
    if listed.chosen is None or not listed.chosen.label:
        return listed
    wheel = WheelFilename.parse(listed.chosen.filename)
    number = "".join(_leading_digits(wheel.build))
    higher = replace(wheel, build=f"{int(number or 0) + 1}{wheel.build[len(number) :]}")
    return replace(listed, file=replace(listed.file, filename=legal_filename(higher)))


def _leading_digits(build: str) -> Iterator[str]:
    for character in build:
        if character not in "0123456789":
            return
        yield character


def _others(release: Release, listed: Listed, shown: set[str]) -> Iterator[Listed]:
    wheels: Mapping[WheelFilename, ProjectFile] = release.wheels
    for wheel, file in wheels.items():
        if wheel.filename in shown or not (STRONG_HASHES & file.hashes.keys()):
            continue
        yanked = listed.file.yanked or file.yanked
        chosen = Chosen(release.name, str(release.version), wheel.label, _WHY, wheel.filename)
        named = replace(file, filename=legal_filename(wheel), yanked=yanked)
        yield Listed(named, chosen if wheel.label else None)
