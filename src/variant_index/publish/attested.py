"""Refuses files that are not shown to come from who may build them, by a policy of the user's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from variant_index.errors import printable
from variant_index.model.rules import RULES
from variant_index.provenance.attestation import ProvenanceError, parse_provenance
from variant_index.provenance.beside import SUFFIXES
from variant_index.provenance.objects import claim_of, with_publishers
from variant_index.provenance.policy import Publisher, trusted_for
from variant_index.provenance.verify import require_sigstore, verify_attestations
from variant_index.publish.find import FileState
from variant_index.publish.reading import Reading
from variant_index.publish.release import FoundSource, FoundWheel, Refusal, release_of
from variant_index.publish.scan import Reader

__all__ = ["require_attested", "verifying_reader"]

_RULE = "REL010"


def verifying_reader(reader: Reader, policy: Sequence[Publisher]) -> Reader:
    """Return a reader that refuses, of what it reads, files that do not come from who may build them.

    Raises:
        MissingSigstoreError: sigstore is not installed.
    """
    require_sigstore()

    def read(files: Sequence[FileState], staging: Path | None) -> Iterator[Reading]:
        for reading in reader(files, staging):
            yield require_attested(reading, policy)

    return read


def require_attested(reading: Reading, policy: Sequence[Publisher]) -> Reading:
    """Return what was read of a file, refused unless all its attestations hold, and it has one.

    An object that named nobody as its publisher names then who was found to have signed.

    Args:
        reading: a file that was read; sidecars and refused files stay as they are.
        policy: who may build which projects.
    """
    found = reading.found
    release = release_of(reading.path.name)
    if reading.refusals or not isinstance(found, (FoundWheel, FoundSource)) or release is None:
        return reading
    try:
        if found.provenance is None:
            names = " or ".join(found.name + suffix for suffix in SUFFIXES)
            raise ProvenanceError(f"has no attestation, beside it or in its upload ({printable(names, 600)})")
        attestations = parse_provenance(found.provenance, found.name)
        trusted = trusted_for(release[0], policy)
        verified = verify_attestations(attestations, found.name, reading.sha256, trusted)
    except ProvenanceError as error:
        reason = f"{printable(str(reading.path))}: {error}; {RULES[_RULE].remedy}"
        return replace(reading, refusals=(Refusal(release, reason, _RULE, str(reading.path)),))
    claims = [claim_of(one.publisher.issuer, one.identity) for one in verified]
    return replace(reading, found=replace(found, provenance=with_publishers(found.provenance, claims)))
