"""METADATA with its variant markers decided: lines of requirements change, every other byte stays; pure."""

from __future__ import annotations

from dataclasses import dataclass

from variant_index.errors import printable
from variant_index.markers.expression import MarkerError
from variant_index.markers.requirement import WheelVariant, settle_requirement
from variant_index.wheel.headers import header_block

__all__ = ["MarkerDecision", "SettledMetadata", "has_markers", "settle_metadata"]

_MARK = b"variant_"
_MAX_MARKED_BYTES = 1 << 18
_REQUIRES = b"requires-dist:"


@dataclass(frozen=True, slots=True)
class MarkerDecision:
    """What became of one requirement with variant markers.

    Attributes:
        requirement: as the wheel has it, in one line.
        becomes: the requirement with what is left of its marker; None when it does not apply to the wheel.
    """

    requirement: str
    becomes: str | None


@dataclass(frozen=True, slots=True)
class SettledMetadata:
    """METADATA without variant markers.

    Attributes:
        content: its bytes; the very object that there was when it had none.
        decisions: what became of the requirements that had one, in order.
    """

    content: bytes
    decisions: tuple[MarkerDecision, ...] = ()


def has_markers(metadata: bytes) -> bool:
    """Tell whether METADATA has variant markers, be they such that can be decided or not."""
    try:
        return bool(settle_metadata(metadata, WheelVariant()).decisions)
    except MarkerError:
        return True


def settle_metadata(metadata: bytes, variant: WheelVariant) -> SettledMetadata:
    """Decide the variant markers of METADATA for one wheel.

    Args:
        metadata: the content of METADATA.
        variant: the wheel that it is in.

    Raises:
        MarkerError: a requirement with a variant marker cannot be decided.
    """
    head = header_block(metadata)
    if _MARK not in head:
        return SettledMetadata(metadata)
    decisions: list[MarkerDecision] = []
    kept: list[bytes] = []
    left = _MAX_MARKED_BYTES
    for lines in _folded(head):
        decision = _decide_header(lines, variant)
        if decision is None:
            kept += lines
            continue
        left -= sum(map(len, lines))
        if left < 0:
            raise MarkerError(f"more than {_MAX_MARKED_BYTES >> 10} KB of requirements have variant markers")
        decisions.append(decision)
        if decision.becomes is not None:
            kept.append(lines[0][: len(_REQUIRES)] + b" " + decision.becomes.encode() + _line_end(lines[-1]))
    if not decisions:
        return SettledMetadata(metadata)
    return SettledMetadata(b"".join(kept) + metadata[len(head) :], tuple(decisions))


def _folded(head: bytes) -> list[list[bytes]]:
    """Return the headers, each with the lines that continue it; line ends stay."""
    headers: list[list[bytes]] = []
    for line in head.split(b"\n"):
        whole = line + b"\n"
        if line[:1] in (b" ", b"\t") and headers:
            headers[-1].append(whole)
        else:
            headers.append([whole])
    # Behind the last line end stands an empty piece, or a line that has none.
    last = headers[-1].pop()[:-1]
    headers[-1] += [last] if last else []
    return headers


def _decide_header(lines: list[bytes], variant: WheelVariant) -> MarkerDecision | None:
    """Decide one header, None for one without variant markers."""
    if not lines or not lines[0].lower().startswith(_REQUIRES) or not any(_MARK in line for line in lines):
        return None
    value = b" ".join(line.strip() for line in (lines[0][len(_REQUIRES) :], *lines[1:]))
    try:
        requirement = value.decode("utf-8")
    except UnicodeDecodeError:
        raise MarkerError(f"requirement {printable(repr(value))} is not UTF-8") from None
    becomes = settle_requirement(requirement, variant)
    return None if becomes == requirement else MarkerDecision(requirement, becomes)


def _line_end(line: bytes) -> bytes:
    return b"\r\n" if line.endswith(b"\r\n") else b"\n" if line.endswith(b"\n") else b""
