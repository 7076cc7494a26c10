"""What a command line and requirements files ask for, project by project; pure.

Lines for one project are one wish, as in pip: all their specifiers hold, and all their hashes. Markers are
evaluated for the interpreter that will install.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet

from variant_index.clients.pip.requirements import Requirements
from variant_index.clients.pip.requirements_line import logical_lines
from variant_index.errors import InputError, printable
from variant_index.model.filename import canonical_name
from variant_index.model.marker import marker_holds

if TYPE_CHECKING:
    from variant_index.shim.present import Chosen

__all__ = ["RequirementLine", "Wanted", "WantedError", "merge", "pin_hints", "requirement_lines"]

_PATH: Final = re.compile(r"://|[/\\]|^\.|\.(?:whl|zip|tar\.gz|tgz|tar\.bz2|tar\.xz)(?:\[[^\]]*\])?$")
_HUGE_NUMBER: Final = re.compile(r"(?<![0-9])[0-9]{1001}", re.ASCII)  # Python reads at most 4300 digits
_HASH: Final = re.compile(r"([a-z0-9]{1,20}):([0-9a-fA-F]{1,256})")


class WantedError(InputError):
    """A line is not a requirement."""


@dataclass(frozen=True, slots=True)
class RequirementLine:
    """One requirement as written.

    Attributes:
        text: the requirement, without options.
        place: where it stands, for messages: `FILE, line 3`; empty for the command line.
        hashes: the `--hash` options, `algorithm:digest`.
        constraint: whether it only limits what others ask for.
    """

    text: str
    place: str = ""
    hashes: frozenset[str] = frozenset()
    constraint: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for of one project.

    Attributes:
        name: its normal name.
        text: the requirement, all lines as one.
        specifier: which versions may be chosen.
        hashes: the files that may be installed, `algorithm:digest`; empty for any.
        places: where it is asked for; empty for the command line.
        ignored: why nothing is installed for it (its marker is false), None where something is.
    """

    name: str
    text: str
    specifier: SpecifierSet
    hashes: frozenset[str] = frozenset()
    places: tuple[str, ...] = ()
    ignored: str | None = None

    def pin_hint(self, version: str, label: str, hashes: Mapping[str, str]) -> str | None:
        """Return one line when no hash of a chosen file is among the pins, None otherwise.

        Args:
            version: the chosen release.
            label: the chosen label, empty for none.
            hashes: as the index lists them: algorithm -> digest.
        """
        digest = hashes.get("sha256")
        own = {f"{algorithm}:{value.lower()}" for algorithm, value in hashes.items()}
        if not self.hashes or digest is None or own & self.hashes:
            return None
        where = f" ({', '.join(self.places)})" if self.places else ""
        what = label or "a wheel without a label"
        return (
            f"{self.name} {version}: {what} is chosen for this machine, but its sha256 is not among the"
            f" pinned hashes{where}; add --hash=sha256:{digest}"
        )


def requirement_lines(
    found: Requirements, files: Iterable[str], constraints: Iterable[str], environment: Mapping[str, str]
) -> Iterator[RequirementLine]:
    """Yield the requirements of files and those they include, in order.

    Args:
        found: the files, read.
        files: the values of `-r`.
        constraints: the values of `-c`.
        environment: for `${NAME}` in the files.

    Raises:
        WantedError: a line's options cannot be read.
    """
    for names, constraint in ((constraints, True), (files, False)):
        for name in names:
            yield from _lines_of(found, found.places.get(name, ""), environment, constraint, ())


def _lines_of(
    found: Requirements,
    place: str,
    environment: Mapping[str, str],
    constraint: bool,
    above: tuple[str, ...],
) -> Iterator[RequirementLine]:
    file = found.files.get(place)
    if file is None or place in above:
        return
    for line in file.lines:
        if line.nested is not None and line.number in file.nested:
            inner = constraint or line.nested.name == "constraint"
            yield from _lines_of(found, file.nested[line.number], environment, inner, (*above, place))
    for number, text in logical_lines(file.text, environment):
        if text.startswith("-") and not text.startswith(("-e", "--ed")):
            continue
        where = f"{printable(place)}, line {number}"
        yield _requirement_line(text, where, constraint)


def _requirement_line(text: str, where: str, constraint: bool) -> RequirementLine:
    words = text.split(" ")
    end = next((index for index, word in enumerate(words) if word.startswith("-")), len(words))
    try:
        options = shlex.split(" ".join(words[end:]))
    except ValueError as error:
        raise WantedError(f"{where}: {printable(str(error))}") from None
    if end == 0:
        return RequirementLine(text, where, constraint=constraint)  # an editable folder
    hashes = set()
    for index, option in enumerate(options):
        name, equals, value = option.partition("=")
        if name == "--hash":
            given = value if equals else "".join(options[index + 1 : index + 2])
            if (match := _HASH.fullmatch(given)) is None:
                raise WantedError(f"{where}: {printable(given)!r} is not of the form algorithm:digest")
            hashes.add(f"{match[1]}:{match[2].lower()}")
    return RequirementLine(" ".join(words[:end]).strip(), where, frozenset(hashes), constraint)


