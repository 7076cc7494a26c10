"""Building an index: against the floor of reading and hashing, against other tools, and against itself.

Everything lies in one temporary folder, so that ours, the floor and the peers meet the same file system.
Small wheels are like those of pure Python projects. Large ones are stored, not deflated, so that what is
measured is SHA-256 and not zlib: inflating takes four times as long as hashing what comes out of it.
"""

from __future__ import annotations

import base64
import hashlib
import os
import random
import shutil
import subprocess
import tempfile
import time
import venv
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks.figure import Figure, interleaved, timed
from benchmarks.start_up import script
from variant_index.publish.build import build_index
from variant_index.publish.folder.exchange import flush
from variant_index.publish.reading import file_sha256
from variant_index.publish.scan import read_files
from variant_index.wheel.read import read_wheel

__all__ = ["make_wheels", "measure"]

_RUNS = 5
_MANY_PROJECTS = 1000
_MANY_VERSIONS = 20
_MANY_TAGS = 5
_LARGE = 8
_LARGE_BYTES = 384 << 20
_COPIED_BYTES = 96 << 20
_COPIES = 3
_SECONDS_A_WHEEL = 10e-6
_SECONDS_TO_ADD = 3.0
_PEERS = "the same work as variantlib + dumb-pypi, 2000"


def measure() -> Iterator[Figure]:
    """Yield the figures of publishing."""
    with tempfile.TemporaryDirectory() as place:
        # Each in a folder of its own: a published file never changes, so one index cannot serve them all.
        for part in (_small, _large, _many):
            folder = Path(place, part.__name__)
            folder.mkdir()
            yield from part(folder)


def _small(folder: Path) -> Iterator[Figure]:
    wheels = folder / "small"
    make_wheels(wheels, projects=100, versions=5, tags=4, size=60_000)
    files = sorted(wheels.rglob("*.whl"))

    def floor() -> None:
        for file in files:
            file_sha256(file)
            read_wheel(file, verify=True)

    for what, options in (("copied", []), ("linked", ["--link"])):
        ours, peer = interleaved(partial(_build_anew, folder, wheels, *options), floor, runs=_RUNS)
        name = f"{len(files)} small wheels, {what}, to one reader"
        yield Figure(name, 2, faster=False, ours=ours, peer=peer)
    tools = _dumb_pypi(folder)
    if isinstance(tools, str):
        yield Figure(_PEERS, 1, faster=True, skipped=tools)
        return
    flat = folder / "flat"
    flat.mkdir()
    for file in files:
        os.link(file, flat / file.name)
    names = folder / "names"
    names.write_text("".join(f"{file.name}\n" for file in files))

    def peers() -> None:
        _run([str(script("variantlib")), "generate-index-json", "-d", str(flat)])
        shutil.rmtree(folder / "dumb", ignore_errors=True)
        _run(
            [
                *(str(tools), "--package-list", str(names), "--packages-url", "../../pool/"),
                *("--output-dir", str(folder / "dumb")),
            ]
        )

    # They neither copy wheels nor look at their content.
    ours, peer = interleaved(lambda: _build_anew(folder, flat, "--link", "--no-verify"), peers, runs=_RUNS)
    yield Figure(_PEERS, 1, faster=True, ours=ours, peer=peer)


def _large(folder: Path) -> Iterator[Figure]:
    files = _stored(folder / "large", _LARGE_BYTES)

    def hashed() -> None:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(file_sha256, files))

    def checked() -> None:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(_check, files))

    ours, peer = interleaved(partial(_publish, files, verify=False, link=True), hashed, runs=_RUNS)
    yield Figure(f"{_LARGE} large wheels, linked, to SHA-256 on all cores", 1 / 0.85, False, ours, peer)
    # What a wheel's RECORD says is another hash of the same bytes, which no order of work saves.
    ours, peer = interleaved(partial(_publish, files, verify=True, link=True), checked, runs=_RUNS)
    yield Figure(f"{_LARGE}, linked, checked, to SHA-256 twice + CRC", 1 / 0.85, False, ours, peer)
    shutil.rmtree(folder / "large")
    files = _stored(folder / "copied", _COPIED_BYTES)

    def copied() -> None:
        place = folder / f"copies-{time.monotonic_ns()}"
        place.mkdir()
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(lambda file: _check(file, place / file.name), files))
        flush(place)

    ours, peer = interleaved(partial(_publish, files, verify=True, link=False), copied, runs=_COPIES)
    yield Figure(f"{_LARGE}, copied, checked, to the same + copy + sync", 1 / 0.85, False, ours, peer)


def _stored(folder: Path, size: int) -> list[Path]:
    """Write large wheels whose content is stored."""
    folder.mkdir()
    for number in range(_LARGE):
        content = random.Random(number).randbytes(1 << 20) * (size >> 20)
        _write(folder / f"large{number}-1.0-py3-none-any.whl", {f"large{number}/data.bin": content})
    return sorted(folder.iterdir())


