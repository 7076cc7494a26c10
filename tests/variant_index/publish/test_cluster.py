"""Reading on a real Dask cluster of local workers gives what reading here gives, also when one is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="needs the extra dask")

from tests.variant_index.publish.family import make_family
from variant_index.publish.build import build_index
from variant_index.publish.cluster import ClusterError, cluster_reader
from variant_index.publish.find import find_states
from variant_index.publish.scan import read_files

_WORKERS = 2


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    scheduler = subprocess.Popen(
        [
            *(sys.executable, "-c", _SCHEDULER),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    workers: list[subprocess.Popen[bytes]] = []
    try:
        assert scheduler.stdout is not None
        address = scheduler.stdout.readline().decode().strip()
        command = [sys.executable, "-c", _WORKER, address]
        for _ in range(_WORKERS):
            worker = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            workers.append(worker)
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == b"ready\n"
        yield address, workers
    finally:
        for process in [*workers, scheduler]:
            process.kill()
            process.communicate()


_SCHEDULER = """
import asyncio
from distributed import Scheduler

async def main():
    async with Scheduler(host="127.0.0.1", port=0, dashboard=False) as scheduler:
        print(scheduler.address, flush=True)
        await scheduler.finished()

asyncio.run(main())
"""

_WORKER = """
import asyncio, sys
from distributed import Worker

async def main():
    async with Worker(sys.argv[1], nthreads=1, host="127.0.0.1", dashboard=False) as worker:
        print("ready", flush=True)
        await worker.finished()

asyncio.run(main())
"""


def test_a_cluster_reads_what_we_read(
    tmp_path: Path, cluster: tuple[str, list[subprocess.Popen[bytes]]]
) -> None:
    address, workers = cluster
    for number in range(60):
        make_family(tmp_path / "in", f"demo{number}")
    (tmp_path / "in" / "bad-1-py3-none-any.whl").write_bytes(b"")
    files = find_states([tmp_path / "in"])
    here = list(read_files(files))
    assert list(cluster_reader(address)(files, None)) == here
    for out, reader in (("here", read_files), ("there", cluster_reader(address))):
        build_index([tmp_path / "in"], tmp_path / out, now="2026-01-01T00:00:00Z", reader=reader)
    trees = [
        {
            path.relative_to(tmp_path / out): path.read_bytes()
            for path in (tmp_path / out).rglob("*")
            if path.is_file()
        }
        for out in ("here", "there")
    ]
    assert trees[0] == trees[1]
    # The last test of this cluster: one of its workers dies in the middle of the work.
    readings = cluster_reader(address)(files, None)
    first = next(readings)
    os.kill(workers[0].pid, signal.SIGKILL)
    assert [first, *readings] == here


def test_no_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = find_states([make_family(tmp_path)])
    monkeypatch.setattr("variant_index.publish.cluster._CONNECT_SECONDS", 1)
    with pytest.raises(ClusterError, match="no Dask scheduler answers"):
        list(cluster_reader("tcp://127.0.0.1:1")(files, None))
    with pytest.raises(ClusterError, match="no Dask scheduler answers"):
        list(cluster_reader("nonsense://x")(files, None))
