"""Files whose attestations have to hold, with a real one from PyPI, checked without network."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.variant_index.provenance.test_attestation import DATA
from tests.variant_index.provenance.test_verify import NAME, REPOSITORY, SHA, publisher
from tests.variant_index.publish.family import make_family
from variant_index.model.rules import RULES
from variant_index.provenance import verify
from variant_index.provenance.objects import UNVERIFIED, provenance_object
from variant_index.provenance.policy import Publisher
from variant_index.provenance.verify import MissingSigstoreError
from variant_index.publish.attested import require_attested, verifying_reader
from variant_index.publish.build import build_index
from variant_index.publish.find import FileState, state_of
from variant_index.publish.folder.store import FolderStore
from variant_index.publish.reading import Reading
from variant_index.publish.release import FoundSidecar, FoundSource
from variant_index.publish.scan import read_files

ALONE = json.dumps(json.loads(DATA.read_bytes())["attestation_bundles"][0]["attestations"][0]).encode()


def reading(provenance: bytes | None, sha256: str = SHA, name: str = NAME) -> Reading:
    path = Path("in", name)
    return Reading(path, sha256, FoundSource(path, name, 1, sha256, provenance=provenance))


def reason(checked: Reading) -> str:
    (refusal,) = checked.refusals
    assert refusal.release == ("pypi-attestations", checked.path.name.split("-")[1].removesuffix(".tar.gz"))
    return refusal.reason


def test_what_holds_is_taken_as_it_is() -> None:
    good = reading(DATA.read_bytes())
    assert require_attested(good, [publisher()]) == good


def test_who_signed_is_named_then() -> None:
    made = provenance_object(ALONE, "x")
    (bundle,) = json.loads(made)["attestation_bundles"]
    assert bundle["publisher"] == UNVERIFIED
    for trusted in (publisher(), Publisher(projects=["*"], repository=REPOSITORY)):
        found = require_attested(reading(made), [trusted]).found
        assert isinstance(found, FoundSource)
        assert found.provenance is not None
        (bundle,) = json.loads(found.provenance)["attestation_bundles"]
        assert bundle["publisher"] == {
            "kind": "GitHub",
            "repository": REPOSITORY.removeprefix("https://github.com/"),
            "workflow": "release.yml",
        }


def test_what_does_not_hold_is_refused() -> None:
    data = DATA.read_bytes()
    assert "in/" + NAME in reason(require_attested(reading(data), [publisher(workflow="other.yml")]))
    assert "not signed by" in reason(require_attested(reading(data), [publisher(workflow="other.yml")]))
    assert "names nobody" in reason(require_attested(reading(data), []))
    other = publisher().model_copy(update={"projects": ["other"]})
    assert "names nobody" in reason(require_attested(reading(data), [other]))
    assert "other bytes" in reason(require_attested(reading(data, "0" * 64), [publisher()]))
    renamed = reading(data, name=NAME.replace("19", "20"))
    assert "another file" in reason(require_attested(renamed, [publisher()]))
    bare = require_attested(reading(None), [publisher()])
    assert "has no attestation, beside it or in its upload" in reason(bare)
    assert RULES["REL010"].remedy in reason(bare)
    assert bare.refusals[0].rule == "REL010"


def test_other_readings_stay() -> None:
    sidecar = Reading(Path("x-1.0-variants.json"), found=FoundSidecar(Path("x"), b""))
    assert require_attested(sidecar, []) is sidecar
    refused = require_attested(reading(None), [])
    assert require_attested(refused, []) is refused


def test_nothing_unattested_is_published(tmp_path: Path) -> None:
    make_family(tmp_path / "in")
    build_index([tmp_path / "in"], tmp_path / "out", now="2026-01-01T00:00:00Z")
    before = FolderStore(tmp_path / "out").page("vdemo")
    make_family(tmp_path / "in", "more")
    calls: list[str] = []

    def reader(files: Sequence[FileState], staging: Path | None) -> Iterator[Reading]:
        calls.extend(file.name for file in files)
        return read_files(files, staging)

    report = build_index(
        [tmp_path / "in"],
        tmp_path / "out",
        now="2026-01-01T00:00:00Z",
        reader=verifying_reader(reader, [publisher()]),
    )
    assert len(report.refused) == len(calls) == 10
    assert all("no attestation" in refusal.reason for refusal in report.refused)
    store = FolderStore(tmp_path / "out")
    assert (store.page("vdemo"), store.page("more")) == (before, None)


def test_sigstore_is_asked_for_before_anything_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sigstore.verify", None)
    monkeypatch.setattr(verify, "_verifier", verify._verifier.__wrapped__)
    with pytest.raises(MissingSigstoreError, match="pip install"):
        verifying_reader(read_files, [publisher()])


def test_a_reader_yields_in_order(tmp_path: Path) -> None:
    make_family(tmp_path)
    states = [state_of(path) for path in sorted(tmp_path.iterdir())]
    read = list(verifying_reader(read_files, [publisher()])(states, None))
    assert [one.path.name for one in read] == [state.name for state in states]
