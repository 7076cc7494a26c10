"""What becomes of wheels with variant markers, for the wheels that were chosen for a page.

No ordinary installer reads such markers: some take an older release, some drop dependencies, mostly silently.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from packaging.version import Version

from variant_index.errors import UpstreamError, VariantIndexError, printable
from variant_index.model.properties import Properties
from variant_index.selection.ordering import priorities
from variant_index.shim.present import Listed, Presented
from variant_index.shim.spliced import SplicedWheel
from variant_index.simple_api.page import ProjectFile
from variant_index.upstream.local import local_path
from variant_index.upstream.network import Network, UnreachableError
from variant_index.upstream.releases import Releases
from variant_index.upstream.remote_wheel import WheelMembers, WheelReader, download_wheel, open_wheel
from variant_index.upstream.sidecar import STRONG_HASHES

if TYPE_CHECKING:
    from variant_index.markers.requirement import WheelVariant
    from variant_index.model.document import VariantsDocument

__all__ = ["EAGER_WHEELS", "MarkerSettler", "SettledWheels"]

EAGER_WHEELS: Final = 8
"""So many of the newest wheels are looked at; the older ones only when one of these has variant markers."""

_PARALLEL: Final = 8
_KEPT_PLANS: Final = 64
_MAX_METADATA_BYTES: Final = 4 << 20
_MAX_REASON: Final = 300


@dataclass(frozen=True)
class SettledWheels:
    """What became of the wheels that have variant markers.

    Attributes:
        spliced: address upstream -> wheel that gets other METADATA on its way.
        undecided: file name upstream -> why the markers of a wheel cannot be decided, one printable line.
        warnings: wheels of which nothing is known, one printable line each.
    """

    spliced: Mapping[str, SplicedWheel] = field(default_factory=dict)
    undecided: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


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
    """Finds the wheels with variant markers and plans what they become; safe to share between threads."""

    def __init__(self, wheels: WheelReader, network: Network) -> None:
        self._wheels = wheels
        self._network = network
        self._lock = threading.Lock()
        self._plans: dict[tuple[str, tuple[tuple[str, str], ...], WheelVariant], SplicedWheel | str] = {}

    def settle(
        self,
        presented: Presented,
        releases: Releases,
        documents: Mapping[Version, VariantsDocument],
        supported: Properties,
        *,
        every: bool = False,
    ) -> SettledWheels:
        """Decide the variant markers of a page's wheels.

        Args:
            presented: the page, wheels chosen.
            releases: the upstream page, sorted.
            documents: the variants documents that wheels were chosen by.
            supported: what the machine supports.
            every: whether to look at all wheels, because some are known to have markers.

        Raises:
            UnreachableError: the server of a wheel with markers is down. That is no property of the wheel,
                and taking another instead might be a build without GPU support.
        """
        candidates = sorted(_candidates(presented, releases), key=lambda one: one.order, reverse=True)
        eager = candidates[: None if every else EAGER_WHEELS]
        # The newest wheel is the likely one, so it alone is downloaded where there is no other way.
        found = self._all_metadata(eager, whole=1)
        warnings = tuple(one for one in found if isinstance(one, str))
        marked = _marked(eager, found)
        if not marked:
            return SettledWheels(warnings=warnings)
        others = [one for one in candidates if one.file.filename not in marked]
        marked |= _marked(others, self._all_metadata(others, whole=EAGER_WHEELS))
        todo = [one for one in candidates if one.file.filename in marked]

        def plan(one: _Candidate) -> SplicedWheel | str:
            variant = _variant(one, documents.get(one.version), supported)
            return self._planned(one.file, marked[one.file.filename], variant)

        with ThreadPoolExecutor(_PARALLEL) as pool:
            plans = list(zip((one.file for one in todo), pool.map(plan, todo), strict=True))
        return SettledWheels(
            {file.url: wheel for file, wheel in plans if isinstance(wheel, SplicedWheel)},
            {file.filename: reason for file, reason in plans if isinstance(reason, str)},
            warnings,
        )

    def _all_metadata(self, candidates: Sequence[_Candidate], whole: int) -> list[bytes | str | None]:
        """Return the METADATA of wheels, the first `whole` of them downloaded where there is no other way."""
        if not candidates:
            return []

        def read(position: int) -> bytes | str | None:
            return self._metadata(candidates[position].file, whole=position < whole)

        with ThreadPoolExecutor(min(_PARALLEL, len(candidates))) as pool:
            return list(pool.map(read, range(len(candidates))))

    def _metadata(self, file: ProjectFile, *, whole: bool) -> bytes | str | None:
        """Return a wheel's METADATA; None where it cannot be had, or a line where that is not told elsewhere.

        Then nobody changes the wheel: who asks for one that is gone or odd is told so.
        """
        has_ranges = True
        try:
            members = self._wheels.read(file)
            if members is not None:
                return _content(file, members)
            has_ranges = False
        except VariantIndexError:
            pass  # perhaps the index lists it apart
        if not file.core_metadata or local_path(file.url) is not None:
            return self._downloaded(file) if whole and not has_ranges else None
        try:
            reply = self._network.get(
                f"{file.url}.metadata", limit=_MAX_METADATA_BYTES, named_by=file.listed_by
            )
        except UpstreamError:
            return None
        return reply.body if reply.status == 200 else None

    def _downloaded(self, file: ProjectFile) -> bytes | str | None:
        try:
            members = self._wheels.read(file, whole=True)
        except UnreachableError:
            return None
        except VariantIndexError as error:
            return _not_looked_at(file, str(error))
        return _content(file, members) if members is not None else None

    def _planned(self, file: ProjectFile, metadata: bytes, variant: WheelVariant) -> SplicedWheel | str:
        """Plan what a wheel becomes, once for each on a server and what its markers see; or say why not."""
        key = (file.url, tuple(sorted(file.hashes.items())), variant)
        with self._lock:
            known = self._plans.get(key)
        if known is not None:
            return known
        lasting = local_path(file.url) is None  # a file of this machine may be another one next time
        planned: SplicedWheel | str
        try:
            planned = self._splice(file, metadata, variant)
        except UnreachableError:
            raise
        except VariantIndexError as error:
            # What a server answers may be another answer next time; a wheel stays as it is.
            lasting = lasting and not isinstance(error, UpstreamError)
            planned = printable(str(error), _MAX_REASON)
        if lasting:
            with self._lock:
                while len(self._plans) >= _KEPT_PLANS:
                    del self._plans[next(iter(self._plans))]
                self._plans[key] = planned
        return planned

    def _splice(self, file: ProjectFile, metadata: bytes, variant: WheelVariant) -> SplicedWheel:
        from variant_index.markers.metadata import settle_metadata
        from variant_index.wheel.splice import plan_splice

        shown = printable(file.filename)
        _check_metadata(file, metadata)
        # First, because most wheels that are hidden are so for a marker; the archive may cost requests.
        settled = settle_metadata(metadata, variant)

        def change(own: bytes) -> bytes:
            if own != metadata:
                raise UpstreamError(f"{shown}: its METADATA is not the one that its index serves apart")
            return settled.content

        with open_wheel(file, self._network) or download_wheel(file, self._network) as archive:
            return SplicedWheel(file, plan_splice(archive, change), settled.decisions)


def _content(file: ProjectFile, members: WheelMembers) -> bytes | str:
    if members.metadata is not None:
        return members.metadata
    return _not_looked_at(file, f"it has no METADATA of at most {_MAX_METADATA_BYTES >> 20} MB")


def _not_looked_at(file: ProjectFile, why: str) -> str:
    return f"{printable(file.filename)} is not looked at for variant markers: {why}"


def _marked(candidates: Sequence[_Candidate], found: Sequence[bytes | str | None]) -> dict[str, bytes]:
    """Return file name -> METADATA of the wheels that have variant markers."""
    if not candidates:
        return {}
    from variant_index.markers.metadata import has_markers

    return {
        one.file.filename: metadata
        for one, metadata in zip(candidates, found, strict=True)
        if isinstance(metadata, bytes) and has_markers(metadata)
    }


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
