"""The METADATA of listed wheels, from where it costs least: beside the wheel (PEP 658), else in it."""

from __future__ import annotations

import hashlib
from typing import Final

from variant_index.simple_api.page import ProjectFile
from variant_index.upstream.local import local_path
from variant_index.upstream.network import Network
from variant_index.upstream.remote_wheel import WheelReader
from variant_index.upstream.sidecar import STRONG_HASHES

__all__ = ["PublishedMetadata"]

_MAX_BYTES: Final = 4 << 20


class PublishedMetadata:
    """Reads METADATA; safe to share between threads.

    What has the hash that the page lists for it is kept in the network's disk cache under that hash, and
    never asked for again, whoever sent it.
    """

    def __init__(self, wheels: WheelReader, network: Network) -> None:
        """Read with these."""
        self._wheels = wheels
        self._network = network

    def of(self, file: ProjectFile) -> bytes | None:
        """Return a wheel's METADATA; None where that needs the whole wheel, or is not as listed.

        Raises:
            VariantIndexError: the server is down, or the wheel is none.
        """
        known = self._wheels.known(file)
        if known is not None:
            return known.metadata
        if file.core_metadata and local_path(file.url) is None:
            found, is_there = self._beside(file)
            if is_there:
                return found
        members = self._wheels.read(file)
        return members.metadata if members is not None else None

    def _beside(self, file: ProjectFile) -> tuple[bytes | None, bool]:
        """Return what lies beside a wheel, None for what is not as listed; and whether anything does."""
        listed = _strong_hash(file)
        key = f"metadata {listed[0]} {listed[1]}" if listed is not None else None
        cache = self._network.cache
        if cache is not None and key is not None and (kept := cache.get(key)) is not None:
            return kept, True
        reply = self._network.get(f"{file.url}.metadata", limit=_MAX_BYTES, named_by=file.listed_by)
        if reply.status != 200:
            return None, False
        if listed is not None and hashlib.new(listed[0], reply.body).hexdigest() != listed[1]:
            return None, True
        if cache is not None and key is not None:
            cache.put(key, reply.body)
        return reply.body, True


def _strong_hash(file: ProjectFile) -> tuple[str, str] | None:
    if isinstance(file.core_metadata, bool):
        return None
    for name in STRONG_HASHES:
        if name in file.core_metadata:
            return name, file.core_metadata[name].lower()
    return None
