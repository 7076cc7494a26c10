"""Checks the signatures of attestations with sigstore, offline: its trust root comes with the package."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from variant_index.errors import InputError, printable
from variant_index.provenance.attestation import Attestation, ProvenanceError, check_binding
from variant_index.provenance.policy import Publisher

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from sigstore.verify import Verifier
    from sigstore.verify.policy import VerificationPolicy

__all__ = ["MissingSigstoreError", "Verified", "require_sigstore", "verify_attestations"]


class MissingSigstoreError(InputError):
    """sigstore is not installed."""


@dataclass(frozen=True)
class Verified:
    """An attestation that holds.

    Attributes:
        kind: its predicate type.
        publisher: who of the policy made it.
        identity: the identity in the certificate.
    """

    kind: str
    publisher: Publisher
    identity: str


def verify_attestations(
    attestations: Iterable[Attestation], filename: str, sha256: str, trusted: Sequence[Publisher]
) -> tuple[Verified, ...]:
    """Check every attestation of a file: all must be signed by one of `trusted`, and be about this file.

    Takes about 2 ms each and touches no network.

    Raises:
        ProvenanceError: the first that does not hold, and why.
        MissingSigstoreError: sigstore is not installed.
    """
    verifier = _verifier()
    return tuple(_verify(verifier, one, filename, sha256, trusted) for one in attestations)


def require_sigstore() -> None:
    """Make sure that attestations can be verified.

    Raises:
        MissingSigstoreError: sigstore is not installed.
    """
    _verifier()


@lru_cache(maxsize=1)
def _verifier() -> Verifier:
    try:
        from sigstore.verify import Verifier
    except ImportError:
        raise MissingSigstoreError(
            "attestations are checked with sigstore: pip install 'torch-variant-provider[index,provenance]'"
        ) from None
    # It would say on stderr that it does what it is asked for.
    logging.getLogger("sigstore").setLevel(logging.ERROR)
    return Verifier.production(offline=True)


def _verify(
    verifier: Verifier, attestation: Attestation, filename: str, sha256: str, trusted: Sequence[Publisher]
) -> Verified:
    from sigstore.errors import VerificationError
    from sigstore.models import Bundle

    try:
        bundle = Bundle.from_json(attestation.bundle())
    except Exception as error:  # noqa: BLE001 - the parser below it raises what it likes on bad input
        raise ProvenanceError(f"an attestation cannot be read: {_reason(error)}") from None
    if not trusted:
        raise ProvenanceError("the policy names nobody who may build this project")
    reasons = []
    for publisher in trusted:
        try:
            _, payload = verifier.verify_dsse(bundle, _policy(publisher))
        except VerificationError as error:
            reasons.append(_reason(error))
            continue
        kind = check_binding(payload, filename, sha256)
        return Verified(kind, publisher, next(iter(_identities(bundle.signing_certificate)), ""))
    names = " or ".join(printable(str(publisher)) for publisher in trusted)
    raise ProvenanceError(f"not signed by {names}: {reasons[-1]}")


def _reason(error: Exception) -> str:
    return printable(" ".join(str(error).split()), 300)


def _policy(publisher: Publisher) -> VerificationPolicy:
    from sigstore.verify import policy

    if publisher.identity is not None:
        return policy.Identity(identity=publisher.identity, issuer=publisher.issuer)
    assert publisher.repository is not None
    conditions: list[VerificationPolicy] = [
        policy.OIDCIssuerV2(publisher.issuer),
        policy.OIDCSourceRepositoryURI(publisher.repository),
    ]
    if publisher.workflow is not None:
        conditions.append(_Workflow(f"{publisher.repository}/.github/workflows/{publisher.workflow}"))
    return policy.AllOf(conditions)


def _identities(cert: Certificate) -> list[str]:
    """Return the addresses and mail addresses that a certificate is for."""
    from cryptography.x509 import RFC822Name, SubjectAlternativeName, UniformResourceIdentifier

    names = cert.extensions.get_extension_for_class(SubjectAlternativeName).value
    return [*names.get_values_for_type(UniformResourceIdentifier), *names.get_values_for_type(RFC822Name)]


class _Workflow:
    """A sigstore policy: the certificate is that of this workflow, at any ref."""

    def __init__(self, workflow: str) -> None:
        self._workflow = workflow

    def verify(self, cert: Certificate) -> None:
        from sigstore.errors import VerificationError

        if any(name.partition("@")[0] == self._workflow for name in _identities(cert)):
            return
        raise VerificationError(f"the certificate is for another workflow than {self._workflow}")
