"""Finding and reading the input: one bad file is a refusal of its release and stops nothing."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.making import make_wheel
from tests.variant_index.publish.family import CU128, make_variant
from variant_index.model.document import MAX_DOCUMENT_BYTES
from variant_index.publish import scan as scanning
from variant_index.publish.find import InputPathError, find_files
from variant_index.publish.release import release_of
from variant_index.publish.scan import scan


def test_folders_are_searched_for_what_an_index_is_made_of(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "in" / "deep", "a-1-py3-none-any.whl")
    named = make_wheel(tmp_path / "elsewhere", "b-1-py3-none-any.whl")
    (tmp_path / "in" / "a-1.tar.gz").write_bytes(b"x")
    (tmp_path / "in" / "a-1-variants.json").write_bytes(b"{}")
    (tmp_path / "in" / "notes.txt").write_bytes(b"")
    make_wheel(tmp_path / "in" / ".cache", "hidden-1-py3-none-any.whl")
    make_wheel(tmp_path / "in" / "site" / "simple", "published-1-py3-none-any.whl")
    (tmp_path / "in" / "deep" / "loop").symlink_to(tmp_path / "in")
    found = find_files([tmp_path / "in", named, wheel], exclude=tmp_path / "in" / "site")
    assert [path.name for path in found] == [
        "a-1-py3-none-any.whl",
        "a-1-variants.json",
        "a-1.tar.gz",
        "b-1-py3-none-any.whl",
    ]


@pytest.mark.parametrize("name", ["missing", "notes.txt"])
def test_a_path_that_cannot_be_input(tmp_path: Path, name: str) -> None:
    (tmp_path / "notes.txt").write_bytes(b"")
    with pytest.raises(InputPathError, match=name):
        find_files([tmp_path / name])


def test_what_a_wheel_says_and_hashes_to(tmp_path: Path) -> None:
    path = make_variant(tmp_path, "a-1-py3-none-any-cu128.whl", CU128)
    plain = make_wheel(tmp_path, "a-1-py3-none-any.whl", requires_python=">=3.8")
    source = tmp_path / "a-1.tar.gz"
    source.write_bytes(b"source")
    found = scan(find_files([tmp_path]))
    assert [wheel.name for wheel in found.wheels] == [path.name, plain.name]
    variant, default = found.wheels
    assert variant.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert variant.size == path.stat().st_size
    assert variant.document is not None
    assert list(variant.document.variants) == ["cu128"]
    assert (default.requires_python, default.document) == (">=3.8", None)
    assert b"Requires-Python: >=3.8" in default.metadata
    assert found.sources[0].sha256 == hashlib.sha256(b"source").hexdigest()


def test_big_files_are_hashed_beside_each_other_with_the_same_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_variant(tmp_path, "a-1-py3-none-any-cu128.whl", CU128)
    expected = scan(find_files([tmp_path]))
    monkeypatch.setattr(scanning, "_BIG", 0)
    assert scan(find_files([tmp_path])) == expected


def test_a_bad_file_is_refused_and_the_others_are_read(tmp_path: Path) -> None:
    make_wheel(tmp_path, "a-1-py3-none-any.whl")
    (tmp_path / "a-2-py3-none-any.whl").write_bytes(b"no archive")
    (tmp_path / "B.c-1-py3-none-any-CU128.whl").write_bytes(b"")
    (tmp_path / "not a wheel.whl").write_bytes(b"")
    (tmp_path / "gone-1-py3-none-any.whl").symlink_to(tmp_path / "nowhere")
    (tmp_path / "a-x-variants.json").write_bytes(b"")
    (tmp_path / "noversion.tar.gz").write_bytes(b"")
    (tmp_path / "big-1-variants.json").write_bytes(b" " * (MAX_DOCUMENT_BYTES + 1))
    make_wheel(tmp_path, "d-1.x-py3-none-any.whl")
    found = scan(find_files([tmp_path]))
    assert [wheel.name for wheel in found.wheels] == ["a-1-py3-none-any.whl"]
    refused = {refusal.reason.split(":")[0].rpartition("/")[2]: refusal.release for refusal in found.refusals}
    assert refused == {
        "a-2-py3-none-any.whl": ("a", "2"),
        "B.c-1-py3-none-any-CU128.whl": ("b-c", "1"),
        "not a wheel.whl": None,
        "gone-1-py3-none-any.whl": ("gone", "1"),
        "noversion.tar.gz": None,
        "big-1-variants.json": ("big", "1"),
        "a-x-variants.json": None,
        "d-1.x-py3-none-any.whl": None,
    }
    assert all(refusal.reason.isprintable() for refusal in found.refusals)


def test_a_name_twice_counts_once_or_is_refused(tmp_path: Path) -> None:
    make_wheel(tmp_path / "x", "a-1-py3-none-any.whl")
    make_wheel(tmp_path / "y", "a-1-py3-none-any.whl")
    found = scan(find_files([tmp_path]))
    assert len(found.wheels) == 1
    assert not found.refusals
    make_wheel(tmp_path / "z", "a-1-py3-none-any.whl", requires_dist=["b"])
    (refusal,) = scan(find_files([tmp_path])).refusals
    assert refusal.release == ("a", "1")
    assert "same name and other bytes" in refusal.reason


@pytest.mark.parametrize(
    ("filename", "release"),
    [
        ("Foo.Bar-1.0-py3-none-any.whl", ("foo-bar", "1.0")),
        ("foo_bar-1.0-RC-none.whl", ("foo-bar", "1.0")),
        ("foo_bar-1.0rc1-variants.json", ("foo-bar", "1.0rc1")),
        ("foo-bar-1.0.tar.gz", ("foo-bar", "1.0")),
        ("torch-2.9.0+cu126-cp312-cp312-linux_x86_64.whl", ("torch", "2.9.0+cu126")),
        ("foo-x-py3-none-any.whl", None),
        ("foo.whl", None),
        ("-1.whl", None),
        ("<b>-1-py3-none-any.whl", None),
        ("foo-1.0.zip", None),
    ],
)
def test_release_of(filename: str, release: tuple[str, str] | None) -> None:
    assert release_of(filename) == release
