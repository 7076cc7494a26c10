"""The secret of a shim that runs for long."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from variant_index.shim.token_file import TokenFileError, kept_token


def test_it_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "token"
    before = os.umask(0)
    try:
        token = kept_token(path)
    finally:
        os.umask(before)
    assert len(token) == 32
    assert kept_token(path) == token
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_all_who_start_at_once_get_the_same(tmp_path: Path) -> None:
    for number in range(20):
        with ThreadPoolExecutor(8) as pool:
            tokens = set(pool.map(kept_token, [tmp_path / str(number)] * 8))
        assert len(tokens) == 1


@pytest.mark.parametrize("mode", [0o604, 0o620, 0o660, 0o640, 0o601])
def test_looser_modes(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "token"
    kept_token(path)
    path.chmod(mode)
    with pytest.raises(TokenFileError, match="others may use it"):
        kept_token(path)


def test_another_users(tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give a file away")
    path = tmp_path / "token"
    kept_token(path)
    os.chown(path, 65534, 65534)
    with pytest.raises(TokenFileError, match="it belongs to another user"):
        kept_token(path)


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(TokenFileError, match="not an ordinary file"):
        kept_token(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "missing")
    with pytest.raises(TokenFileError, match="it is a link"):
        kept_token(tmp_path / "link")
    (tmp_path / "file").write_text("")
    with pytest.raises(TokenFileError, match=r"File exists|Not a directory"):
        kept_token(tmp_path / "file" / "token")
