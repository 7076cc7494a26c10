"""METADATA with its variant markers decided: lines of requirements change, every other byte stays; pure."""

from __future__ import annotations

from variant_index.errors import printable
from variant_index.markers.expression import MarkerError
from variant_index.markers.requirement import WheelVariant, settle_requirement
from variant_index.wheel.headers import header_block

__all__ = ["has_markers", "settle_metadata"]

_MARK = b"variant_"
_MAX_MARKED_BYTES = 1 << 18
_REQUIRES = b"requires-dist:"


def has_markers(metadata: bytes) -> bool:
    """Tell whether METADATA has variant markers, be they such that can be decided or not."""
    try:
        return settle_metadata(metadata, WheelVariant()) is not metadata
    except MarkerError:
        return True


def settle_metadata(metadata: bytes, variant: WheelVariant) -> bytes:
    """Decide the variant markers of METADATA for one wheel.

    Args:
        metadata: the content of METADATA.
        variant: the wheel that it is in.

    Returns:
        The new content; `metadata` itself when it has no variant markers.

    Raises:
        MarkerError: a requirement with a variant marker cannot be decided.
    """
    head = header_block(metadata)
    if _MARK not in head:
        return metadata
    changed = False
    kept: list[bytes] = []
    left = _MAX_MARKED_BYTES
    for lines in _folded(head):
        settled = _settle_header(lines, variant)
        left -= sum(map(len, lines)) if settled is not lines else 0
        if left < 0:
            raise MarkerError(f"more than {_MAX_MARKED_BYTES >> 10} KB of requirements have variant markers")
        changed = changed or settled is not lines
        kept += settled
    return b"".join(kept) + metadata[len(head) :] if changed else metadata


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


def _settle_header(lines: list[bytes], variant: WheelVariant) -> list[bytes]:
    if not lines or not lines[0].lower().startswith(_REQUIRES) or not any(_MARK in line for line in lines):
        return lines
    end = b"\r\n" if lines[-1].endswith(b"\r\n") else b"\n" if lines[-1].endswith(b"\n") else b""
    value = b" ".join(line.strip() for line in (lines[0][len(_REQUIRES) :], *lines[1:]))
    try:
        requirement = value.decode("utf-8")
    except UnicodeDecodeError:
        raise MarkerError(f"requirement {printable(repr(value))} is not UTF-8") from None
    settled = settle_requirement(requirement, variant)
    if settled is None:
        return []
    if settled == requirement:
        return lines
    return [lines[0][: len(_REQUIRES)] + b" " + settled.encode() + end]
