from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.variant_index.providers.test_answer import ACME
from variant_index.providers.failure import ProviderError
from variant_index.providers.remembered import locked, read_remembered, write_remembered

posix_only = pytest.mark.skipif(os.name != "posix", reason="POSIX modes and locks")


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    assert read_remembered(tmp_path / "none") == ()
    other = ACME.model_copy(update={"name": "aaa", "namespaces": {"b": "n:P"}})
    write_remembered(tmp_path, [ACME, other])
    assert read_remembered(tmp_path) == (other, ACME)
    assert [path.name for path in tmp_path.iterdir()] == ["trusted.json"]


@posix_only
def test_it_is_for_this_user_only(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        write_remembered(tmp_path, [ACME])
    finally:
        os.umask(old)
    file = tmp_path / "trusted.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o620)
    with pytest.raises(ProviderError, match="writable for others"):
        read_remembered(tmp_path)


@posix_only
def test_a_file_of_another_user_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_remembered(tmp_path, [ACME])
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(ProviderError, match="another user"):
        read_remembered(tmp_path)


def _damaged() -> list[object]:
    good = json.loads(ACME.model_dump_json())
    return [
        {"version": 2, "providers": []},
        {"providers": []},
        {"version": 1, "providers": [], "more": 1},
        {"version": 1, "providers": [good, good]},
        {"version": 1, "providers": [{**good, "environment": "../../evil" + "0" * 22}]},
        {"version": 1, "providers": [{**good, "namespaces": {"a": "os:system()"}}]},
        {"version": 1, "providers": [{**good, "namespaces": {"A\n": "m:P"}}]},
        {"version": 1, "providers": [{**good, "name": "a\n"}]},
        {"version": 1, "providers": [{**good, "pins": []}]},
        [],
    ]


@pytest.mark.parametrize("content", _damaged())
def test_a_damaged_file_is_one_line(tmp_path: Path, content: object) -> None:
    file = tmp_path / "trusted.json"
    file.touch(0o600)
    file.write_text(json.dumps(content))
    with pytest.raises(ProviderError, match="not the list of trusted providers") as error:
        read_remembered(tmp_path)
    assert str(error.value).isprintable()


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\x00", b" " * ((1 << 20) + 1)])
def test_other_bytes_are_one_line(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "trusted.json"
    file.touch(0o600)
    file.write_bytes(data)
    with pytest.raises(ProviderError) as error:
        read_remembered(tmp_path)
    assert str(error.value).isprintable()


@posix_only
def test_one_process_at_a_time(tmp_path: Path) -> None:
    hold = (
        "import sys; from pathlib import Path; from variant_index.providers.remembered import locked\n"
        "with locked(Path(sys.argv[1]), 5): print('held', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path / "p")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        with pytest.raises(ProviderError, match="another process"), locked(tmp_path / "p", 0.2):
            pass
        child.kill()  # what it held ends with it
        child.wait(60)
        with locked(tmp_path / "p", 60):
            assert stat.S_IMODE((tmp_path / "p").stat().st_mode) == 0o700
    finally:
        child.kill()
        child.communicate()
