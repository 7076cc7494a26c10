from __future__ import annotations

import json
from typing import Any

import pytest

from tests.variant_index.provenance.test_attestation import DATA, published
from variant_index.provenance.attestation import MAX_OBJECT_BYTES, ProvenanceError, parse_provenance
from variant_index.provenance.objects import (
    UNVERIFIED,
    attestations_object,
    claim_of,
    provenance_object,
    with_publishers,
)
from variant_index.provenance.policy import GITHUB_ISSUER

ONE = published()["attestation_bundles"][0]["attestations"][0]


def dump(content: Any) -> bytes:
    return json.dumps(content).encode()


def test_an_object_stays_as_it_is() -> None:
    assert provenance_object(DATA.read_bytes(), "x") == DATA.read_bytes()


def test_attestations_become_an_object_that_names_nobody() -> None:
    wanted = {"version": 1, "attestation_bundles": [{"publisher": UNVERIFIED, "attestations": [ONE]}]}
    assert json.loads(provenance_object(dump(ONE), "x")) == wanted
    assert json.loads(attestations_object(dump([ONE]), "x")) == wanted
    assert len(parse_provenance(attestations_object(dump([ONE, ONE]), "x"), "x")) == 2


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'[{"version": 1, "version": 1}]', "a key appears twice"),
        (dump(ONE), "not a list"),
        (dump([]), "0 attestations"),
        (dump([ONE] * 33), "33 attestations"),
        (dump([1]), "an attestation is not a JSON object"),
        (dump([{**ONE, "version": 2}]), "version is not 1"),
        (dump([{**ONE, "envelope": {"statement": "%", "signature": "AAAA"}}]), "statement is not base64"),
        (dump([{**ONE, "more": "x" * MAX_OBJECT_BYTES}]), "larger than"),
    ],
)
def test_what_is_no_list_of_attestations(data: bytes, problem: str) -> None:
    with pytest.raises(ProvenanceError, match=rf"^field: .*{problem}"):
        attestations_object(data, "field")


def test_who_signed_is_named_where_nobody_was() -> None:
    named = published()["attestation_bundles"][0]
    content = {
        "version": 1,
        "attestation_bundles": [named, {"publisher": UNVERIFIED, "attestations": [ONE, ONE]}],
    }
    signers = [{"kind": "first"}, {"kind": "second"}, {"kind": "third"}]
    made = with_publishers(dump(content), signers)
    assert json.loads(made) == {
        "version": 1,
        "attestation_bundles": [
            named,
            {"publisher": {"kind": "second"}, "attestations": [ONE]},
            {"publisher": {"kind": "third"}, "attestations": [ONE]},
        ],
    }
    assert len(parse_provenance(made, "x")) == 3
    assert with_publishers(DATA.read_bytes(), signers[:1]) == DATA.read_bytes()


def test_claims() -> None:
    # The shape of what PyPI serves.
    told = published()["attestation_bundles"][0]["publisher"]
    workflow = f"https://github.com/{told['repository']}/.github/workflows/{told['workflow']}@refs/tags/v1@x"
    claim = claim_of(GITHUB_ISSUER, workflow)
    assert claim == {key: told[key] for key in ("kind", "repository", "workflow")}
    for issuer, identity in (
        ("https://evil.example", workflow),
        (GITHUB_ISSUER, "https://github.com/a/b"),
        (GITHUB_ISSUER, f"x{workflow}"),
        ("https://accounts.example", "release@acme.example"),
    ):
        assert claim_of(issuer, identity) == {
            "kind": "Sigstore",
            "claims": {"issuer": issuer, "identity": identity},
        }
