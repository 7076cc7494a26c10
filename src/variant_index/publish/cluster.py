"""Reads files on a Dask cluster; what they are found to be is the same as in `scan.py`, bit for bit.

The workers must see the files under the same paths, for example on a network file system. A worker that dies
loses nothing: its portion is given to another one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from variant_index.errors import UpstreamError, printable
from variant_index.publish.find import FileState
from variant_index.publish.reading import Reading
from variant_index.publish.scan import Reader, chunks, read_chunk

if TYPE_CHECKING:
    from distributed import Future

__all__ = ["ClusterError", "cluster_reader"]

_CONNECT_SECONDS = 20
_WAITING = 4
"""So many portions are given out for each thread of the cluster."""


class ClusterError(UpstreamError):
    """The cluster cannot be reached, or cannot do the work."""


def cluster_reader(address: str, *, verify: bool = True) -> Reader:
    """Return a reader that has a cluster's workers do the work.

    Args:
        address: the scheduler's, `tcp://HOST:PORT`.
        verify: see `read_file`.

    Raises:
        ClusterError: Dask is not installed.
    """
    try:
        import distributed  # noqa: F401
    except ModuleNotFoundError:
        raise ClusterError(
            "--dask needs the package distributed: pip install 'torch-variant-provider[index,dask]'"
        ) from None

    def read(files: Sequence[FileState], _: Path | None) -> Iterator[Reading]:
        return _read(address, files, verify=verify) if files else iter(())

    return read


def _read(address: str, files: Sequence[FileState], *, verify: bool) -> Iterator[Reading]:
    from distributed import Client

    try:
        client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"{printable(address)}: no Dask scheduler answers: {printable(str(error))}"
        ) from None
    with client:
        waiting: deque[Future[list[Reading]]] = deque()
        threads: dict[str, int] = client.nthreads()  # type: ignore[no-untyped-call]
        limit = max(1, sum(threads.values())) * _WAITING
        read = partial(read_chunk, verify=verify)
        for portion, _ in chunks(files):
            waiting.append(client.submit(read, portion, pure=False, retries=3))
            if len(waiting) > limit:
                yield from _result(waiting.popleft())
        while waiting:
            yield from _result(waiting.popleft())


def _result(future: Future[list[Reading]]) -> list[Reading]:
    from distributed.client import FutureCancelledError
    from distributed.scheduler import KilledWorker

    try:
        return future.result()
    except (KilledWorker, FutureCancelledError, OSError) as error:
        raise ClusterError(
            f"the Dask cluster gave up on a portion of the files: {printable(str(error))}"
        ) from None