@dataclass(slots=True)
class _Wish:
    """What is known of one project while lines are read."""

    texts: list[str] = field(default_factory=list)
    specifier: SpecifierSet = field(default_factory=SpecifierSet)
    hashes: frozenset[str] | None = None
    places: list[str] = field(default_factory=list)
    ignored: str | None = None

    def add(self, line: RequirementLine, requirement: Requirement) -> None:
        self.specifier &= requirement.specifier
        if line.hashes:
            self.hashes = line.hashes if self.hashes is None else self.hashes & line.hashes
        if line.place:
            self.places.append(line.place)


def merge(
    lines: Iterable[RequirementLine], environment: Mapping[str, str]
) -> tuple[tuple[Wanted, ...], tuple[str, ...]]:
    """Return what is wanted of each project, in the order in which they are named, and what is left out.

    Args:
        lines: requirements and constraints.
        environment: the values of marker variables.

    Returns:
        The wishes, and one printable line for each line that names a file or a folder: there is nothing to
        choose.

    Raises:
        WantedError: a line is no requirement; names the line.
    """
    wishes: dict[str, _Wish] = {}
    limits: list[tuple[RequirementLine, Requirement]] = []
    left_out = []
    for line in lines:
        requirement = _parse(line)
        if requirement is None or requirement.url is not None:
            left_out.append(_names_a_file(line))
            continue
        marker = requirement.marker
        holds = marker_holds(marker, environment)
        if holds is None:
            where = f"{line.place}: " if line.place else ""
            raise WantedError(f"{where}{printable(line.text)!r}: its marker compares what cannot be compared")
        if line.constraint:
            if holds:
                limits.append((line, requirement))
            continue
        wish = wishes.setdefault(canonical_name(requirement.name), _Wish())
        if holds:
            wish.texts.append(str(_without_marker(requirement)))
            wish.add(line, requirement)
        else:
            wish.ignored = f"its marker {printable(str(marker))} is false for this interpreter"
    for line, requirement in limits:
        limited = wishes.get(canonical_name(requirement.name))
        if limited is not None and limited.texts:
            limited.texts.append(f"{_without_marker(requirement)} (constraint)")
            limited.add(line, requirement)
    return tuple(_wanted(name, wish) for name, wish in wishes.items()), tuple(left_out)


def _wanted(name: str, wish: _Wish) -> Wanted:
    if not wish.texts:
        return Wanted(name, name, wish.specifier, ignored=wish.ignored)
    text = ", ".join(dict.fromkeys(wish.texts))
    # No common hash means that no file may be installed; that is pip's to say.
    return Wanted(name, text, wish.specifier, wish.hashes or frozenset(), tuple(wish.places))


def _parse(line: RequirementLine) -> Requirement | None:
    if _HUGE_NUMBER.search(line.text):
        where = f"{line.place}: " if line.place else ""
        raise WantedError(f"{where}{printable(line.text, 80)!r}: a number has more than 1000 digits")
    try:
        return Requirement(line.text)
    except InvalidRequirement as error:
        if line.place and (line.text.startswith("-") or _PATH.search(line.text.partition(";")[0].strip())):
            return None
        rule = str(error).partition("\n")[0]
        where = f"{line.place}: " if line.place else ""
        raise WantedError(
            f"{where}{printable(line.text)!r} is not a requirement (PEP 508): {printable(rule)}"
        ) from None


def _names_a_file(line: RequirementLine) -> str:
    what = f"{printable(line.text)!r} names a file, a folder or a URL, so there is nothing to choose"
    if not line.place:
        raise WantedError(what)
    return f"{line.place}: {what}"


def _without_marker(requirement: Requirement) -> Requirement:
    plain = Requirement(str(requirement))
    plain.marker = None
    return plain


def pin_hints(wanted: Iterable[Wanted], offered: Iterable[Chosen]) -> list[str]:
    """Return the lines on choices whose hashes are not among the pins, each once.

    Args:
        wanted: what was asked for.
        offered: the choices that an installer was shown.
    """
    pinned = {one.name: one for one in wanted if one.hashes}
    hints = (
        pinned[chosen.name].pin_hint(chosen.version, chosen.label, chosen.hashes)
        for chosen in offered
        if chosen.name in pinned and pinned[chosen.name].specifier.contains(chosen.version, prereleases=True)
    )
    return list(dict.fromkeys(hint for hint in hints if hint is not None))
