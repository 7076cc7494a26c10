"""Files that pass through the shim because the client has no login for them: as sent, never stored.

The bytes, their hash and the answers to HEAD and ranges stay upstream's. Only the login is added, and only
for the server it belongs to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from variant_index.errors import UpstreamError, printable
from variant_index.upstream.network import Network

__all__ = ["Passing", "relay"]

_ASKED: Final = ("Range", "If-Range")
_TOLD: Final = ("Content-Range", "Content-Encoding", "Accept-Ranges", "ETag", "Last-Modified")
_PASSED: Final = frozenset({200, 206, 404, 410, 416})


@dataclass(frozen=True)
class Passing:
    """An answer on its way to a client.

    Attributes:
        status: the HTTP status.
        content_type: as upstream says.
        headers: further headers -> value, without the length.
        length: bytes of the body, None when that is not known before.
        chunks: the body; raises `UpstreamError` where it breaks off.
    """

    status: int
    content_type: str
    headers: Mapping[str, str]
    length: int | None
    chunks: Iterator[bytes]


@contextmanager
def relay(
    network: Network, url: str, method: str, asked: Mapping[str, str], listed_by: str = ""
) -> Iterator[Passing]:
    """Ask upstream for a file on behalf of a client; a context manager.

    Args:
        network: has the logins.
        url: the file.
        method: `GET` or `HEAD`.
        asked: the client's request headers, of which those about ranges count.
        listed_by: the page that names the file, which may not lead anywhere.

    Raises:
        UpstreamError: nothing answered, or something else than a file or that there is none.
    """
    wanted = {name: value for name in _ASKED if (value := asked.get(name))}
    with network.open(url, method=method, headers=wanted, named_by=listed_by) as stream:
        if stream.status in (401, 403):
            remedy = network.credentials.remedy(url)
            raise UpstreamError(f"{printable(url)} answered {stream.status}: {remedy}")
        if stream.status not in _PASSED:
            raise UpstreamError(f"{printable(url)} answered {stream.status}")
        told = {name: value for name in _TOLD if (value := _plain(stream.headers.get(name.lower())))}
        kind = _plain(stream.headers.get("content-type")) or "application/octet-stream"
        length = stream.headers.get("content-length", "")
        known = int(length) if length.isascii() and length.isdecimal() else None
        yield Passing(stream.status, kind, told, known, stream.chunks())


def _plain(value: str | None) -> str | None:
    """Return a header's value if it is one line of ASCII, so that it can be sent on."""
    return value if value is not None and value.isascii() and value.isprintable() else None
