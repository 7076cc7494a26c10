"""Chosen wheels compared with the variants documents that they were chosen by.

An index is free to list a document that its wheels contradict, and then the wrong build would run. The wheels
that installers are likely to take are compared before a page is sent, so that a release whose document is
wrong is presented as its plain wheel. The others are compared when they are asked for, and refused.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from packaging.version import Version

from variant_index.errors import UpstreamError, printable
from variant_index.model.filename import sidecar_filename
from variant_index.shim.present import Listed, Presented
from variant_index.shim.version_choice import ReleaseVerdict
from variant_index.simple_api.page import ProjectFile
from variant_index.upstream.local import local_path
from variant_index.upstream.network import UnreachableError
from variant_index.upstream.remote_wheel import WheelReader

if TYPE_CHECKING:
    from variant_index.model.document import VariantsDocument

__all__ = ["EAGER_WHEELS", "ChosenWheel", "Verdict", "WheelVerifier", "choose_verified", "present_verified"]

EAGER_WHEELS: Final = 8
"""So many wheels of a page are compared before it is sent; all at once, so they cost the time of one."""

_ROUNDS: Final = 4
_KEPT_VERDICTS: Final = 10_000
_SHOWN: Final = 3
# Sound wheels that our strict reader refuses: too large, written as a stream, or with rare zip features.
_NOT_READ: Final = frozenset({"WHL004", "WHL114", "WHL116"})


@dataclass(frozen=True)
class ChosenWheel:
    """A labelled wheel that was chosen.

    Attributes:
        name: the project's normal name.
        version: the release's version.
        label: the wheel's label.
        file: its entry upstream, under its name there.
        document: the release's variants document, by which it was chosen.
    """

    name: str
    version: Version
    label: str
    file: ProjectFile
    document: VariantsDocument

    @classmethod
    def of(cls, listed: Listed, documents: Mapping[Version, VariantsDocument]) -> ChosenWheel | None:
        """Return what a line of a page stands for, None when that was chosen by no document."""
        chosen = listed.chosen
        if chosen is None or not chosen.label:
            return None
        version = Version(chosen.version)
        document = documents.get(version)
        if document is None:
            return None
        file = replace(listed.file, filename=chosen.filename)
        return cls(chosen.name, version, chosen.label, file, document)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What comparing a wheel showed; at most one of both is set, each one printable line naming the wheel.

    Attributes:
        difference: in what it contradicts its release's document.
        unread: why it could not be compared, where its user should know.
    """

    difference: str | None = None
    unread: str | None = None


class WheelVerifier:
    """Compares wheels, each once; safe to share between threads."""

    def __init__(self, wheels: WheelReader) -> None:
        self._wheels = wheels
        self._lock = threading.Lock()
        self._verdicts: dict[tuple[str, str], tuple[VariantsDocument, Verdict]] = {}

    def verify(self, wheel: ChosenWheel) -> Verdict:
        """Compare a wheel with the document.

        A server that does not do ranges would have to send the whole wheel for it: then nothing is compared
        and nothing said, for the index vouches for both files with their hashes. That one does them wrongly
        is said. A wheel that is no archive, or has no document, differs.

        Raises:
            UnreachableError: the server is down, so nothing is known yet.
        """
        key = (wheel.file.url, wheel.label)
        with self._lock:
            known = self._verdicts.get(key)
        if known is not None and known[0] is wheel.document:
            return known[1]
        verdict = self._compare(wheel)
        if local_path(wheel.file.url) is None:  # a file of this machine may be another one next time
            with self._lock:
                while len(self._verdicts) >= _KEPT_VERDICTS:
                    del self._verdicts[next(iter(self._verdicts))]
                self._verdicts[key] = (wheel.document, verdict)
        return verdict

    def differences(self, wheels: Iterable[ChosenWheel]) -> list[tuple[ChosenWheel, str]]:
        """Compare wheels, all at once; return those that contradict their documents.

        A server that is down makes no difference here: it may not be asked for that wheel at all.
        """
        wanted = list(wheels)
        if not wanted:
            return []
        with ThreadPoolExecutor(min(EAGER_WHEELS, len(wanted))) as pool:
            verdicts = list(pool.map(self._verify_or_wait, wanted))
        return [
            (wheel, verdict.difference)
            for wheel, verdict in zip(wanted, verdicts, strict=True)
            if verdict.difference is not None
        ]

    def costs_nothing(self, wheel: ChosenWheel) -> bool:
        """Tell whether a wheel can be compared without a request."""
        return self._wheels.known(wheel.file) is not None

    def _verify_or_wait(self, wheel: ChosenWheel) -> Verdict:
        with suppress(UnreachableError):
            return self.verify(wheel)
        return Verdict()

    def _compare(self, wheel: ChosenWheel) -> Verdict:
        # Imported here: most runs meet no variants.
        from variant_index.generations.agreement import disagreement
        from variant_index.model.document import DocumentError
        from variant_index.wheel.archive import WheelError

        shown = printable(wheel.file.filename)
        try:
            members = self._wheels.read(wheel.file)
            if members is None:
                return Verdict()
            if members.variant_json is None:
                return Verdict(f"{shown} has no variant.json")
            found = disagreement(
                members.variant_json, wheel.label, wheel.document, f"{wheel.file.filename}: variant.json"
            )
        except UnreachableError:
            raise
        except UpstreamError as error:
            return Verdict(unread=f"{shown} was not compared with its release's document: {error}")
        except WheelError as error:
            if error.rule == "WHL001":
                return Verdict()  # gone, or not ours to read: who asks for it is told so
            if error.rule in _NOT_READ:
                return Verdict(unread=f"not compared with its release's document: {error}")
            return Verdict(str(error))
        except DocumentError as error:
            return Verdict(str(error))
        return Verdict(
            found and f"{shown} {found}, unlike {sidecar_filename(wheel.name, str(wheel.version))}"
        )


