"""Makes provenance objects, as indexes serve them, of attestations, as publishing tools write them; pure.

An object has to name the publisher of its attestations (PEP 740). As long as nobody has checked the
signatures, nobody is named: what a certificate says of itself proves nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from variant_index.errors import printable
from variant_index.provenance.attestation import ProvenanceError, parse_provenance, read_json
from variant_index.provenance.policy import GITHUB_ISSUER

__all__ = ["UNVERIFIED", "attestations_object", "claim_of", "provenance_object", "with_publishers"]

UNVERIFIED: Final[Mapping[str, Any]] = {"kind": "unverified"}
"""The publisher of attestations whose signatures were not looked at."""

_GITHUB = "https://github.com/"
_WORKFLOWS = "/.github/workflows/"


def provenance_object(data: bytes, source: str) -> bytes:
    """Return the provenance object for one attestation alone; an object that is one stays as it is.

    Args:
        data: the JSON text of either.
        source: the file, named in errors.

    Raises:
        ProvenanceError: it is neither.
    """
    parse_provenance(data, source)
    content = json.loads(data)
    return data if "attestation_bundles" in content else _object([content], UNVERIFIED)


def attestations_object(data: bytes, source: str) -> bytes:
    """Return the provenance object for a list of attestations, as an upload brings it (PEP 740).

    Args:
        data: the JSON text.
        source: what it is called in errors.

    Raises:
        ProvenanceError: it is no such list, or an empty one.
    """
    try:
        content = read_json(data)
        if not isinstance(content, list):
            raise ProvenanceError("not a list of attestations")
    except ProvenanceError as error:
        raise ProvenanceError(f"{printable(source)}: {error}") from None
    made = _object(content, UNVERIFIED)
    parse_provenance(made, source)
    return made


def with_publishers(data: bytes, publishers: Sequence[Mapping[str, Any]]) -> bytes:
    """Return a provenance object that names who was found to have signed, where it named nobody.

    Args:
        data: a provenance object that was read without errors.
        publishers: for each of its attestations, in their order, who signed it (`claim_of`).
    """
    content = json.loads(data)
    signers = iter(publishers)
    bundles: list[Mapping[str, Any]] = []
    for bundle in content["attestation_bundles"]:
        signed = [(next(signers), one) for one in bundle["attestations"]]
        if bundle.get("publisher") == UNVERIFIED:
            bundles += [{"publisher": signer, "attestations": [one]} for signer, one in signed]
        else:
            bundles.append(bundle)
    return (
        data
        if bundles == content["attestation_bundles"]
        else _dump({**content, "attestation_bundles": bundles})
    )


def claim_of(issuer: str, identity: str) -> Mapping[str, Any]:
    """Return how a provenance object names a signer, as PyPI does for GitHub's workflows.

    Args:
        issuer: who vouches for the identity.
        identity: the identity in the certificate, which was found to be true.
    """
    place, _, _ = identity.partition("@")
    repository, found, workflow = place.removeprefix(_GITHUB).partition(_WORKFLOWS)
    if issuer == GITHUB_ISSUER and place.startswith(_GITHUB) and found:
        return {"kind": "GitHub", "repository": repository, "workflow": workflow}
    return {"kind": "Sigstore", "claims": {"issuer": issuer, "identity": identity}}


def _object(attestations: Sequence[Any], publisher: Mapping[str, Any]) -> bytes:
    bundle = {"publisher": publisher, "attestations": attestations}
    return _dump({"version": 1, "attestation_bundles": [bundle]})


def _dump(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()
