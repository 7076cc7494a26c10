"""Pages on which wheels with variant markers are replaced by what these mean for the wheel that was chosen.

No ordinary installer reads such markers: some take an older release, some drop dependencies, mostly silently.
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from packaging.version import Version

from variant_index.errors import UpstreamError, VariantIndexError, printable
from variant_index.model.properties import Properties
from variant_index.selection.ordering import priorities
from variant_index.shim.present import Listed, Presented
from variant_index.shim.spliced import SplicedWheel
from variant_index.simple_api.page import ProjectFile
from variant_index.upstream.local import local_path
from variant_index.upstream.network import Network
from variant_index.upstream.releases import Releases
from variant_index.upstream.remote_wheel import WheelReader, open_wheel
from variant_index.upstream.sidecar import STRONG_HASHES

if TYPE_CHECKING:
    from variant_index.markers.requirement import WheelVariant
    from variant_index.model.document import VariantsDocument
    from variant_index.wheel.archive import Archive
    from variant_index.wheel.splice import Splice

__all__ = ["EAGER_WHEELS", "MarkerSettler"]

EAGER_WHEELS: Final = 8
"""So many of the newest wheels are looked at; the older ones only when one of these has variant markers."""

_PARALLEL: Final = 8
_KEPT_PLANS: Final = 64
_MAX_METADATA_BYTES: Final = 4 << 20
_MAX_WHOLE_BYTES: Final = 64 << 20


@dataclass(frozen=True)
class _Candidate:
    """A listed wheel of a release that has variants."""

    listed: Listed
    file: ProjectFile
    name: str
    version: Version
    label: str

    @property
    def order(self) -> tuple[bool, bool, Version]:
        return not self.listed.file.yanked, not self.version.is_prerelease, self.version


class MarkerSettler:
    """Finds the wheels with variant markers and plans their new ends; safe to share between threads."""

    def __init__(self, wheels: WheelReader, network: Network) -> None:
        self._wheels = wheels
        self._network = network
        self._lock = threading.Lock()
        self._plans: dict[tuple[str, tuple[tuple[str, str], ...], WheelVariant], SplicedWheel] = {}

    def settle(
        self,
        presented: Presented,
        releases: Releases,
        documents: Mapping[Version, VariantsDocument],
        supported: Properties,
    ) -> tuple[Presented, Mapping[str, SplicedWheel]]:
        """Decide the variant markers of a page's wheels.

        Args:
            presented: the page, wheels chosen.
            releases: the upstream page, sorted.
            documents: the variants documents that wheels were chosen by.
            supported: what the machine supports.

        Returns:
            The page, on which wheels whose markers cannot be decided are missing, with a warning; and by its
            address upstream every wheel that has another end now.
        """
        candidates = sorted(_candidates(presented, releases), key=lambda one: one.order, reverse=True)
        eager, others = candidates[:EAGER_WHEELS], candidates[EAGER_WHEELS:]
        marked = self._marked(eager)
        if not marked:
            return presented, {}
        marked |= self._marked(others)
        todo = [one for one in candidates if one.file.filename in marked]

        def plan(one: _Candidate) -> SplicedWheel | str:
            variant = _variant(one, documents.get(one.version), supported)
            try:
                return self._planned(one.file, marked[one.file.filename], variant)
            except VariantIndexError as error:
                what = f"{one.name} {one.version}: {one.label or 'the default wheel'}"
                return f"{what} is hidden, its variant markers cannot be decided: {error}"

        with ThreadPoolExecutor(_PARALLEL) as pool:
            plans = dict(zip((one.file.url for one in todo), pool.map(plan, todo), strict=True))
        hidden = {url: problem for url, problem in plans.items() if isinstance(problem, str)}
        page = Presented(
            presented.name,
            tuple(listed for listed in presented.files if listed.file.url not in hidden),
            (*presented.warnings, *hidden.values()),
        )
        return page, {url: wheel for url, wheel in plans.items() if isinstance(wheel, SplicedWheel)}

    def _marked(self, candidates: Sequence[_Candidate]) -> dict[str, bytes]:
        """Return file name -> METADATA of the wheels that have variant markers."""
        if not candidates:
            return {}
        from variant_index.markers.metadata import has_markers

        with ThreadPoolExecutor(min(_PARALLEL, len(candidates))) as pool:
            found = pool.map(lambda one: self._metadata(one.file), candidates)
        return {
            one.file.filename: metadata
            for one, metadata in zip(candidates, found, strict=True)
            if metadata is not None and has_markers(metadata)
        }

    def _metadata(self, file: ProjectFile) -> bytes | None:
        """Return a wheel's METADATA, None where it cannot be had without the whole wheel.

        Then nobody changes the wheel: installers that cannot read it either will say so.
        """
        try:
            members = self._wheels.read(file)
            if members is not None:
                return members.metadata
        except VariantIndexError:
            pass  # perhaps the index lists it apart
        if not file.core_metadata or local_path(file.url) is not None:
            return None
        try:
            reply = self._network.get(
                f"{file.url}.metadata", limit=_MAX_METADATA_BYTES, named_by=file.listed_by
            )
        except UpstreamError:
            return None
        return reply.body if reply.status == 200 else None

    def _planned(self, file: ProjectFile, metadata: bytes, variant: WheelVariant) -> SplicedWheel:
        """Plan a new end, once for each wheel on a server and what its markers see."""
        key = (file.url, tuple(sorted(file.hashes.items())), variant)
        with self._lock:
            known = self._plans.get(key)
        if known is not None:
            return known
        planned = SplicedWheel(file, self._splice(file, metadata, variant))
        if local_path(file.url) is None:  # a file of this machine may be another one next time
            with self._lock:
                while len(self._plans) >= _KEPT_PLANS:
                    del self._plans[next(iter(self._plans))]
                self._plans[key] = planned
        return planned

    def _splice(self, file: ProjectFile, metadata: bytes, variant: WheelVariant) -> Splice:
        from variant_index.markers.metadata import settle_metadata
        from variant_index.wheel.splice import plan_splice

        shown = printable(file.filename)
        _check_metadata(file, metadata)

        def change(own: bytes) -> bytes:
            if own != metadata:
                raise UpstreamError(f"{shown}: its METADATA is not the one that its index serves apart")
            return settle_metadata(own, variant)

        # The cheaper check first: most wheels that are hidden are so for a marker.
        settle_metadata(metadata, variant)
        with self._open(file) as archive:
            return plan_splice(archive, change)

    def _open(self, file: ProjectFile) -> Archive:
        archive = open_wheel(file, self._network)
        if archive is not None:
            return archive
        from variant_index.wheel.archive import Archive
        from variant_index.wheel.random_access import Memory

        whole = io.BytesIO()
        reply = self._network.download(file.url, whole, limit=_MAX_WHOLE_BYTES, named_by=file.listed_by)
        if reply.status != 200:
            raise UpstreamError(f"{printable(file.url)} answered {reply.status}")
        return Archive(Path(file.filename), Memory(whole.getvalue()))


def _candidates(presented: Presented, releases: Releases) -> Iterable[_Candidate]:
    for listed in presented.files:
        chosen = listed.chosen
        if chosen is not None:
            file = replace(listed.file, filename=chosen.filename)
            yield _Candidate(listed, file, chosen.name, Version(chosen.version), chosen.label)
            continue
        release = releases.of_file.get(listed.file.filename)
        if release is not None and release.has_variants and listed.file.filename.endswith(".whl"):
            yield _Candidate(listed, listed.file, release.name, release.version, "")


def _variant(one: _Candidate, document: VariantsDocument | None, supported: Properties) -> WheelVariant:
    from variant_index.markers.requirement import WheelVariant

    if not one.label or document is None:
        return WheelVariant()  # PEP 825: a wheel without a label has an empty one, and no properties
    properties = document.variants.get(one.label, {})
    return WheelVariant.of(one.label, properties, priorities(document, supported))


def _check_metadata(file: ProjectFile, metadata: bytes) -> None:
    if isinstance(file.core_metadata, bool):
        return
    for algorithm in STRONG_HASHES:
        expected = file.core_metadata.get(algorithm)
        if expected is not None and hashlib.new(algorithm, metadata).hexdigest() != expected.lower():
            shown = printable(file.filename)
            raise UpstreamError(f"{shown}: its METADATA does not have the {algorithm} that its index lists")