def present_verified(
    present: Callable[[Mapping[Version, VariantsDocument]], Presented],
    documents: Mapping[Version, VariantsDocument],
    verifier: WheelVerifier,
) -> tuple[Presented, Mapping[Version, VariantsDocument], list[str]]:
    """Present a page by the documents that its wheels do not contradict, as far as that is looked at.

    Looked at are the wheels of the newest releases, in the order in which installers take them, and all that
    cost no request. That may be repeated a few times, for another release may come first without the first.

    Args:
        present: presents the page by some of the documents.
        documents: the usable documents.
        verifier: compares.

    Returns:
        The page, the documents left, and printable lines on those that are not: the newest ones one each.
    """
    left = dict(documents)
    contradicted: dict[Version, str] = {}
    for _ in range(_ROUNDS):
        presented = present(left)
        wrong = verifier.differences(_likely(presented, left, verifier))
        if not wrong:
            break
        for wheel, difference in wrong:
            if left.pop(wheel.version, None) is not None:
                contradicted[wheel.version] = _ignored(wheel, difference)
    else:
        presented = present(left)
    newest = sorted(contradicted, reverse=True)
    problems = [contradicted[version] for version in newest[:_SHOWN]]
    if (others := len(newest) - _SHOWN) > 0:
        problems.append(
            f"variants of {others} older releases of {presented.name} are ignored as well:"
            " their wheels contradict their documents"
        )
    return presented, left, problems


def choose_verified(
    choose: Callable[[Mapping[Version, VariantsDocument]], ReleaseVerdict | None],
    documents: Mapping[Version, VariantsDocument],
    verifier: WheelVerifier,
) -> tuple[ReleaseVerdict | None, list[str]]:
    """Choose a release by the documents that the winning wheel does not contradict.

    Args:
        choose: chooses by some of the documents.
        documents: the usable documents.
        verifier: compares.

    Returns:
        The verdict, and one printable line for each document that was left out or not compared.

    Raises:
        UnreachableError: the winner's server is down.
    """
    left = dict(documents)
    problems: list[str] = []
    while True:
        verdict = choose(left)
        winner = verdict.selected if verdict is not None else None
        if verdict is None or winner is None or not winner.label:
            return verdict, problems
        version = verdict.release.version
        wheel = ChosenWheel(verdict.release.name, version, winner.label, winner.file, left[version])
        compared = verifier.verify(wheel)
        if compared.unread is not None:
            problems.append(compared.unread)
        if compared.difference is None:
            return verdict, problems
        del left[version]
        problems.append(_ignored(wheel, compared.difference))


def _ignored(wheel: ChosenWheel, difference: str) -> str:
    return f"variants of {wheel.name} {wheel.version} are ignored: {difference}"


def _likely(
    presented: Presented, documents: Mapping[Version, VariantsDocument], verifier: WheelVerifier
) -> list[ChosenWheel]:
    found = [ChosenWheel.of(listed, documents) for listed in presented.files]
    wheels = [wheel for wheel in found if wheel is not None]
    wheels.sort(
        key=lambda wheel: (not wheel.file.yanked, not wheel.version.is_prerelease, wheel.version),
        reverse=True,
    )
    others = [wheel for wheel in wheels[EAGER_WHEELS:] if verifier.costs_nothing(wheel)]
    return [*wheels[:EAGER_WHEELS], *others]
