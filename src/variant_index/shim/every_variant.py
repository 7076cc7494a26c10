"""Pages for tools that write lock files: besides the chosen build all others, for their hashes.

A lock file is for other machines too. On each of them the shim shows the build that is chosen there, and
installers compare its hash with the locked ones, not its name.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import replace
from typing import Final

from packaging.version import Version

from variant_index.shim.present import Chosen, Listed, Presented, legal_filename
from variant_index.upstream.releases import Release, Releases
from variant_index.upstream.sidecar import STRONG_HASHES

__all__ = ["OTHER_MACHINES", "with_every_variant"]

OTHER_MACHINES: Final = "listed for other machines"
"""Why a file that was not chosen is on the page; installers see it as the reason of a yank."""


def with_every_variant(presented: Presented, releases: Releases, hidden: Container[str] = ()) -> Presented:
    """Add what was not chosen to a page, for every release of which a variant was chosen; pure.

    It is listed as yanked (PEP 592), so that tools read dependencies from the chosen wheel, and lock the
    hashes of all. Names are those under which other machines will see the wheels. Wheels without a hash
    stay out, as ever.

    Args:
        presented: the page for this machine.
        releases: the same project, sorted by `group_releases`.
        hidden: the names of wheels that are never listed.
    """
    shown = {one.chosen.filename if one.chosen else one.file.filename for one in presented.files}
    done: set[Version] = set()
    files: list[Listed] = []
    for listed in presented.files:
        files.append(listed)
        if listed.chosen is None or not listed.chosen.label:
            continue
        version = Version(listed.chosen.version)
        if version not in done:
            files += _others(releases.by_version[version], shown, hidden)
            done.add(version)
    return replace(presented, files=tuple(files))


def _others(release: Release, shown: set[str], hidden: Container[str]) -> Iterator[Listed]:
    for wheel, file in release.wheels.items():
        if wheel.filename in shown or wheel.filename in hidden:
            continue
        if not any(algorithm in file.hashes for algorithm in STRONG_HASHES):
            continue
        named = replace(file, filename=legal_filename(wheel), yanked=file.yanked or OTHER_MACHINES)
        chosen = Chosen(release.name, str(release.version), wheel.label, OTHER_MACHINES, wheel.filename)
        yield Listed(named, chosen if wheel.label else None)
