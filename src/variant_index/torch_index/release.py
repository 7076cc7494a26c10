"""Which build of one release this machine gets, and what becomes of the others; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from packaging.version import Version

from variant_index.errors import printable
from variant_index.model.properties import Properties
from variant_index.selection.choice import TargetTags, choose
from variant_index.selection.explanation import explain_match
from variant_index.selection.ordering import priorities
from variant_index.torch_index.agreement import Offer, common_backend, following_backend
from variant_index.torch_index.backends import PRIORITY, Backend, backend_document
from variant_index.torch_index.builds import Build

__all__ = ["ANYWHERE", "ReleaseDecision", "ReleaseJudge", "Verdict", "is_hashed"]

ANYWHERE: Final = "runs on any machine"
"""How the reason for a build without hardware support begins."""

_UNHASHED: Final = "is listed without a hash, so its bytes could not be checked"
_VENDORS: Final = {"nvidia": "cuda", "amd": "rocm", "intel": "xpu"}
_STRONG: Final = ("sha256", "sha512", "sha384")


@dataclass(frozen=True)
class Verdict:
    """The verdict on one wheel.

    Attributes:
        build: the wheel.
        rank: 1 for the best, then 2, ...; None for a wheel that cannot be used here.
        yanked: why installers must not take it by themselves, None where they may.
        reason: why it fits or does not, one line.
    """

    build: Build
    rank: int | None
    yanked: str | None
    reason: str


@dataclass(frozen=True)
class ReleaseDecision:
    """The verdict on one release.

    Attributes:
        version: its public version.
        backend: the chosen one, None for a build that is not tied to a backend.
        chosen: its wheels that fit the interpreter, the best first.
        pinnable: other wheels that can be had by their full version only, with the reason.
        refused: wheels that are not listed, with the reason.
        reason: why the backend was chosen, one line.
        held_back: why installers must not take this release by themselves, None where they may.
        agrees: whether its backend goes with that of the torch it belongs to.
        is_complete: of torch, whether what will be installed beside it can be had for it.
    """

    version: Version
    backend: Backend | None
    chosen: tuple[Build, ...]
    pinnable: tuple[Verdict, ...]
    refused: tuple[Verdict, ...]
    reason: str
    held_back: str | None = None
    agrees: bool = True
    is_complete: bool = True

    @property
    def uses_hardware(self) -> bool:
        """Whether the chosen build was made for a GPU."""
        return self.backend is not None and self.backend.kind != "cpu"

    @property
    def label(self) -> str:
        """The chosen backend's folder, `any backend` for a build that is not tied to one."""
        return _shown(self.backend)


