"""The same address in every run, and when not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from variant_index.shim.kept_endpoint import kept_endpoint

posix_only = pytest.mark.skipif(os.name != "posix", reason="POSIX file modes")


def address(folder: Path, name: str = "x") -> str:
    endpoint = kept_endpoint(folder, name)
    try:
        return endpoint.index_url
    finally:
        endpoint.listener.close()


def test_the_address_stays(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    first = address(folder)
    assert address(folder) == first
    assert address(folder, "y") != first
    assert address(folder) == first


def test_a_taken_port_gives_a_fresh_address_and_the_kept_one_stays(tmp_path: Path) -> None:
    running = kept_endpoint(tmp_path, "x")
    other = address(tmp_path)
    assert other.split("/")[3] != running.token
    kept = running.index_url
    running.listener.close()
    assert address(tmp_path) == kept


@posix_only
def test_a_file_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    first = address(tmp_path)
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o644)
    assert address(tmp_path).split("/")[3] != first.split("/")[3]
    assert file.stat().st_mode & 0o777 == 0o600


@posix_only
def test_a_link_is_not_followed(tmp_path: Path) -> None:
    first = address(tmp_path)
    (file,) = tmp_path.iterdir()
    elsewhere = file.rename(tmp_path.parent / "elsewhere.json")
    file.symlink_to(elsewhere)
    assert address(tmp_path) != first
    assert not file.is_symlink()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "nonsense",
        "{}",
        '{"port": 80, "token": "' + "a" * 32 + '"}',
        '{"port": "1025", "token": "' + "a" * 32 + '"}',
        '{"port": 40000, "token": "short"}',
        '{"port": 40000, "token": "' + "a/" * 16 + '"}',
        '{"port": 40000, "token": 5}',
        "[" * 5000,
    ],
)
def test_damaged_files_are_replaced(text: str, tmp_path: Path) -> None:
    address(tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_text(text)
    assert address(tmp_path) == address(tmp_path)
