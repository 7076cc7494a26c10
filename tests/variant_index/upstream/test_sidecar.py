from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.version import Version

from tests.making import NVIDIA_PROVIDER
from tests.variant_index.shim.family import DOCUMENT, LABELS, NAME, SIDECAR, cuda_machine, write_sidecar
from tests.variant_index.upstream.fake_index import FakeIndex, Route
from variant_index.model.document import MAX_DOCUMENT_BYTES
from variant_index.model.filename import WheelFilename
from variant_index.selection.ordering import rank_labels
from variant_index.simple_api.page import ProjectFile
from variant_index.upstream.network import Network, UnreachableError
from variant_index.upstream.releases import Release
from variant_index.upstream.sidecar import MAX_DOCUMENTS, Documents, SidecarReader

GOOD = json.dumps(DOCUMENT).encode()


@pytest.fixture
def index() -> Iterator[FakeIndex]:
    with FakeIndex() as index:
        yield index


def listed(index: FakeIndex, data: bytes = GOOD) -> ProjectFile:
    index.routes[f"/{SIDECAR}"] = Route(data)
    return ProjectFile(SIDECAR, f"{index.root}/{SIDECAR}", {"sha256": hashlib.sha256(data).hexdigest()})


def read(*sidecars: ProjectFile, version: str = "2.0") -> Documents:
    release = Release(NAME, Version(version), sidecars=list(sidecars))
    return SidecarReader(Network()).read([release])


def test_a_good_document(index: FakeIndex) -> None:
    documents = read(listed(index))
    assert list(documents.by_version[Version("2.0")].variants) == ["cu126", "cu128", "cu130", "null"]
    assert documents.problems == ()


def test_an_older_generation_is_read_as_well(index: FakeIndex) -> None:
    nvidia = {**NVIDIA_PROVIDER, "enable-if": "platform_system == 'Linux'"}
    older = {
        **DOCUMENT,
        "$schema": "https://variants-schema.wheelnext.dev/v0.0.2.json",
        "default-priorities": {"namespace": ["nvidia"]},
        "providers": {"nvidia": nvidia},
    }
    documents = read(listed(index, json.dumps(older).encode()))
    assert documents.problems == ()
    read_older = documents.by_version[Version("2.0")]
    assert read_older.variants == read(listed(index)).by_version[Version("2.0")].variants
    assert rank_labels(read_older, cuda_machine("12.8").properties) == ["cu128", "cu126", "null"]


def test_a_document_that_misses_a_label_is_not_used(index: FakeIndex) -> None:
    file = listed(index)
    labels = ("cu128", "cu999", "")
    wheels = {WheelFilename(NAME, "2.0", "", "py3", "none", "any", label): file for label in labels}
    release = Release(NAME, Version("2.0"), wheels=wheels, sidecars=[file])
    documents = SidecarReader(Network()).read([release])
    assert documents.by_version == {}
    assert documents.problems == (
        f"variants of {NAME} 2.0 are ignored: {SIDECAR} misses the label cu999 of its wheels",
    )


def test_a_label_that_only_the_older_form_can_hold_is_not_missing(index: FakeIndex) -> None:
    unknown = {"unknown": {"of": ["2.9"]}}
    abi = {"abi_dependency": {"torch": ["2.9"]}}
    older = {
        **DOCUMENT,
        "$schema": "https://variants-schema.wheelnext.dev/v0.0.2.json",
        "variants": {**LABELS, "torch29": abi, "other": unknown},
    }
    file = listed(index, json.dumps(older).encode())
    labels = ("torch29", "other")
    wheels = {WheelFilename(NAME, "2.0", "", "py3", "none", "any", label): file for label in labels}
    release = Release(NAME, Version("2.0"), wheels=wheels, sidecars=[file])
    documents = SidecarReader(Network()).read([release])
    assert documents.problems == ()
    variants = documents.by_version[Version("2.0")].variants
    assert "other" not in variants
    assert "torch29" in variants  # installers answer for that namespace themselves


