"""Repacking a large wheel against `cp`: the payload should cost what a copy of it costs."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.figure import Figure, interleaved
from variant_index.repack.carry_out import carry_out
from variant_index.repack.load import find_wheels, load_rules, read_sources
from variant_index.repack.plan import plan_repack

__all__ = ["against", "make_build", "measure"]

_NAME = "repack of a 500 MB wheel, against cp"
_TARGET = 2.0
_BYTES = 500_000_000
_FILES = 1000
_RUNS = 5


def measure() -> Iterator[Figure]:
    """Yield the figure: reading, planning and writing one PyTorch-like build, and a copy of it."""
    yield against(_repack, _copy, name=_NAME, target=_TARGET, size=_BYTES, files=_FILES)


def against(
    ours: Callable[[Path, Path], None],
    peer: Callable[[Path, Path], None],
    *,
    name: str,
    target: float,
    size: int,
    files: int,
) -> Figure:
    """Return the figure for what is made of one PyTorch-like build at another place.

    Args:
        ours: called with the build and the place.
        peer: the same.
        name: of the figure.
        target: how many times longer ours may take.
        size: the build's bytes, of which four times as many must be free.
        files: how many files it holds.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        if shutil.disk_usage(place).free < 4 * size:
            return Figure(name, target, faster=False, skipped=f"no {4 * size} bytes free in {place}")
        source = make_build(place / "in", size=size, files=files)
        seconds = interleaved(
            lambda: ours(source, place / "ours"), lambda: peer(source, place / "copy"), runs=_RUNS
        )
    return Figure(name, target, faster=False, ours=seconds[0], peer=seconds[1])


def make_build(folder: Path, *, size: int, files: int) -> Path:
    """Write a wheel of about `size` bytes that cannot be compressed, named as PyTorch names its builds."""
    folder.mkdir(parents=True)
    path = folder / "torch-2.9.0+cu126-cp312-cp312-manylinux_2_28_x86_64.whl"
    info = "torch-2.9.0+cu126.dist-info"
    block = os.urandom(size // files)
    texts = {
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: torch\nVersion: 2.9.0+cu126\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nTag: cp312-cp312-manylinux_2_28_x86_64\n",
    }
    rows = []
    with zipfile.ZipFile(path, "w") as archive:
        for name in (*(f"torch/lib/part{number}.so" for number in range(files)), *texts):
            data = texts.get(name, block)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            rows.append(f"{name},sha256={digest},{len(data)}\n")
            archive.writestr(zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0)), data)
        archive.writestr(f"{info}/RECORD", "".join([*rows, f"{info}/RECORD,,\n"]))
    return path


def _repack(source: Path, out: Path) -> None:
    # As the command does it; that Python starts is another figure.
    shutil.rmtree(out, ignore_errors=True)
    sources, _ = read_sources(find_wheels([source], out))
    (outcome,) = carry_out(plan_repack(sources, load_rules()).planned, out)
    assert outcome.states == ("written",), outcome.error


def _copy(source: Path, out: Path) -> None:
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    subprocess.run(["cp", str(source), str(out)], check=True)
