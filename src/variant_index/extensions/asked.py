"""What a command asks for, project by project, its markers decided for the target interpreter; pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from variant_index.model.filename import FilenameError, WheelFilename, canonical_name
from variant_index.model.marker import marker_holds
from variant_index.model.wishes import Upgrade, Wishes

if TYPE_CHECKING:
    from packaging.requirements import Requirement

__all__ = ["Asked", "read_asked"]

_MAX_CHARACTERS: Final = 5000
_HUGE_NUMBER: Final = re.compile(r"[0-9]{1001}", re.ASCII)  # Python reads at most 4300 digits
_ANYTHING: Final = SpecifierSet()


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for.

    Attributes:
        specifiers: normal name -> all that is said of its version, constraints included.
        named: the names that are asked for themselves, and not only limited; in order, each once.
        upgrade: whose installed or locked versions do not count.
        upgraded: names of more such projects.
        kept: name -> version that a lock file keeps.
        prereleases: whether prereleases are allowed for everything.
    """

    specifiers: Mapping[str, SpecifierSet] = field(default_factory=dict)
    named: tuple[str, ...] = ()
    upgrade: Upgrade = "none"
    upgraded: frozenset[str] = frozenset()
    kept: Mapping[str, Version] = field(default_factory=dict)
    prereleases: bool = False

    def specifier(self, name: str) -> SpecifierSet:
        """Return what is said of a project's version."""
        return self.specifiers.get(name, _ANYTHING)

    def is_upgraded(self, name: str) -> bool:
        """Tell whether the installed or locked version of a project that is asked for does not count."""
        return name in self.upgraded or (self.upgrade != "none" and name in self.named)


def read_asked(wishes: Wishes, environment: Callable[[], Mapping[str, str]]) -> Asked:
    """Read requirements; what is none is passed over, for the installer to say.

    A wheel that is named by its path or address is asked for in its version.

    Args:
        wishes: what the command says.
        environment: returns the values of marker variables; called when there is a marker, and once.
    """
    values = cache(environment)
    specifiers: dict[str, SpecifierSet] = {}
    named: dict[str, None] = {}
    for texts, limits in ((wishes.requirements, False), (wishes.constraints, True)):
        for name, specifier in _read(texts, values):
            specifiers[name] = specifiers.get(name, _ANYTHING) & specifier
            if not limits:
                named.setdefault(name)
    kept = {name: version for name, text in wishes.kept.items() if (version := _version(text)) is not None}
    return Asked(specifiers, tuple(named), wishes.upgrade, wishes.upgraded, kept, wishes.prereleases)


def _read(
    texts: tuple[str, ...], environment: Callable[[], Mapping[str, str]]
) -> Iterator[tuple[str, SpecifierSet]]:
    for text in texts:
        requirement = _requirement(text)
        if requirement is None:
            if (found := _wheel(text)) is not None:
                yield found
            continue
        if requirement.marker is not None and not marker_holds(requirement.marker, environment()):
            continue
        if requirement.url is not None:
            found = _wheel(requirement.url)
            yield found or (canonical_name(requirement.name), _ANYTHING)
        else:
            yield canonical_name(requirement.name), requirement.specifier


def _requirement(text: str) -> Requirement | None:
    from packaging.requirements import InvalidRequirement, Requirement

    if len(text) > _MAX_CHARACTERS or _HUGE_NUMBER.search(text):
        return None
    try:
        return Requirement(text.partition(" --")[0].partition(" #")[0].strip())
    except InvalidRequirement:
        return None


def _wheel(text: str) -> tuple[str, SpecifierSet] | None:
    """Return name and version of a wheel named by a path or an address."""
    path = urlsplit(text).path if "://" in text else text
    filename = unquote(path.partition("#")[0].strip().replace("\\", "/").rpartition("/")[2])
    if not filename.endswith(".whl") or len(filename) > _MAX_CHARACTERS:
        return None
    try:
        wheel = WheelFilename.parse(filename)
    except FilenameError:
        return None
    version = _version(wheel.version)
    return None if version is None else (wheel.name, SpecifierSet(f"=={version}"))


def _version(text: str) -> Version | None:
    if len(text) > 100:
        return None
    try:
        return Version(text)
    except InvalidVersion:
        return None
