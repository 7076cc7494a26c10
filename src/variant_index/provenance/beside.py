"""Finds the attestations that lie beside a file."""

from __future__ import annotations

from pathlib import Path

from variant_index.errors import printable
from variant_index.provenance.attestation import MAX_OBJECT_BYTES, ProvenanceError

__all__ = ["SUFFIXES", "read_beside"]

SUFFIXES = (".provenance", ".publish.attestation")
"""What is added to a file's name: a provenance object, else one attestation as publishing tools write it."""


def read_beside(path: Path) -> tuple[Path, bytes] | None:
    """Return the object beside a file and its bytes, which are not looked at; None when there is none.

    Raises:
        ProvenanceError: it cannot be read.
    """
    for suffix in SUFFIXES:
        place = f"{path}{suffix}"
        try:
            # Most wheels have neither, and a Path each would take longer than finding that out.
            with open(place, "rb") as file:  # noqa: PTH123
                return Path(place), file.read(MAX_OBJECT_BYTES + 1)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise ProvenanceError(f"{printable(place)}: {error.strerror}") from None
    return None
