"""Fetches the variants documents that a project page lists, and checks them against their hashes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from packaging.version import Version

from variant_index.errors import UpstreamError, VariantIndexError, printable
from variant_index.simple_api.page import ProjectFile
from variant_index.upstream.local import local_path
from variant_index.upstream.network import Network, UnreachableError
from variant_index.upstream.recent import Recent
from variant_index.upstream.releases import Release

if TYPE_CHECKING:
    from variant_index.model.document import VariantsDocument

__all__ = ["MAX_DOCUMENTS", "STRONG_HASHES", "Documents", "SidecarReader"]

MAX_DOCUMENTS: Final = 500
"""The documents of at most so many releases of one project are read, newest releases first."""

STRONG_HASHES: Final = ("sha256", "sha512", "sha384")
"""The hash algorithms that count as a check, preferred first."""

_PARALLEL: Final = 8
_KEPT_BYTES: Final = 4 << 20


@dataclass(frozen=True)
class Documents:
    """What became of the variants documents of some releases.

    Attributes:
        by_version: the usable ones.
        problems: one printable line for each that cannot be used: its variants are then ignored.
    """

    by_version: Mapping[Version, VariantsDocument]
    problems: tuple[str, ...] = ()


class SidecarReader:
    """Reads variants documents; equal bytes are parsed once. Safe to share between threads."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._parsed: Recent[VariantsDocument] = Recent(_KEPT_BYTES)

    def read(self, releases: Iterable[Release]) -> Documents:
        """Read the documents of the releases, several at a time; a bad one never stops the others.

        Raises:
            UnreachableError: a server is down. That is no property of the release, and passing over it
                would install builds without GPU support where there are better ones.
        """
        wanted = sorted(releases, key=lambda release: release.version, reverse=True)
        kept = wanted[:MAX_DOCUMENTS]
        if len(kept) <= 1:
            results = [self._read_or_say(release) for release in kept]
        else:
            with ThreadPoolExecutor(min(_PARALLEL, len(kept))) as pool:
                results = list(pool.map(self._read_or_say, kept))
        problems = [result for result in results if isinstance(result, str)]
        if len(kept) < len(wanted):
            problems.append(
                f"{wanted[0].name}: variants of {len(wanted) - len(kept)} older releases are ignored:"
                f" documents of more than {MAX_DOCUMENTS} releases are not read"
            )
        usable = {
            release.version: result
            for release, result in zip(kept, results, strict=True)
            if not isinstance(result, str)
        }
        return Documents(usable, tuple(problems))

    def _read_or_say(self, release: Release) -> VariantsDocument | str:
        try:
            return self._read_one(release)
        except UnreachableError:
            raise
        except VariantIndexError as error:
            return f"variants of {release} are ignored: {error}"

    def _read_one(self, release: Release) -> VariantsDocument:
        # Imported here: most runs meet no variants, and the models take 0.1 s to build.
        from variant_index.generations.read import read_document

        if not release.sidecars:
            raise UpstreamError("its index lists no variants document for them")
        listed = release.sidecars[0]
        if any(other.hashes != listed.hashes for other in release.sidecars):
            raise UpstreamError(f"{printable(listed.filename)} is listed twice with different content")
        data = self._fetch(listed)
        _check_hash(data, listed)
        key = hashlib.sha256(data).digest()
        document = self._parsed.get(key)
        if document is None:
            document = read_document(data, listed.filename)
            self._parsed.put(key, document, len(data))
        _check_labels(document, data, release, listed)
        return document

    def _fetch(self, listed: ProjectFile) -> bytes:
        from variant_index.model.document import MAX_DOCUMENT_BYTES

        if (path := local_path(listed.url)) is not None:
            try:
                with path.open("rb") as file:
                    data = file.read(MAX_DOCUMENT_BYTES + 1)
            except OSError as error:
                raise UpstreamError(f"{printable(str(path))}: {error.strerror}") from None
            if len(data) > MAX_DOCUMENT_BYTES:
                raise UpstreamError(f"{printable(str(path))} is larger than {MAX_DOCUMENT_BYTES >> 20} MB")
            return data
        if not any(algorithm in listed.hashes for algorithm in STRONG_HASHES):
            raise UpstreamError(f"its index lists {printable(listed.filename)} without a SHA-256 hash")
        cache = self._network.cache
        # Named by what it must be, an entry can be old but never wrong.
        key = f"document {sorted(listed.hashes.items())}"
        if cache is not None and (known := cache.get(key)) is not None:
            return known
        reply = self._network.get(listed.url, limit=MAX_DOCUMENT_BYTES, named_by=listed.listed_by)
        if reply.status in (401, 403):
            # Without the login a machine with a GPU would get the default wheel.
            remedy = self._network.credentials.remedy(listed.url)
            raise UnreachableError(f"{printable(listed.url)} answered {reply.status}: {remedy}")
        if reply.status != 200:
            raise UpstreamError(f"{printable(listed.url)} answered {reply.status}")
        if cache is not None:
            _check_hash(reply.body, listed)
            cache.put(key, reply.body)
        return reply.body


def _check_labels(document: VariantsDocument, data: bytes, release: Release, listed: ProjectFile) -> None:
    """Refuse a document that misses a label: it is not the one that belongs to these wheels."""
    missing = {wheel.label for wheel in release.wheels if wheel.label} - document.variants.keys()
    if missing:
        # A document of an older generation may name labels that the newer form cannot hold.
        missing -= json.loads(data)["variants"].keys()
    if missing:
        raise UpstreamError(f"{printable(listed.filename)} misses the label {min(missing)} of its wheels")


def _check_hash(data: bytes, listed: ProjectFile) -> None:
    for algorithm in STRONG_HASHES:
        expected = listed.hashes.get(algorithm)
        if expected is not None and hashlib.new(algorithm, data).hexdigest() != expected.lower():
            raise UpstreamError(
                f"{printable(listed.filename)} does not have the {algorithm} that its index lists"
            )
