"""What a plain installer may see of a project page: of each release with variants the best build only.

A pure function. It needs no variant-aware client because the chosen wheels appear under ordinary
wheel names, with the label in the build tag: caches of clients then tell the builds apart.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from packaging.version import Version

from variant_index.errors import printable
from variant_index.model.filename import WheelFilename
from variant_index.model.properties import Properties
from variant_index.selection.choice import Candidate, Choice, TargetTags, choose
from variant_index.selection.preference import Preference, held_back, uses_accelerator
from variant_index.simple_api.page import ProjectFile, ProjectPage
from variant_index.upstream.releases import Release, Releases
from variant_index.upstream.sidecar import STRONG_HASHES

if TYPE_CHECKING:
    from variant_index.model.document import VariantsDocument

__all__ = ["Chosen", "Listed", "Presented", "choose_release", "held_back_releases", "legal_filename"]
__all__ += ["present", "yank_reason"]

_HIDDEN: Final = "hidden, its variant markers cannot be decided"
_UNCHECKED: Final = "listed without a SHA-256 hash, so the bytes could not be checked"


@dataclass(frozen=True)
class Chosen:
    """One variant choice.

    Attributes:
        name: the project's normal name.
        version: the release's version.
        label: the chosen label, `""` for the default wheel.
        reason: why it was chosen, one line.
        filename: the wheel's name upstream.
        shown: the name under which it is listed; empty for the same.
        hashes: as published.
    """

    name: str
    version: str
    label: str
    reason: str
    filename: str
    shown: str = ""
    hashes: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        return f"{self.name} {self.version}: {self.label or 'the default wheel'} — {self.reason}"


@dataclass(frozen=True)
class Listed:
    """One line of the page to show.

    Attributes:
        file: the upstream entry under the name to show; its `url` is upstream's.
        chosen: set when the file must be linked through the shim, because its name upstream is no
            ordinary wheel name or because its download is to be reported.
    """

    file: ProjectFile
    chosen: Chosen | None = None


@dataclass(frozen=True)
class Presented:
    """The page to show.

    Attributes:
        name: the project's normal name.
        files: in the upstream page's order.
        warnings: what was hidden for another reason than the choice, one printable line each.
        held_back: why the newest release that is held back is so, one line; None when none is.
    """

    name: str
    files: tuple[Listed, ...]
    warnings: tuple[str, ...]
    held_back: str | None = None


def present(
    page: ProjectPage,
    releases: Releases,
    documents: Mapping[Version, VariantsDocument],
    supported: Properties,
    tags: TargetTags,
    *,
    prefer: Preference = "hardware",
    hidden: Container[str] = (),
) -> Presented:
    """Decide what to list.

    Releases without labelled wheels stay as they are. Of one with variants the wheels of the chosen
    label and build remain; when nothing fits, its default wheels do, and sdists always do.
    Variants documents are never listed. A release that leaves hardware idle which an older one uses is
    listed as yanked (PEP 592): installers take it only where it is pinned.

    Args:
        page: the upstream page.
        releases: the same page, sorted by `group_releases`.
        documents: the usable variants documents.
        supported: what the machine supports, as `choose` takes it.
        tags: the target interpreter's tags.
        prefer: what comes first, a build that uses the hardware or the newest release.
        hidden: names of wheels that must not be listed, for their variant markers cannot be decided; the next
            best of the release are.
    """
    warnings = list(releases.problems)
    kept: dict[str, Listed] = {}
    choices: dict[Version, Choice] = {}
    for release in releases.with_variants:
        choice = choose_release(release, documents.get(release.version), supported, tags, hidden)
        warnings += _unchecked_warning(release, choice)
        kept.update(_kept_wheels(release, choice, hidden))
        choices[release.version] = choice
    held = held_back_releases(releases.by_version, choices, documents) if prefer == "hardware" else {}
    files = []
    for file in page.files:
        release_of_file = releases.of_file.get(file.filename)
        if file.filename.endswith("-variants.json"):
            continue
        if release_of_file is None:
            # A wheel that belongs to no release has a name no installer could use.
            if not file.filename.endswith(".whl"):
                files.append(Listed(file))
        elif not file.filename.endswith(".whl") or not release_of_file.has_variants:
            files.append(_yanked(Listed(file), held.get(release_of_file.version)))
        elif (listed := kept.pop(file.filename, None)) is not None:
            files.append(_yanked(listed, held.get(release_of_file.version)))
    newest = held[max(held)] if held else None
    return Presented(page.name, tuple(files), tuple(warnings), newest)


def held_back_releases(
    releases: Mapping[Version, Release],
    choices: Mapping[Version, Choice],
    documents: Mapping[Version, VariantsDocument],
) -> dict[Version, str]:
    """Return the releases to hold back and why, one line each; see `selection.preference`.

    Args:
        releases: the releases that were judged.
        choices: the choice of each.
        documents: their usable variants documents; a release without one is neither held back nor a reason
            to hold another one back.
    """
    uses_hardware = {}
    for version, choice in choices.items():
        document, winner = documents.get(version), choice.selected
        if document is None or winner is None or releases[version].wheels[winner.wheel].yanked:
            continue
        uses_hardware[version] = uses_accelerator(document.variants.get(winner.wheel.label, {}))
    reasons = {}
    for version, better in held_back(uses_hardware).items():
        label = choices[better].presented[0].label
        why = choices[version].refusals or choices[version].explanation
        reasons[version] = (
            f"{releases[version]} has no build for this machine's GPU ({why});"
            f" {better} ({label}) uses it, VARIANT_INDEX_PREFER=version takes the newest"
        )
    return reasons


def choose_release(
    release: Release,
    document: VariantsDocument | None,
    supported: Properties,
    tags: TargetTags,
    hidden: Container[str] = (),
) -> Choice:
    """Judge the wheels of one release.

    Variant wheels whose bytes could not be checked never fit, nor do wheels whose `Requires-Python` excludes
    the target, nor those whose names are `hidden` (see `present`). Yanked wheels are considered only when
    none of the others fits (PEP 592).
    """
    files = release.wheels
    refused = {
        wheel: reason
        for wheel, file in files.items()
        if (reason := _HIDDEN if file.filename in hidden else _refusal(wheel, file, tags)) is not None
    }
    usable = [wheel for wheel in files if wheel not in refused]
    current = [wheel for wheel in usable if not files[wheel].yanked]
    choice = choose(current, document, supported, tags)
    if choice.selected is None and len(current) < len(usable):
        current = usable
        choice = choose(current, document, supported, tags)
    if len(current) == len(files):
        return choice
    judged = set(current)
    left_out = [
        Candidate(wheel, False, None, refused.get(wheel) or yank_reason(file))
        for wheel, file in files.items()
        if wheel not in judged
    ]
    return Choice((*choice.candidates, *sorted(left_out, key=lambda candidate: candidate.wheel.filename)))


def _refusal(wheel: WheelFilename, file: ProjectFile, tags: TargetTags) -> str | None:
    if wheel.label and not _checkable(file):
        return _UNCHECKED
    return tags.refusal(file.requires_python)


def yank_reason(file: ProjectFile) -> str:
    """Return why a yanked file is not taken, one line."""
    return f"yanked: {printable(file.yanked)}" if isinstance(file.yanked, str) else "yanked"


def legal_filename(wheel: WheelFilename) -> str:
    """Return an ordinary wheel name that carries the label in its build tag: `-0_cu128-`, `-3_cu128-`."""
    if not wheel.label:
        return wheel.filename
    return replace(wheel, build=f"{wheel.build or 0}_{wheel.label}", label="").filename


def _kept_wheels(release: Release, choice: Choice, hidden: Container[str]) -> dict[str, Listed]:
    if choice.selected is None:
        # No wheel fits: the client shall say so itself, with the names it knows.
        return {
            wheel.filename: Listed(file)
            for wheel, file in release.wheels.items()
            if not wheel.label and file.filename not in hidden
        }
    kept = {}
    for wheel in choice.presented:
        file = release.wheels[wheel]
        shown = legal_filename(wheel)
        chosen = Chosen(
            release.name,
            str(release.version),
            wheel.label,
            choice.explanation,
            wheel.filename,
            shown,
            file.hashes,
        )
        kept[wheel.filename] = Listed(replace(file, filename=shown), chosen)
    return kept


def _yanked(listed: Listed, reason: str | None) -> Listed:
    if reason is None:
        return listed
    chosen = listed.chosen and replace(listed.chosen, reason=f"pinned; {reason}")
    return Listed(replace(listed.file, yanked=printable(reason, 500)), chosen)


def _unchecked_warning(release: Release, choice: Choice) -> list[str]:
    unchecked = [
        candidate.wheel.filename for candidate in choice.candidates if candidate.reason == _UNCHECKED
    ]
    if not unchecked:
        return []
    more = f" and {len(unchecked) - 1} more" if len(unchecked) > 1 else ""
    return [f"{release}: {printable(unchecked[0])}{more} left out: {_UNCHECKED}"]


def _checkable(file: ProjectFile) -> bool:
    """Tell whether the bytes can be checked, or come from this machine's own folders."""
    return any(algorithm in file.hashes for algorithm in STRONG_HASHES) or urlsplit(file.url).scheme == "file"