def test_other_strong_hashes_and_upper_case_digits(index: FakeIndex) -> None:
    entry = replace(listed(index), hashes={"sha512": hashlib.sha512(GOOD).hexdigest().upper()})
    assert read(entry).by_version


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"not json", "not JSON"),
        (b"{}", "is missing"),
        (b"[" * 100_000, "SIDECAR"),
        (b'{"variants": {}}'.ljust(MAX_DOCUMENT_BYTES + 1), "sends more than 1 MB"),
        (b"\xff\xfe", "SIDECAR"),
    ],
)
def test_bad_content_leaves_the_release_without_document(index: FakeIndex, data: bytes, rule: str) -> None:
    documents = read(listed(index, data))
    assert not documents.by_version
    (problem,) = documents.problems
    assert problem.startswith("variants of vtorch 2.0 are ignored: ")
    assert (SIDECAR if rule == "SIDECAR" else rule) in problem
    assert problem.isprintable()


def test_the_listed_hash_is_checked(index: FakeIndex) -> None:
    entry = replace(listed(index), hashes={"sha256": "0" * 64})
    assert "does not have the sha256 that its index lists" in read(entry).problems[0]


def test_every_listed_strong_hash_is_checked(index: FakeIndex) -> None:
    entry = listed(index)
    entry = replace(entry, hashes={**entry.hashes, "sha512": "0" * 128})
    assert not read(entry).by_version


@pytest.mark.parametrize("hashes", [{}, {"md5": hashlib.md5(GOOD).hexdigest()}])
def test_without_a_strong_hash_it_is_not_even_fetched(index: FakeIndex, hashes: dict[str, str]) -> None:
    entry = replace(listed(index), hashes=hashes)
    assert "without a SHA-256 hash" in read(entry).problems[0]
    assert not index.requests


def test_local_documents_need_no_hash(tmp_path: Path) -> None:
    path = write_sidecar(tmp_path)
    assert read(ProjectFile(SIDECAR, path.as_uri())).by_version
    assert "No such file" in read(ProjectFile(SIDECAR, (tmp_path / "gone.json").as_uri())).problems[0]
    path.write_bytes(bytes(MAX_DOCUMENT_BYTES + 1))
    assert "larger than 1 MB" in read(ProjectFile(SIDECAR, path.as_uri())).problems[0]


def test_listed_but_not_served(index: FakeIndex) -> None:
    entry = listed(index)
    index.routes[f"/{SIDECAR}"] = Route(status=404)
    assert "answered 404" in read(entry).problems[0]


@pytest.mark.parametrize("status", [401, 403])
def test_a_document_that_needs_a_login_is_no_reason_for_the_default_wheel(
    index: FakeIndex, status: int
) -> None:
    entry = listed(index)
    index.routes[f"/{SIDECAR}"] = Route(status=status)
    with pytest.raises(UnreachableError, match=f"answered {status}: "):
        read(entry)


def test_no_document_is_said() -> None:
    assert "lists no variants document" in read().problems[0]


def test_two_different_documents_are_not_guessed_between(index: FakeIndex) -> None:
    entry = listed(index)
    assert read(entry, entry).by_version
    other = replace(entry, hashes={"sha256": "0" * 64})
    assert "listed twice with different content" in read(entry, other).problems[0]


def test_one_bad_document_does_not_stop_the_others(index: FakeIndex) -> None:
    good = listed(index)
    releases = [
        Release(NAME, Version("1.0"), sidecars=[replace(good, hashes={"sha256": "0" * 64})]),
        Release(NAME, Version("2.0"), sidecars=[good]),
        Release(NAME, Version("3.0"), sidecars=[good]),
    ]
    documents = SidecarReader(Network()).read(releases)
    assert set(documents.by_version) == {Version("2.0"), Version("3.0")}
    assert len(documents.problems) == 1


def test_a_page_cannot_ask_for_endless_documents(index: FakeIndex) -> None:
    entry = replace(listed(index), hashes={})
    releases = [Release(NAME, Version(str(number)), sidecars=[entry]) for number in range(MAX_DOCUMENTS + 7)]
    problems = SidecarReader(Network()).read(releases).problems
    assert len(problems) == MAX_DOCUMENTS + 1
    assert "variants of 7 older releases are ignored" in problems[-1]


def test_a_server_that_is_down_is_no_bad_document(index: FakeIndex) -> None:
    entry = listed(index)
    index.routes[f"/{SIDECAR}"] = Route(status=500)
    with pytest.raises(UnreachableError, match=f"{SIDECAR} answered 500"):
        read(entry)
    index.routes[f"/{SIDECAR}"] = Route(GOOD, promised=len(GOOD) + 1)
    with pytest.raises(UnreachableError, match=SIDECAR):
        read(entry)
