"""`variant-index explain`: which variant of a release would be chosen, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Literal

import click

from variant_index.cli.detection_options import detection_options
from variant_index.cli.messages import coloured, say
from variant_index.cli.source_options import SourceOptions, source_options, target_python
from variant_index.detection import DetectionSettings
from variant_index.errors import InputError, printable

if TYPE_CHECKING:
    from packaging.requirements import Requirement
    from packaging.version import Version

    from variant_index.model.document import VariantsDocument
    from variant_index.model.explain_report import ExplainReport
    from variant_index.model.properties import Properties
    from variant_index.shim.target import TargetPython
    from variant_index.shim.torch_family import TorchFamily
    from variant_index.shim.version_choice import ReleaseVerdict

__all__ = ["command"]

_EPILOG = """\b
Examples:
  variant-index explain torch
  variant-index explain "torch<2.9" --index-url http://127.0.0.1:8000/simple/
  variant-index explain torch --machine cuda12.8-sm90
  variant-index explain torch --machine gpu-box.json --json
"""


@click.command(name="explain", epilog=_EPILOG, no_args_is_help=True)
@click.argument("requirement")
@source_options
@detection_options
@click.option("--pre", is_flag=True, help="Consider prereleases too.")
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON (see schemas/).")
def command(
    requirement: str,
    *,
    python: str | None,
    machine: str | None,
    detection_timeout: float,
    on_detection_failure: Literal["error", "cpu"] | None,
    pre: bool,
    as_json: bool,
    **source: Any,
) -> int:
    """Show which build of REQUIREMENT would be installed here, and why.

    The release is chosen as pip does it: the newest one that matches and of which anything can be
    installed. Then every file of that release is listed with its verdict, the winner first. Ends with
    status 1 when nothing fits.
    """
    parsed = _parse_requirement(requirement)
    options = SourceOptions(**source)
    detection = DetectionSettings(machine, detection_timeout, on_detection_failure)
    detection.check()
    verdict, warnings = _explain(parsed, options, target_python(python), detection, pre=pre)
    for warning in warnings:
        say("warning", warning)
    report = _report(parsed, verdict)
    if as_json:
        click.echo(report.model_dump_json(indent=2))
    else:
        click.echo(_table(report, requirement), nl=False)
    return 0 if report.selected is not None else 1


def _parse_requirement(text: str) -> Requirement:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        rule = str(error).partition("\n")[0]
        raise InputError(f"{printable(text)!r} is not a requirement (PEP 508): {printable(rule)}") from None
    if requirement.url is not None:
        raise InputError(f"{printable(text)!r} names one file, so there is nothing to choose")
    return requirement


def _explain(
    requirement: Requirement, options: SourceOptions, python: str, detection: DetectionSettings, *, pre: bool
) -> tuple[ReleaseVerdict | None, list[str]]:
    from variant_index.model.filename import canonical_name
    from variant_index.shim.target import ask_target
    from variant_index.shim.torch_family import TorchFamily
    from variant_index.torch_index.family import FAMILY

    name = canonical_name(requirement.name)
    torch = options.torch()
    supported = cache(lambda: detection.profile(partial(say, "warning")).supported())
    if torch.source is not None and name in FAMILY:
        family = TorchFamily.open(torch, options.network())
        assert family is not None
        return _explain_family(requirement, family, supported(), ask_target(python), pre=pre)
    return _explain_release(requirement, options, supported, ask_target(python), pre=pre)


def _explain_family(
    requirement: Requirement,
    family: TorchFamily,
    supported: Properties,
    target: TargetPython,
    *,
    pre: bool,
) -> tuple[ReleaseVerdict | None, list[str]]:
    from variant_index.model.filename import canonical_name
    from variant_index.shim.family_choice import choose_family_release, passes_over
    from variant_index.shim.torch_family import held_back_note

    name = canonical_name(requirement.name)
    project = family.project(name, supported, target.tags)
    if project is None:
        return None, [f"PyTorch's index has no project {printable(name)}"]
    verdict = choose_family_release(requirement, project, allow_prereleases=pre)
    note = held_back_note(project) if passes_over(requirement, project) else None
    return verdict, [*project.problems, *project.warnings, *([note] if note is not None else [])]


def _explain_release(
    requirement: Requirement,
    options: SourceOptions,
    supported: Callable[[], Properties],
    target: TargetPython,
    *,
    pre: bool,
) -> tuple[ReleaseVerdict | None, list[str]]:
    from variant_index.model.filename import canonical_name
    from variant_index.selection.choice import Choice
    from variant_index.shim.present import choose_release, held_back_releases, yanked_release
    from variant_index.shim.verification import WheelVerifier, choose_verified
    from variant_index.shim.version_choice import choose_version
    from variant_index.upstream.project import Upstream
    from variant_index.upstream.releases import Release, group_releases
    from variant_index.upstream.remote_wheel import WheelReader
    from variant_index.upstream.sidecar import SidecarReader

    name = canonical_name(requirement.name)
    network = options.network()
    fetched = Upstream(options.sources(), network).project(name)
    if fetched is None:
        return None, [f"no source has project {printable(name)}"]
    warnings = [*fetched.problems, *fetched.page.problems]
    grouped = group_releases(fetched.page)
    # Newer releases than those that match decide nothing.
    matching = [
        version for version in grouped.by_version if requirement.specifier.contains(version, prereleases=True)
    ]
    relevant = [one for one in grouped.with_variants if matching and one.version <= max(matching)]
    documents = SidecarReader(network).read(relevant)
    warnings += documents.problems

    def choose(usable: Mapping[Version, VariantsDocument]) -> ReleaseVerdict | None:
        def judge(release: Release) -> Choice:
            machine = supported() if release.has_variants else {}
            return choose_release(release, usable.get(release.version), machine, target.tags)

        releases = dict(grouped.by_version)
        if options.torch().prefer == "hardware":
            choices = {release.version: judge(release) for release in relevant}
            for version, reason in held_back_releases(releases, choices, usable).items():
                releases[version] = yanked_release(releases[version], reason)
        return choose_version(requirement, releases.values(), target.tags, judge, allow_prereleases=pre)

    verifier = WheelVerifier(WheelReader(network))
    verdict, problems = choose_verified(choose, documents.by_version, verifier)
    return verdict, [*warnings, *problems]


def _report(requirement: Requirement, verdict: ReleaseVerdict | None) -> ExplainReport:
    from variant_index.model.explain_report import CandidateReport, ExplainReport, SelectedReport
    from variant_index.model.filename import canonical_name

    name = canonical_name(requirement.name)
    if verdict is None:
        return ExplainReport(name=name, version=None, selected=None, candidates=[])
    winner = verdict.selected
    return ExplainReport(
        name=name,
        version=str(verdict.release.version),
        selected=winner
        and SelectedReport(label=winner.label, filename=winner.file.filename, url=winner.file.url),
        candidates=[
            CandidateReport(
                label=verdict_on.label,
                filename=verdict_on.file.filename,
                compatible=verdict_on.rank is not None,
                rank=verdict_on.rank,
                reason=verdict_on.reason,
            )
            for verdict_on in verdict.files
        ],
    )


def _table(report: ExplainReport, requirement: str) -> str:
    if report.version is None:
        return f"No release of {report.name} matches {printable(requirement)}.\n"
    rows = [
        (
            "*" if one.rank == 1 else " ",
            str(one.rank or "-"),
            one.label or "(none)",
            one.reason,
            printable(one.filename),
        )
        for one in report.candidates
    ]
    header = (" ", "rank", "label", "verdict", "file")
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (header, *rows)
    ]
    if report.selected is not None:
        lines[1] = coloured(lines[1], "green", bold=True)
    end = "" if report.selected is not None else "Nothing of this release can be installed here.\n"
    return f"{report.name} {report.version}\n\n" + "\n".join(lines) + "\n" + end
