"""With an attestation that PyPI serves: real signatures, checked without network."""

from __future__ import annotations

import base64
import json
import socket
from dataclasses import replace
from typing import Any

import pytest

from tests.variant_index.provenance.test_attestation import DATA
from variant_index.provenance.attestation import Attestation, ProvenanceError, parse_provenance
from variant_index.provenance.policy import Publisher
from variant_index.provenance.verify import verify_attestations

NAME = "pypi_attestations-0.0.19.tar.gz"
SHA = "9bb1add04b1b4e182be6b0b80931593f7a291eb49d69b4fd728a5d4cbcdc4bd3"
REPOSITORY = "https://github.com/trailofbits/pypi-attestations"
WORKFLOW = f"{REPOSITORY}/.github/workflows/release.yml@refs/tags/v0.0.19"


def publisher(**other: str) -> Publisher:
    known = {} if "identity" in other else {"repository": REPOSITORY, "workflow": "release.yml"}
    return Publisher.model_validate({"projects": ["*"], **known, **other})


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("no network is needed")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def attestation() -> Attestation:
    (only,) = parse_provenance(DATA.read_bytes(), "x")
    return only


def verify(attestation: Attestation, *trusted: Publisher, name: str = NAME, sha256: str = SHA) -> str:
    (verified,) = verify_attestations([attestation], name, sha256, trusted)
    return str(verified.publisher)


@pytest.mark.parametrize(
    "trusted",
    [
        publisher(),
        Publisher(projects=["*"], repository=REPOSITORY),
        publisher(identity=WORKFLOW),
    ],
)
def test_a_good_attestation_holds(attestation: Attestation, trusted: Publisher) -> None:
    assert verify(attestation, trusted) == str(trusted)
    assert verify(attestation, publisher(workflow="other.yml"), trusted) == str(trusted), "one is enough"


@pytest.mark.parametrize(
    "trusted",
    [
        publisher(workflow="other.yml"),
        publisher(workflow="release.ym"),
        publisher(repository="https://github.com/evil/pypi-attestations"),
        Publisher(projects=["*"], repository="https://github.com/evil/pypi-attestations"),
        Publisher(projects=["*"], repository="https://github.com/trailofbits/pypi"),
        publisher(issuer="https://evil.example.org"),
        publisher(identity=WORKFLOW.replace("0.0.19", "0.0.18")),
        publisher(identity=WORKFLOW, issuer="https://evil.example.org"),
    ],
)
def test_of_somebody_else_it_does_not(attestation: Attestation, trusted: Publisher) -> None:
    with pytest.raises(ProvenanceError, match=r"^not signed by "):
        verify(attestation, trusted)


def test_it_holds_for_its_file_only(attestation: Attestation) -> None:
    with pytest.raises(ProvenanceError, match="another file"):
        verify(attestation, publisher(), name="pypi_attestations-0.0.20.tar.gz")
    with pytest.raises(ProvenanceError, match="other bytes"):
        verify(attestation, publisher(), sha256="0" * 64)


def test_a_changed_statement_does_not_hold(attestation: Attestation) -> None:
    payload = json.loads(base64.b64decode(attestation.statement))
    payload["subject"][0]["digest"]["sha256"] = "0" * 64
    forged = base64.b64encode(json.dumps(payload).encode()).decode()
    with pytest.raises(ProvenanceError, match=r"^not signed by "):
        verify(replace(attestation, statement=forged), publisher(), sha256="0" * 64)


@pytest.mark.parametrize(
    "broken",
    [
        {"certificate": "AAAA"},
        {"log_entries": ()},
        {"log_entries": ({},)},
        {"log_entries": ({"logIndex": "x"},)},
        {"signature": "AAAA"},
        {"statement": "AAAA"},
    ],
)
def test_broken_material_does_not_hold(attestation: Attestation, broken: dict[str, Any]) -> None:
    with pytest.raises(ProvenanceError) as caught:
        verify(replace(attestation, **broken), publisher())
    assert "\n" not in str(caught.value)


def test_nobody_may_build_what_the_policy_does_not_name(attestation: Attestation) -> None:
    with pytest.raises(ProvenanceError, match="names nobody who may build this project"):
        verify(attestation)


def test_every_attestation_has_to_hold(attestation: Attestation) -> None:
    both = [attestation, replace(attestation, signature="AAAA")]
    with pytest.raises(ProvenanceError):
        verify_attestations(both, NAME, SHA, [publisher()])
    assert len(verify_attestations([attestation] * 2, NAME, SHA, [publisher()])) == 2