@dataclass(frozen=True)
class ReleaseJudge:
    """Decides for one release.

    Attributes:
        version: its public version.
        supported: what the machine supports, as `priorities` takes it.
        tags: the target interpreter's tags.
        torch: the torch release it belongs to, None where that is not known.
        wanted: that torch's backend, None for torch itself or where it is not known.
        settled: whether that is followed even where it does not fit the machine.
        beside: for torch itself, what each project offers that will be installed with it.
        allow_unhashed: whether wheels without a hash may be used.
    """

    version: Version
    supported: Properties
    tags: TargetTags
    torch: Version | None
    wanted: Backend | None
    settled: bool
    beside: tuple[Offer, ...]
    allow_unhashed: bool

    def decide(self, builds: Iterable[Build]) -> ReleaseDecision | None:
        """Decide between a release's wheels; None when none of them can be used."""
        everything = sorted(builds, key=lambda build: (build.folder, build.file.filename, build.file.url))
        placed = [
            (position, build)
            for build in everything
            if (position := self.tags.position(build.wheel)) is not None
            and self.tags.refusal(build.file.requires_python) is None
        ]
        usable = [pair for pair in placed if self.allow_unhashed or is_hashed(pair[1])]
        current = [pair for pair in usable if not pair[1].file.yanked] or usable
        ranking, reasons = self._rank([build for _, build in current])
        backends = {_label(build): build.backend for _, build in current}
        if not ranking and not (self.settled and self.wanted in backends.values()):
            return None
        fitting = [backends[known] for known in ranking]
        agrees = True
        if self.wanted is None and self.beside:
            backend = common_backend(fitting, self.beside)
        else:
            backend, agrees = following_backend(fitting, backends.values(), self.wanted, settled=self.settled)
        label = backend.label if backend is not None else ""
        if label not in ranking:
            reasons[label] = f"goes with torch {self.torch} ({_shown(backend)}), {reasons[label]}"
        unit = [pair for pair in current if _label(pair[1]) == label]
        local = max((build.version for _, build in unit), key=lambda version: _local_key(version, backend))
        chosen = tuple(
            build
            for _, build in sorted(unit, key=lambda pair: (-pair[1].wheel.build_key[0], pair[0]))
            if build.version == local
        )
        listed = {build.file.filename for build in chosen}
        pinnable = []
        order = {known: rank for rank, known in enumerate(ranking, start=2)}
        for _, build in sorted(
            usable, key=lambda pair: (order.get(_label(pair[1]), len(order) + 2), pair[0])
        ):
            if build.file.filename in listed:
                continue  # the chosen wheel, or another backend's under the same name: only one can be listed
            listed.add(build.file.filename)
            rank = order.get(_label(build))
            reason = reasons.get(_label(build), "yanked")
            why = (
                f"{_shown(backend)} is chosen for this machine" if rank else f"not for this machine: {reason}"
            )
            pinnable.append(Verdict(build, rank, why, reason))
        kept = {id(build) for build in (*chosen, *(verdict.build for verdict in pinnable))}
        refused = tuple(
            Verdict(build, None, None, self._refusal(build)) for build in everything if id(build) not in kept
        )
        return ReleaseDecision(
            self.version,
            backend,
            chosen,
            tuple(pinnable),
            refused,
            reasons[label],
            agrees=agrees,
            is_complete=all(offer.goes_with(backend) for offer in self.beside),
        )

    @property
    def disagreement(self) -> str:
        """Why a release that does not agree is held back."""
        return f"has no build that goes with torch {self.torch} ({_shown(self.wanted)})"

    def _rank(self, builds: Sequence[Build]) -> tuple[list[str], dict[str, str]]:
        """Return the labels that fit, the best first, and for each label why it fits or does not."""
        if not builds:
            return [], {}
        known = {build.backend for build in builds if build.backend is not None}
        aarch64 = any("aarch64" in build.wheel.platform for build in builds)
        document = backend_document(known, _minor(self.torch), aarch64=aarch64)
        # Build numbers of different backends do not compare, so they are left out.
        wheels = {replace(build.wheel, build="", label=_label(build)): None for build in builds}
        choice = choose(wheels, document, self.supported, self.tags)
        placed = priorities(document, self.supported)
        ranking = list(dict.fromkeys(one.wheel.label for one in choice.candidates if one.compatible))
        reasons = {one.wheel.label: one.reason for one in choice.candidates}
        for label in ranking:
            needs = {
                space: features
                for space, features in document.variants.get(label, {}).items()
                if space != PRIORITY
            }
            if needs:
                reasons[label] = explain_match(needs, placed)
            elif label:
                refused = [backend for backend in known if backend.label not in ranking]
                reasons[label] = self._no_hardware(refused, reasons)
            else:
                reasons[label] = "not tied to a backend"
        return ranking, reasons

    def _no_hardware(self, refused: Sequence[Backend], reasons: Mapping[str, str]) -> str:
        """Say why a build without hardware support is what fits: what the newest others need."""
        if not _VENDORS.keys() & self.supported.keys():
            return f"{ANYWHERE}, no GPU found"
        newest = [
            max(
                (backend for backend in refused if backend.kind == kind),
                key=lambda one: one.version,
                default=None,
            )
            for vendor, kind in _VENDORS.items()
            if vendor in self.supported
        ]
        why = [
            f"{backend.folder} {reasons[backend.label]}"
            for backend in newest
            if backend is not None and backend.label in reasons
        ]
        return "; ".join([ANYWHERE, *why])

    def _refusal(self, build: Build) -> str:
        if self.tags.position(build.wheel) is None:
            return printable(f"for another Python or platform, tags {build.wheel.tag_set}")
        if (refusal := self.tags.refusal(build.file.requires_python)) is not None:
            return refusal
        if not (self.allow_unhashed or is_hashed(build)):
            return _UNHASHED
        return "another backend's wheel of the same name is listed"


def _shown(backend: Backend | None) -> str:
    return backend.folder if backend is not None else "any backend"


def is_hashed(build: Build) -> bool:
    """Tell whether an installer can check a wheel's bytes."""
    return any(algorithm in build.file.hashes for algorithm in _STRONG) or build.file.url.startswith("file:")


def _label(build: Build) -> str:
    return build.backend.label if build.backend is not None else ""


def _local_key(version: Version, backend: Backend | None) -> tuple[bool, Version]:
    """Order local versions of one backend: the one named like the backend first, then the highest."""
    return version.local == (backend.folder if backend is not None else None), version


def _minor(torch: Version | None) -> tuple[int, int] | None:
    return None if torch is None else (torch.major, torch.minor)
