from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from variant_index.provenance.attestation import (
    MAX_OBJECT_BYTES,
    Attestation,
    ProvenanceError,
    check_binding,
    parse_provenance,
)

DATA = Path(__file__).parent / "data" / "pypi_attestations-0.0.19.tar.gz.provenance"
PUBLISH = "https://docs.pypi.org/attestations/publish/v1"
NAME = "demo-1.0-cp312-cp312-manylinux_2_28_x86_64.manylinux2014_x86_64-cu126.whl"
SHA = "0" * 64


def statement(name: str = NAME, sha256: str = SHA, **other: Any) -> bytes:
    content: dict[str, Any] = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": sha256}}],
        "predicateType": PUBLISH,
        "predicate": None,
    }
    return json.dumps({**content, **other}).encode()


def published() -> dict[str, Any]:
    content = json.loads(DATA.read_bytes())
    assert isinstance(content, dict)
    return content


def test_reads_what_pypi_serves_and_what_publishing_tools_write() -> None:
    (whole,) = parse_provenance(DATA.read_bytes(), "x")
    single = published()["attestation_bundles"][0]["attestations"][0]
    assert parse_provenance(json.dumps(single).encode(), "x") == (whole,)
    assert json.loads(base64.b64decode(whole.statement))["predicateType"] == PUBLISH
    bundle = json.loads(whole.bundle())
    assert bundle["dsseEnvelope"]["payload"] == whole.statement


def _changed(path: list[str | int], value: Any) -> bytes:
    content = published()
    place: Any = content
    for key in path[:-1]:
        place = place[key]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return json.dumps(content).encode()


_FIRST: list[str | int] = ["attestation_bundles", 0, "attestations", 0]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "the text is not a JSON object"),
        (b'{"version": 1, "version": 1}', "a key appears twice"),
        (b" " * (MAX_OBJECT_BYTES + 1), "larger than"),
        (_changed(["version"], 2), "its version is not 1"),
        (_changed(["attestation_bundles"], {}), "its bundles are not a list"),
        (_changed(["attestation_bundles"], []), "has 0 attestations"),
        (_changed([*_FIRST[:-1]], [{}] * 33), "has 33 attestations, not 1 to 32"),
        (_changed([*_FIRST, "version"], 2), "an attestation's version is not 1"),
        (_changed([*_FIRST, "envelope"], None), "envelope is not a JSON object"),
        (_changed([*_FIRST, "envelope", "signature"], "YW%Jj"), "its signature is not base64"),
        (_changed([*_FIRST, "verification_material", "certificate"], ""), "its certificate is not base64"),
        (_changed([*_FIRST, "verification_material", "transparency_entries"], None), "are not a list"),
        (_changed([*_FIRST, "verification_material", "transparency_entries"], [1]), "is not a JSON object"),
    ],
)
def test_refuses_objects_that_are_broken(data: bytes, problem: str) -> None:
    with pytest.raises(ProvenanceError, match=f"^a\\\\x1bb: .*{problem}") as caught:
        parse_provenance(data, "a\x1bb")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        NAME,
        "Demo-1.0.0-cp312-cp312-manylinux2014_x86_64.manylinux_2_28_x86_64-cu126.whl",
    ],
)
def test_a_statement_about_the_variant(name: str) -> None:
    assert check_binding(statement(name), NAME, SHA) == PUBLISH


@pytest.mark.parametrize(
    "name",
    [
        NAME.replace("cu126", "cu128"),
        NAME.replace("-cu126", ""),
        NAME.replace("1.0", "1.1"),
        NAME.replace("demo-1.0", "demo-1.0-1"),
        NAME.replace("cp312-cp312", "cp312-abi3"),
        NAME.replace(".manylinux2014_x86_64", ""),
        NAME.replace("demo", "dem_o"),
        f"x/{NAME}",
        "",
        "\x1b[31m",
    ],
)
def test_a_statement_about_another_file(name: str) -> None:
    with pytest.raises(ProvenanceError, match="another file") as caught:
        check_binding(statement(name), NAME, SHA)
    assert "\x1b" not in str(caught.value)


def test_versions_are_compared_as_versions() -> None:
    assert check_binding(statement(NAME.replace("1.0", "1.0.0")), NAME, SHA)


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        (statement(sha256="1" * 64), "other bytes"),
        (statement(subject=[]), "about 0 files"),
        (statement(subject=[{"name": NAME, "digest": {"sha256": SHA}}] * 2), "about 2 files"),
        (statement(subject=[{"name": NAME, "digest": {}}]), "other bytes"),
        (statement(subject=[{"name": 1, "digest": {"sha256": SHA}}]), "about '1', another file"),
        (statement(subject="x"), "subjects are not a list"),
        (statement(predicateType="https://example.org/other"), "none of PyPI's publish or SLSA's"),
        (statement(_type="https://in-toto.io/Statement/v0.1"), "none of PyPI's publish or SLSA's"),
        (b"x", "not JSON"),
    ],
)
def test_statements_that_prove_nothing(payload: bytes, problem: str) -> None:
    with pytest.raises(ProvenanceError, match=problem):
        check_binding(payload, NAME, SHA)


def test_a_source_distribution_is_bound_by_its_exact_name() -> None:
    assert check_binding(statement("demo-1.0.tar.gz"), "demo-1.0.tar.gz", SHA)
    with pytest.raises(ProvenanceError, match="another file"):
        check_binding(statement("Demo-1.0.tar.gz"), "demo-1.0.tar.gz", SHA)


@given(
    st.permutations(["linux_x86_64", "manylinux1_x86_64", "manylinux2010_x86_64"]),
    st.text("abc01_.", max_size=4),
)
def test_names_are_one_when_all_their_parts_are(order: list[str], label: str) -> None:
    name = f"demo-1.0-py2.py3-none-{'.'.join(order)}-x.whl"
    same = "demo-1.0-py3.py2-none-linux_x86_64.manylinux1_x86_64.manylinux2010_x86_64-x.whl"
    assert check_binding(statement(name), same, SHA)
    if label not in ("x", ""):
        with pytest.raises(ProvenanceError):
            check_binding(statement(name), same.replace("-x.whl", f"-{label}.whl"), SHA)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with pytest.raises(ProvenanceError):
        parse_provenance(data, "x")
    with pytest.raises(ProvenanceError):
        check_binding(data, NAME, SHA)


def test_nothing_is_lost_in_the_bundle() -> None:
    bundle = json.loads(Attestation("Y2VydA==", ({"a": 1},), "cGF5", "c2ln").bundle())
    assert bundle["verificationMaterial"] == {
        "certificate": {"rawBytes": "Y2VydA=="},
        "tlogEntries": [{"a": 1}],
    }
    assert bundle["dsseEnvelope"]["signatures"] == [{"sig": "c2ln"}]
