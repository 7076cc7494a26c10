"""Every byte of a wheel is compared with RECORD and with the archive's checksums."""

from __future__ import annotations

import base64
import hashlib
import os
import threading
import time
from pathlib import Path

import pytest

from tests.making import make_wheel, zip_bytes
from tests.variant_index.check.examples import INFO, NAME, RECORD, change, contents
from variant_index.wheel import verify
from variant_index.wheel.archive import Archive, WheelError
from variant_index.wheel.read import read_wheel


def with_rows(tmp_path: Path, files: dict[str, bytes], algorithm: str, *, padding: str = "") -> Path:
    path = make_wheel(tmp_path, NAME, files=files)
    rows = []
    for name, data in contents(path).items():
        digest = base64.urlsafe_b64encode(hashlib.new(algorithm, data).digest()).rstrip(b"=").decode()
        rows.append(
            f"{name},,\n" if name == RECORD else f"{name},{algorithm}={digest}{padding},{len(data)}\n"
        )
    return change(path, {RECORD: "".join(rows).encode()})


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_each_algorithm(tmp_path: Path, algorithm: str) -> None:
    files = {"a.py": b"one\n", "b.py": b""}
    path = with_rows(tmp_path, files, algorithm)
    read_wheel(path, verify=True)
    path.write_bytes(zip_bytes({**contents(path), "a.py": b"two\n"}))
    read_wheel(path)
    with pytest.raises(WheelError, match=f"RECORD states another {algorithm} for a.py") as caught:
        read_wheel(path, verify=True)
    assert caught.value.rule == "WHL307"


def test_padding_is_accepted(tmp_path: Path) -> None:
    read_wheel(with_rows(tmp_path, {"a.py": b"one\n"}, "sha256", padding="="), verify=True)


def test_files_without_a_hash_are_read_too(tmp_path: Path) -> None:
    path = change(make_wheel(tmp_path, NAME), {f"{INFO}/RECORD.jws": b"{}" * 50}, record=False)
    read_wheel(path, verify=True)
    with Archive(path) as archive:
        place = archive.entries[f"{INFO}/RECORD.jws"].offset + 30 + len(f"{INFO}/RECORD.jws") + 2
    damaged = bytearray(path.read_bytes())
    damaged[place] ^= 0x10
    path.write_bytes(damaged)
    read_wheel(path)
    with pytest.raises(WheelError) as caught:
        read_wheel(path, verify=True)
    assert caught.value.rule == "WHL119"


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A wheel large enough for threads, some of it stored and some deflated."""
    files = {f"{number}.bin": os.urandom(1 << 21) + bytes(1 << 21) for number in range(6)}
    return make_wheel(tmp_path, NAME, files={**files, "small.py": b"x = 1\n"})


def test_large_wheels_take_several_threads(large: Path) -> None:
    told: list[int] = []
    threads = set()
    busy = threading.Lock()

    def progress(count: int) -> None:
        assert busy.acquire(blocking=False), "two threads at once"
        time.sleep(0.001)
        told.append(count)
        threads.add(threading.get_ident())
        busy.release()

    read_wheel(large, verify=True, progress=progress)
    with Archive(large) as archive:
        assert sum(told) == sum(entry.compressed_size for entry in archive.entries.values())
    if verify._WORKERS > 1:
        assert len(threads) > 1


@pytest.mark.parametrize("workers", [1, 3])
def test_the_first_wrong_entry_is_named(large: Path, monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    monkeypatch.setattr(verify, "_WORKERS", workers)
    files = contents(large)
    for name in ("2.bin", "4.bin", "small.py"):
        files[name] = files[name][:-1] + b"?"
    large.write_bytes(zip_bytes(files))
    with pytest.raises(WheelError, match=r"for 2\.bin than"):
        read_wheel(large, verify=True)


def test_an_error_of_the_one_who_looks_ends_it(large: Path) -> None:
    def progress(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_wheel(large, verify=True, progress=progress)