def _publish(files: Sequence[Path], *, verify: bool, link: bool) -> None:
    """Build an index in this process: starting Python is a quarter of the time that large wheels take."""
    site = files[0].parent.with_name(f"site-{time.monotonic_ns()}")
    reader = partial(read_files, verify=verify, link=link)
    build_index([files[0].parent], site, now="2026-01-01T00:00:00Z", reader=reader, linked=link)


def _check(file: Path, copy: Path | None = None) -> None:
    """Do the least that publishing a checked wheel takes: the file's hash, its content's and CRC, a copy."""
    whole, content, crc = hashlib.sha256(), hashlib.sha256(), 0
    buffer = memoryview(bytearray(1 << 20))
    with file.open("rb", buffering=0) as source, Path(copy or os.devnull).open("wb", buffering=0) as target:
        while count := source.readinto(buffer):
            piece = buffer[:count]
            whole.update(piece)
            content.update(piece)
            crc = zlib.crc32(piece, crc)
            if copy is not None:
                target.write(piece)


def _many(folder: Path) -> Iterator[Figure]:
    wheels = folder / "many"
    make_wheels(wheels, projects=_MANY_PROJECTS, versions=_MANY_VERSIONS, tags=_MANY_TAGS, size=600)
    count = _MANY_PROJECTS * _MANY_VERSIONS * _MANY_TAGS
    _build(folder, wheels)
    ours = min(timed(lambda: _build(folder, wheels)) for _ in range(_RUNS))
    yield Figure(f"rebuild, {count} unchanged, to 10 us a wheel", 1, False, ours, count * _SECONDS_A_WHEEL)
    seconds = []
    for number in range(_RUNS):
        name = f"many{number}"
        make_wheels(wheels / "new", projects=1, versions=1, tags=1, size=600, prefix=name)
        time.sleep(0.2)  # a file that has just changed is read again in the next build
        seconds.append(timed(lambda: _build(folder, wheels)))
    ours = sorted(seconds)[len(seconds) // 2]
    yield Figure(f"rebuild, one more than {count}, to 3 s", 1, False, ours, _SECONDS_TO_ADD)


def _build_anew(folder: Path, wheels: Path, *options: str) -> None:
    """Build an index where there is none; removing the last one is part of no peer's work, and quick."""
    if (folder / "site").exists():
        (folder / "site").rename(folder / f"old-{time.monotonic_ns()}")
    _build(folder, wheels, *options, "--no-cache")


def _build(folder: Path, wheels: Path, *options: str) -> None:
    command = [str(script("variant-index")), "build", str(wheels), "--out", str(folder / "site"), *options]
    _run(command, {"XDG_CACHE_HOME": str(folder / "cache")})


def _dumb_pypi(folder: Path) -> Path | str:
    """Install dumb-pypi into an environment of its own; return its program, or why there is none."""
    environment = folder / "peers"
    venv.create(environment, with_pip=True)
    binaries = environment / ("Scripts" if os.name == "nt" else "bin")
    done = subprocess.run(
        [str(binaries / "python"), "-m", "pip", "install", "--quiet", "dumb-pypi"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    if done.returncode != 0:
        return (done.stderr.strip().splitlines() or ["dumb-pypi cannot be installed"])[-1]
    return binaries / "dumb-pypi"


def _run(command: Sequence[str], variables: dict[str, str] | None = None) -> None:
    subprocess.run(
        command, env={**os.environ, **(variables or {})}, stdout=subprocess.DEVNULL, check=True, timeout=600
    )


def make_wheels(
    folder: Path, *, projects: int, versions: int, tags: int, size: int, prefix: str = "project"
) -> None:
    """Write valid wheels of about half of `size` bytes each, the same ones every time."""
    choice = random.Random(1)
    for project in range(projects):
        place = folder / str(project % 100)
        place.mkdir(parents=True, exist_ok=True)
        name = f"{prefix}{project}"
        for version in range(versions):
            for tag in range(tags):
                files = {
                    f"{name}/module{number}.py": b"x = %r\n" % choice.randbytes(min(size, 4000) // 4)
                    for number in range(max(1, size // 4000))
                }
                _write(place / f"{name}-1.{version}-cp3{tag + 9}-cp3{tag + 9}-linux_x86_64.whl", files)


def _write(path: Path, files: dict[str, bytes]) -> None:
    name, version, tag = path.stem.split("-", 2)
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Python: >=3.9\n\n"
    content = {
        **files,
        f"{info}/METADATA": (metadata + "A wheel of the benchmark.\n" * 40).encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
    }
    rows = []
    for entry, data in content.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.append(f"{entry},sha256={digest},{len(data)}\n")
    content[f"{info}/RECORD"] = ("".join(rows) + f"{info}/RECORD,,\n").encode()
    with zipfile.ZipFile(path, "w") as archive:
        for entry, data in content.items():
            header = zipfile.ZipInfo(entry, (2024, 1, 1, 0, 0, 0))
            header.compress_type = zipfile.ZIP_STORED if len(data) > 1 << 20 else zipfile.ZIP_DEFLATED
            header.external_attr = 0o644 << 16
            archive.writestr(header, data, compresslevel=1)
