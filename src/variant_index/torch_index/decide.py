"""Which releases of a project of the torch family this machine gets, and which it is held back from; pure.

Every release of the torch family keeps at most one backend that installers may take by themselves. Its other
builds that fit the interpreter stay listed as yanked (PEP 592), so that `torch==2.9.0+cpu` works; a release
without any build for this machine is hidden: pip takes a yanked file when nothing else satisfies `==`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from packaging.version import Version

from variant_index.model.properties import Properties
from variant_index.selection.choice import TargetTags
from variant_index.selection.preference import Preference, held_back
from variant_index.torch_index.agreement import Companion, FamilyBackend
from variant_index.torch_index.builds import Build
from variant_index.torch_index.family import torch_release
from variant_index.torch_index.release import ANYWHERE, ReleaseDecision, ReleaseJudge

__all__ = ["decide", "family_backend"]


def family_backend(torch: Sequence[ReleaseDecision]) -> FamilyBackend:
    """Return what torch's own decisions (newest first) mean for its family."""
    tied = {decision.version: decision.backend for decision in torch if decision.backend is not None}
    free = [decision.version for decision in torch if decision.held_back is None and decision.version in tied]
    final = [version for version in free if not version.is_prerelease]
    held = {one.version: one.held_back for one in torch if one.held_back is not None}
    incomplete = frozenset(one.version for one in torch if not one.is_complete)
    return FamilyBackend(tied, next(iter(final or free), None), held, incomplete)


def decide(
    name: str,
    builds: Mapping[Version, Iterable[Build]],
    supported: Properties,
    tags: TargetTags,
    *,
    family: FamilyBackend | None = None,
    before: Sequence[ReleaseDecision] | None = None,
    beside: Sequence[Companion] = (),
    prefer: Preference = "hardware",
    allow_unhashed: bool = False,
) -> tuple[ReleaseDecision, ...]:
    """Decide for every release of one project; those without any usable build are left out.

    Args:
        name: the project's normal name.
        builds: its wheels by public version.
        supported: what the machine supports, as `priorities` takes it.
        tags: the target interpreter's tags.
        family: what was decided for torch; None for torch itself.
        before: what was decided here while nothing was settled; None where nothing is.
        beside: for torch itself, what will be installed with it.
        prefer: `hardware` holds releases back that would run on the CPU where an older one uses the GPU.
        allow_unhashed: whether wheels without a hash may be used.

    Returns:
        The releases, newest first; equal for any order of the input.
    """
    decisions = []
    for version in sorted(builds, reverse=True):
        torch = torch_release(name, version) if family is None else family.release(name, version)
        judge = ReleaseJudge(
            version,
            supported,
            tags,
            torch,
            family.by_release.get(torch) if family is not None and torch is not None else None,
            family is not None and torch in family.settled,
            tuple(one.offer(version) for one in beside),
            allow_unhashed=allow_unhashed,
        )
        if (decision := judge.decide(builds[version])) is not None:
            if not decision.agrees:
                decision = _held(decision, f"{name} {version} {judge.disagreement}")
            decisions.append(decision)
    if prefer == "version":
        return tuple(decisions)
    # What is installed does not decide which releases use the machine.
    return tuple(_hold_back(name, decisions, decisions if before is None else before, family))


def _hold_back(
    name: str,
    decisions: Sequence[ReleaseDecision],
    before: Sequence[ReleaseDecision],
    family: FamilyBackend | None,
) -> list[ReleaseDecision]:
    """Yank releases that would run on the CPU where an older one uses the hardware.

    Args:
        name: the project's normal name.
        decisions: its releases.
        before: the same, as if nothing were known of the torch that there will be.
        family: what was decided for torch.
    """

    def is_tied(version: Version) -> bool:
        return torch_release(name, version) is not None

    def can_be_had(decision: ReleaseDecision) -> bool:
        if family is None:
            return decision.is_complete
        torch = torch_release(name, decision.version)
        return torch is None or (torch in family.by_release and torch not in family.incomplete)

    known = {one.version: one for one in decisions}
    known |= {one.version: one for one in before if is_tied(one.version)}
    better = held_back(
        {
            one.version: one.uses_hardware and can_be_had(one)
            for one in known.values()
            if one.backend is not None and one.agrees
        }
    )
    found = []
    for decision in decisions:
        version = decision.version
        torch = family.release(name, version) if family is not None and is_tied(version) else None
        why = None
        if not decision.agrees or (family is not None and torch in family.settled):
            pass  # held back already, or what goes with the torch that there will be
        elif version in better and not decision.uses_hardware:
            best = known[better[version]]
            why = (
                f"{name} {version} has no build for this machine's GPU"
                f" ({decision.reason.removeprefix(f'{ANYWHERE}; ')});"
                f" {best.version} ({best.label}) uses it, VARIANT_INDEX_PREFER=version takes the newest"
            )
        elif family is not None and torch is not None and torch in family.held_back:
            why = f"{name} {version} is held back as its torch is: {family.held_back[torch]}"
        found.append(decision if why is None else _held(decision, why))
    return found


def _held(decision: ReleaseDecision, why: str) -> ReleaseDecision:
    # Its other builds cannot run here, or not with torch; if listed, pip would take the highest for `==`.
    hidden = (replace(verdict, rank=None, yanked=None) for verdict in decision.pinnable)
    return replace(decision, pinnable=(), refused=(*hidden, *decision.refused), held_back=why)
