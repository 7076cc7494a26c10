"""Pages on which a wheel that has to be hidden is replaced by the next best one of its release.

A wheel is hidden when its variant markers cannot be decided. Its release stays: what is chosen instead is
chosen, compared and decided like the first choice was, and a warning names both.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from packaging.version import Version

from variant_index.errors import printable
from variant_index.model.properties import Properties
from variant_index.selection.choice import TargetTags
from variant_index.selection.preference import Preference
from variant_index.shim.present import Presented, present
from variant_index.shim.settle import MarkerSettler, SettledWheels
from variant_index.shim.spliced import SplicedWheel
from variant_index.shim.verification import WheelVerifier, present_verified
from variant_index.simple_api.page import ProjectPage
from variant_index.upstream.releases import Release, Releases

if TYPE_CHECKING:
    from variant_index.model.document import VariantsDocument

__all__ = ["SettledPage", "present_settled", "settle_page"]

_Documents = Mapping[Version, "VariantsDocument"]

_ROUNDS: Final = 12
"""So many wheels of one release are tried; more that fit one machine are found in no real release."""

_SHOWN: Final = 3


@dataclass(frozen=True)
class SettledPage:
    """A page of which every wheel can be installed as it is listed.

    Attributes:
        presented: what to list; its warnings are complete.
        documents: the variants documents by which its wheels were chosen.
        spliced: address upstream -> wheel that gets other METADATA on its way.
        hidden: file name upstream -> why the markers of this wheel cannot be decided, one printable line.
    """

    presented: Presented
    documents: _Documents
    spliced: Mapping[str, SplicedWheel]
    hidden: Mapping[str, str]


def settle_page(
    page: ProjectPage,
    releases: Releases,
    documents: _Documents,
    supported: Properties,
    tags: TargetTags,
    *,
    prefer: Preference,
    verifier: WheelVerifier,
    settler: MarkerSettler,
) -> SettledPage:
    """Decide what to list of a page, down to the variant markers of every wheel.

    Args:
        page: the upstream page.
        releases: the same page, sorted.
        documents: the usable variants documents.
        supported: what the machine supports.
        tags: the target interpreter's tags.
        prefer: what comes first, a build that uses the hardware or the newest release.
        verifier: compares wheels with the documents that they were chosen by.
        settler: decides markers.

    Raises:
        UnreachableError: as `MarkerSettler.settle`.
    """
    return present_settled(
        lambda usable, hidden: present(page, releases, usable, supported, tags, prefer=prefer, hidden=hidden),
        lambda presented, used, every: settler.settle(presented, releases, used, supported, every=every),
        documents,
        verifier,
        releases,
    )


def present_settled(
    present: Callable[[_Documents, Container[str]], Presented],
    settle: Callable[[Presented, _Documents, bool], SettledWheels],
    documents: _Documents,
    verifier: WheelVerifier,
    releases: Releases,
) -> SettledPage:
    """Present a page, replacing wheels until the variant markers of all that are listed are decided.

    Args:
        present: presents the page by some of the documents, without the wheels that are hidden.
        settle: decides the markers of a page's wheels by the documents, as `MarkerSettler.settle`; told
            whether to look at every wheel.
        documents: the usable documents.
        verifier: compares wheels with the documents that they were chosen by.
        releases: the upstream page, sorted.

    Raises:
        UnreachableError: as `MarkerSettler.settle`.
    """
    hidden: dict[str, str] = {}
    problems: dict[str, None] = {}
    for _ in range(_ROUNDS):
        presented, documents, found = present_verified(
            lambda usable: present(usable, hidden), documents, verifier
        )
        settled = settle(presented, documents, bool(hidden))
        problems.update(dict.fromkeys((*found, *settled.warnings)))
        if not settled.undecided:
            break
        hidden.update(settled.undecided)
    else:
        presented = _without_files(presented, settled.undecided)
    warnings = (*presented.warnings, *problems, *_warnings(hidden, presented, releases))
    return SettledPage(replace(presented, warnings=warnings), documents, settled.spliced, hidden)


def _without_files(presented: Presented, names: Mapping[str, str]) -> Presented:
    files = tuple(
        one
        for one in presented.files
        if (one.chosen.filename if one.chosen is not None else one.file.filename) not in names
    )
    return replace(presented, files=files)


def _warnings(hidden: Mapping[str, str], presented: Presented, releases: Releases) -> list[str]:
    """Return a line for each of the newest releases that lost wheels, and one for all others."""
    by_release: dict[Version, list[str]] = {}
    for filename in hidden:
        by_release.setdefault(releases.of_file[filename].version, []).append(filename)
    newest = sorted(by_release, reverse=True)
    lines = []
    for version in newest[:_SHOWN]:
        release, filenames = releases.by_version[version], by_release[version]
        best = filenames[0]  # the others were tried instead of it
        more = f" (and {len(filenames) - 1} more)" if len(filenames) > 1 else ""
        instead = _instead(release, presented)
        lines.append(
            f"{release}: {printable(best)}{more} is hidden and {instead},"
            f" because its variant markers cannot be decided: {hidden[best]}"
        )
    if others := newest[_SHOWN:]:
        shown = printable(", ".join(map(str, others)), 200)
        lines.append(f"{presented.name}: wheels of {len(others)} older releases are hidden likewise: {shown}")
    return lines


def _instead(release: Release, presented: Presented) -> str:
    """Return what installers take now."""
    chosen = [(Version(one.chosen.version), one) for one in presented.files if one.chosen is not None]
    own = [one for version, one in chosen if version == release.version]
    if not own:
        return "no other wheel of the release fits"
    best = own[0].chosen
    assert best is not None
    others = [
        one.chosen
        for version, one in sorted(chosen, key=lambda item: item[0], reverse=True)
        if version < release.version and not one.file.yanked and one.chosen is not None
    ]
    if own[0].file.yanked and others:
        better = others[0]
        return (
            f"{better.name} {better.version} ({better.label or 'the default wheel'}) is taken instead, or"
            f" {printable(best.filename)} where {release.version} is pinned"
        )
    return f"{printable(best.filename)} is taken instead"
