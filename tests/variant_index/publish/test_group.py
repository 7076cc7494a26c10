"""Releases are complete and consistent, or refused as a whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.making import document, make_wheel
from tests.variant_index.publish.family import CU128, CU130, make_family, make_variant
from variant_index.publish.find import find_files
from variant_index.publish.group import group_releases
from variant_index.publish.release import Refusal, Release
from variant_index.publish.scan import scan


def group(folder: Path) -> tuple[list[Release], list[Refusal]]:
    return group_releases(scan(find_files([folder])))


def test_files_are_grouped_by_project_and_version(tmp_path: Path) -> None:
    make_family(tmp_path)
    make_wheel(tmp_path, "Other.Thing-1.0.0-py3-none-any.whl")
    (tmp_path / "other_thing-1.0.0.tar.gz").write_bytes(b"")
    releases, refusals = group(tmp_path)
    assert [release.key for release in releases] == [
        ("other-thing", "1.0.0"),
        ("vdemo", "1.0"),
        ("vdemo", "2.0"),
    ]
    assert not refusals
    assert [len(release.wheels) for release in releases] == [1, 1, 4]
    assert len(releases[0].sources) == 1
    assert releases[0].document is None
    assert list(releases[2].document.variants if releases[2].document else []) == ["cu128", "cu130", "null"]
    assert [wheel.filename.label for wheel in releases[2].variants] == ["cu128", "cu130", "null"]


def test_wheels_that_disagree_take_their_release_with_them_and_no_other(tmp_path: Path) -> None:
    make_family(tmp_path)
    make_variant(tmp_path, "vdemo-2.0-cp312-cp312-linux_x86_64-cu128.whl", CU130)
    releases, refusals = group(tmp_path)
    assert [release.key for release in releases] == [("vdemo", "1.0")]
    assert [refusal.release for refusal in refusals] == [("vdemo", "2.0")]
    assert "vdemo-2.0-cp312-cp312-linux_x86_64-cu128.whl" in refusals[0].reason
    assert "vdemo-2.0-py3-none-any-cu128.whl" in refusals[0].reason


def test_two_spellings_of_one_wheel_are_refused(tmp_path: Path) -> None:
    make_wheel(tmp_path, "vdemo-1.0-py3-none-any.whl")
    make_wheel(tmp_path, "VDemo-1.0-py3-none-any.whl")
    releases, (refusal,) = group(tmp_path)
    assert releases == []
    assert "VDemo-1.0-py3-none-any.whl and vdemo-1.0-py3-none-any.whl are two spellings" in refusal.reason


def test_one_bad_wheel_refuses_its_release_and_no_other(tmp_path: Path) -> None:
    make_family(tmp_path)
    (tmp_path / "vdemo-2.0-py3-none-any-cu129.whl").write_bytes(b"")
    releases, refusals = group(tmp_path)
    assert [release.key for release in releases] == [("vdemo", "1.0")]
    assert [refusal.release for refusal in refusals] == [("vdemo", "2.0")]


def test_a_sidecar_equal_to_ours_is_no_trouble(tmp_path: Path) -> None:
    make_family(tmp_path)
    labels = {"null": {}, "cu130": CU130, "cu128": CU128}
    (tmp_path / "vdemo-2.0-variants.json").write_text(json.dumps(document(labels)))
    releases, refusals = group(tmp_path)
    assert len(releases) == 2
    assert not refusals


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        (
            "vdemo-2.0-variants.json",
            json.dumps(document({"cu128": CU128, "cu130": CU130})),
            "misses label 'null'",
        ),
        (
            "vdemo-1.0-variants.json",
            json.dumps(document({"cu128": CU128})),
            "no wheel of the release has a label",
        ),
        (
            "vdemo-3.0-variants.json",
            json.dumps(document({"cu128": CU128})),
            "no wheel of the release has a label",
        ),
        ("vdemo-2.0-variants.json", "<html>", "vdemo-2.0-variants.json"),
        (
            "vdemo-2.0-variants.json",
            json.dumps(document({"cu128": CU128, "cu130": CU130, "null": {}})).replace(
                '"null": {}', '"null": {}, "null": {}'
            ),
            "twice",
        ),
        ("vdemo-2.0-variants.json", "[" * 10_000, "vdemo-2.0-variants.json"),
    ],
)
def test_a_sidecar_that_is_not_ours_refuses_its_release(
    tmp_path: Path, name: str, text: str, what: str
) -> None:
    make_family(tmp_path)
    (tmp_path / name).write_text(text)
    releases, refusals = group(tmp_path)
    (refusal,) = refusals
    assert refusal.release == ("vdemo", name.split("-")[1])
    assert what in refusal.reason
    assert name in refusal.reason
    assert refusal.reason.isprintable()
    assert refusal.release not in [release.key for release in releases]


def test_a_document_larger_than_installers_take_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_family(tmp_path)
    found = scan(find_files([tmp_path]))
    monkeypatch.setattr("variant_index.model.document.MAX_DOCUMENT_BYTES", 200)
    releases, refusals = group_releases(found)
    assert [release.key for release in releases] == [("vdemo", "1.0")]
    assert "larger than" in refusals[0].reason
