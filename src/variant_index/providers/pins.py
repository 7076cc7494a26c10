"""What exactly is trusted: one version each, with hashes, as pip's `--require-hashes` takes it; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from variant_index.errors import printable
from variant_index.model.marker import marker_holds
from variant_index.providers.failure import ProviderError

__all__ = ["Pin", "parse_pin", "parse_pins", "pins_text"]

_HEX_DIGITS: Final = {"sha256": 64, "sha384": 96, "sha512": 128}
_HASH: Final = re.compile(r"--hash[= ](\S+)")
_MOST: Final = 200
_HOW: Final = "write NAME==VERSION --hash=sha256:HEX"


@dataclass(frozen=True, order=True, slots=True)
class Pin:
    """One distribution in one version, with the hashes its file may have.

    Attributes:
        name: its normal name.
        version: the one version.
        hashes: `sha256:HEX` and the like, sorted; never empty.
        marker: the environment marker (PEP 508) under which it is needed, empty for always.
    """

    name: str
    version: str
    hashes: tuple[str, ...]
    marker: str = ""

    @property
    def applies(self) -> bool:
        """Whether the marker holds for this interpreter, with which providers are installed and run."""
        from packaging.markers import Marker

        return not self.marker or marker_holds(Marker(self.marker)) is True

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


def parse_pin(text: str, where: str = "") -> Pin:
    """Read one requirement with its hashes.

    Args:
        text: such as `name==1.2 --hash=sha256:...`.
        where: what to put before an error, such as a file and line; empty for the text itself.

    Raises:
        ProviderError: it has no exact version, no strong hash, or anything besides.
    """
    where = where or printable(text, 100)
    hashes = tuple(sorted({_checked_hash(found, where) for found in _HASH.findall(text)}))
    rest = _HASH.sub("", text).strip()
    if rest.startswith("-") or " --" in rest:
        raise ProviderError(f"{where}: of pip's options only --hash is understood; {_HOW}")
    try:
        requirement = Requirement(rest)
    except InvalidRequirement:
        raise ProviderError(f"{where}: is not a requirement; {_HOW}") from None
    if requirement.url is not None or requirement.extras:
        raise ProviderError(f"{where}: a provider has neither address nor extras; {_HOW}")
    specifiers = list(requirement.specifier)
    if len(specifiers) != 1 or specifiers[0].operator != "==" or specifiers[0].version.endswith("*"):
        raise ProviderError(f"{where}: a provider is trusted in one exact version; {_HOW}")
    if not hashes:
        raise ProviderError(f"{where}: a provider is trusted by the hash of its wheel; {_HOW}")
    if marker_holds(requirement.marker) is None:
        raise ProviderError(f"{where}: its marker compares what cannot be compared")
    marker = str(requirement.marker) if requirement.marker is not None else ""
    return Pin(canonicalize_name(requirement.name), specifiers[0].version, hashes, marker)


def parse_pins(text: str, source: str) -> tuple[Pin, ...]:
    """Read a requirements file in which every line is pinned and hashed, in its order.

    Raises:
        ProviderError: a line is not, or there is none, or too many.
    """
    pins = tuple(parse_pin(line, f"{printable(source)}, line {number}") for number, line in _lines(text))
    if not 0 < len(pins) <= _MOST:
        raise ProviderError(f"{printable(source)}: holds {len(pins)} requirements, not 1 to {_MOST}")
    return pins


def pins_text(pins: Sequence[Pin]) -> str:
    """Return the requirements file that pip gets, the same for the same pins in any order."""
    return "".join(
        " ".join(
            [
                str(pin),
                *([f"; {pin.marker}"] if pin.marker else []),
                *(f"--hash={one}" for one in pin.hashes),
            ]
        )
        + "\n"
        for pin in sorted(pins)
    )


def _checked_hash(text: str, where: str) -> str:
    algorithm, _, digest = text.lower().partition(":")
    if not re.fullmatch(f"[0-9a-f]{{{_HEX_DIGITS.get(algorithm, 0)}}}", digest) or not digest:
        raise ProviderError(
            f"{where}: {printable(text, 80)} is no hash: sha256: (or sha384:, sha512:) and its hex digits"
        )
    return f"{algorithm}:{digest}"


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield logical lines: comments and blank lines left out, continued ones joined."""
    pending, start = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        start = start if pending else number
        code = "" if line.lstrip().startswith("#") else line.partition(" #")[0].rstrip()
        pending += code.removesuffix("\\") + " "
        if code.endswith("\\"):
            continue
        if pending.strip():
            yield start, pending.strip()
        pending = ""
    if pending.strip():
        yield start, pending.strip()
