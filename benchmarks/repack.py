"""Repacking a large wheel against `cp`: the payload should cost what a copy of it costs."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figure import Figure, interleaved
from variant_index.repack.carry_out import carry_out
from variant_index.repack.load import find_wheels, load_rules, read_sources
from variant_index.repack.plan import plan_repack

__all__ = ["make_build", "measure"]

_NAME = "repack of a 500 MB wheel, against cp"
_TARGET = 2.0
_BYTES = 500_000_000
_FILES = 1000
_RUNS = 5


def measure() -> Iterator[Figure]:
    """Yield the figure: reading, planning and writing one PyTorch-like build, and a copy of it."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        if shutil.disk_usage(place).free < 4 * _BYTES:
            yield Figure(_NAME, _TARGET, faster=False, skipped=f"no {4 * _BYTES} bytes free in {place}")
            return
        source = make_build(place / "in", size=_BYTES, files=_FILES)
        ours, peer = interleaved(
            lambda: _repack(source, place / "ours"), lambda: _copy(source, place / "copy"), runs=_RUNS
        )
    yield Figure(_NAME, _TARGET, faster=False, ours=ours, peer=peer)


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
