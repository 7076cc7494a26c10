"""Pages on which builds for another torch than the one that there is are held back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from packaging.version import Version

from variant_index.errors import printable
from variant_index.extensions.abi_dependency import abi_properties
from variant_index.extensions.coupling import read_coupling
from variant_index.extensions.decide import ExtensionWheel, Matched, match_builds
from variant_index.model.properties import ABI_DEPENDENCY, Properties
from variant_index.selection.choice import TargetTags
from variant_index.shim.expected_torch import OF_SOURCES, ExpectedTorch
from variant_index.shim.present import Chosen, Listed, Presented
from variant_index.torch_index.family import TORCH
from variant_index.upstream.releases import Releases

if TYPE_CHECKING:
    from variant_index.model.document import VariantsDocument

__all__ = ["ExtensionBuilds"]

# PyPI has no local versions, so most pages are done with these, at a hundredth of the time.
_MARKS: Final = (b"+", b"%")
# A false alarm only means that the page is parsed.
_MAYBE: Final = re.compile(rb"(?:%2[Bb]|\+)[A-Za-z0-9.]{0,60}(?:torch|pt)[0-9]|/torch-[0-9]", re.ASCII)


class ExtensionBuilds:
    """Knows the torch that extensions must go with, asked for every page anew; safe between threads."""

    def __init__(self, torch: ExpectedTorch) -> None:
        """Prepare; nothing is read yet.

        Args:
            torch: knows the torch that there will be.
        """
        self._torch = torch
        self._settings = torch.settings

    @staticmethod
    def may_be_on(page: bytes) -> bool:
        """Tell quickly whether a page may list builds for particular torch versions; False is certain."""
        return any(mark in page for mark in _MARKS) and _MAYBE.search(page) is not None

    @staticmethod
    def concerns(releases: Releases) -> bool:
        """Tell whether a page lists builds for particular torch versions."""
        return any(
            not wheel.label and read_coupling(wheel.version, file.url) is not None
            for release in releases.by_version.values()
            for wheel, file in release.wheels.items()
        )

    def match(
        self, presented: Presented, releases: Releases, supported: Properties, tags: TargetTags
    ) -> tuple[Presented, str | None]:
        """Hold back the builds of a page that do not go with torch.

        Args:
            presented: the page.
            releases: the upstream page, sorted.
            supported: what the machine supports.
            tags: the target interpreter's tags.

        Returns:
            The page, and what helps only someone who did not get what he wanted.
        """
        wheels = _coupled(releases, tags)
        if not wheels:
            return presented, None
        torch = self._torch.build(supported, tags)
        if torch is not None and torch.kind is None and torch.origin == OF_SOURCES:
            # Its wheel does not name its hardware, which is no reason to hide what was built for any.
            torch = None if any(wheel.coupling.kind is not None for wheel in wheels.values()) else torch
        matched = match_builds(
            presented.name,
            wheels.values(),
            torch,
            self._settings.asked().specifier(presented.name),
        )
        files = (
            _changed(listed, wheels.get(listed.file.filename), matched, presented.name)
            for listed in presented.files
        )
        warnings = presented.warnings if matched.warning is None else (*presented.warnings, matched.warning)
        kept = tuple(listed for listed in files if listed is not None)
        return Presented(presented.name, kept, warnings), matched.note

    def supported(
        self, supported: Properties, tags: TargetTags, documents: Mapping[Version, VariantsDocument]
    ) -> Properties:
        """Return what the machine supports, and what its packages do where documents ask for that."""
        if not any(
            ABI_DEPENDENCY in document.default_priorities.namespace for document in documents.values()
        ):
            return supported
        environment = self._settings.environment
        versions = dict(self._settings.asked().kept)
        versions |= environment.versions() if environment is not None else {}
        torch = self._torch.build(supported, tags)
        if torch is not None:
            versions[TORCH] = torch.version
        return {**supported, **abi_properties({**versions, **self._settings.stated})}


def _coupled(releases: Releases, tags: TargetTags) -> dict[str, ExtensionWheel]:
    found = {}
    for release in releases.by_version.values():
        for wheel, file in release.wheels.items():
            coupling = None if wheel.label else read_coupling(wheel.version, file.url)
            if coupling is not None:
                found[file.filename] = ExtensionWheel(
                    file.filename, release.version, tags.position(wheel), coupling, not file.yanked
                )
    return found


def _changed(listed: Listed, wheel: ExtensionWheel | None, matched: Matched, name: str) -> Listed | None:
    file = listed.file
    if wheel is None or file.filename in matched.hidden:
        return listed if wheel is None else None
    if (reason := matched.chosen.get(file.filename)) is not None:
        label = wheel.coupling.backend
        chosen = Chosen(
            name, str(wheel.version), label, printable(reason, 500), file.filename, hashes=file.hashes
        )
        return Listed(file, chosen)
    if (reason := matched.yanked.get(file.filename)) is not None and not file.yanked:
        return Listed(replace(file, yanked=printable(reason, 500)), listed.chosen)
    return listed
