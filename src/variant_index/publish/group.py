"""Groups what was scanned into releases, and refuses each release that has anything wrong with it (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

from variant_index.errors import InputError, printable
from variant_index.model.filename import FilenameError
from variant_index.publish.combine import CombineError, combine, difference
from variant_index.publish.release import (
    FoundSidecar,
    FoundSource,
    FoundWheel,
    Refusal,
    Release,
    ReleaseKey,
    Scan,
    release_of,
)
from variant_index.publish.spelling import equal_releases, respelled

if TYPE_CHECKING:
    from pathlib import Path

    from variant_index.model.document import VariantsDocument

__all__ = ["SpellingError", "group_releases"]


class SpellingError(FilenameError):
    """Two files' names are two spellings of one."""

    rule = "REL004"


_File = TypeVar("_File", FoundWheel, FoundSource, FoundSidecar)


def group_releases(found: Scan) -> tuple[list[Release], list[Refusal]]:
    """Return the releases that may be published, by name and version, and every refusal.

    A release is refused as a whole when one of its files was, when its wheels disagree, when its
    combined document is too large, when a sidecar brought along differs from that document, or when one
    with variants has another spelling of its version.
    """
    refusals = list(found.refusals)
    wheels = _by_release((wheel.name, wheel) for wheel in found.wheels)
    sources = _by_release((source.name, source) for source in found.sources)
    sidecars = _by_release((sidecar.path.name, sidecar) for sidecar in found.sidecars)
    refusals += _other_spellings(wheels, sources)
    bad = {refusal.release for refusal in refusals}
    releases = []
    for key in sorted({*wheels, *sources, *sidecars}):
        try:
            release = _release(key, wheels.get(key, []), sources.get(key, []))
            for sidecar in sidecars.get(key, []):
                _check_sidecar(release, sidecar)
        except InputError as error:
            refusals.append(Refusal(key, str(error), error.rule))
            continue
        if key not in bad:
            releases.append(release)
    return releases, refusals


def _by_release(items: Iterable[tuple[str, _File]]) -> Mapping[ReleaseKey, list[_File]]:
    grouped: dict[ReleaseKey, list[_File]] = {}
    for name, item in sorted(items, key=lambda pair: pair[0]):
        key = release_of(name)
        assert key is not None  # the scan refused the others
        grouped.setdefault(key, []).append(item)
    return grouped


def _release(key: ReleaseKey, wheels: list[FoundWheel], sources: list[FoundSource]) -> Release:
    _require_one_spelling(wheels)
    documents = [(wheel.name, wheel.document) for wheel in wheels if wheel.document is not None]
    document = _combined(key, documents) if documents else None
    return Release(key, tuple(wheels), tuple(sources), document)


def _other_spellings(
    wheels: Mapping[ReleaseKey, list[FoundWheel]], sources: Mapping[ReleaseKey, list[FoundSource]]
) -> Iterator[Refusal]:
    """Refuse all spellings of a version of which one has variants: which is meant, we cannot know."""
    for group in equal_releases(wheels.keys() | sources.keys()):
        if any(wheel.filename.label for key in group for wheel in wheels.get(key, [])):
            files = [(key, _paths(wheels.get(key, []), sources.get(key, []))[0]) for key in group]
            for own in files:
                other = next(one for one in files if one is not own)
                reason = respelled((own[0], own[1].name), (other[0], other[1].name))
                yield Refusal(own[0], reason, "REL011", str(own[1]))


def _paths(wheels: Iterable[FoundWheel], sources: Iterable[FoundSource]) -> list[Path]:
    return [*(wheel.path for wheel in wheels), *(source.path for source in sources)]


def _combined(key: ReleaseKey, documents: Iterable[tuple[str, VariantsDocument]]) -> VariantsDocument:
    from variant_index.model.document import MAX_DOCUMENT_BYTES, write_document

    document = combine(documents)
    if len(write_document(document)) > MAX_DOCUMENT_BYTES:
        raise CombineError(
            f"{' '.join(key)}: its variants document is larger than {MAX_DOCUMENT_BYTES >> 20} MB, which "
            "installers refuse; give it fewer labels",
            "REL005",
        )
    return document


def _require_one_spelling(wheels: Iterable[FoundWheel]) -> None:
    """Refuse two names that installers read as one (`Foo-1.0-...` and `foo-1.0.0-...` of one release)."""
    seen: dict[tuple[object, ...], str] = {}
    for wheel in wheels:
        filename = wheel.filename
        other = seen.setdefault((filename.build_key, filename.tag_set.lower(), filename.label), wheel.name)
        if other != wheel.name:
            raise SpellingError(
                f"{printable(other)} and {printable(wheel.name)} are two spellings of one name; keep one"
            )


def _check_sidecar(release: Release, sidecar: FoundSidecar) -> None:
    from variant_index.model.document import DocumentError, parse_document

    document = parse_document(sidecar.data, str(sidecar.path), strict=True)
    if (what := difference(release.document, document)) is not None:
        raise DocumentError(
            f"{printable(str(sidecar.path))}: {what}; remove the file, the index makes "
            "its own from the wheels",
            "REL006",
        )
