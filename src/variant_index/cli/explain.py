"""`variant-index explain`: which variant of a release would be chosen, and why."""

from __future__ import annotations

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

    from variant_index.model.explain_report import ExplainReport
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
    from variant_index.selection.choice import Choice, choose
    from variant_index.shim.present import choose_release
    from variant_index.shim.target import ask_target
    from variant_index.shim.version_choice import choose_version
    from variant_index.upstream.project import Upstream
    from variant_index.upstream.releases import Release, group_releases
    from variant_index.upstream.sidecar import SidecarReader

    name = canonical_name(requirement.name)
    network = options.network()
    fetched = Upstream(options.sources(), network).project(name)
    if fetched is None:
        return None, [f"no source has project {printable(name)}"]
    target = ask_target(python)
    sidecars = SidecarReader(network)
    supported = cache(lambda: detection.profile(partial(say, "warning")).supported())
    warnings = [*fetched.problems, *fetched.page.problems]

    def judge(release: Release) -> Choice:
        if not release.has_variants:
            return choose(release.wheels, None, {}, target.tags)
        documents = sidecars.read([release])
        warnings.extend(documents.problems)
        return choose_release(release, documents.by_version.get(release.version), supported(), target.tags)

    releases = group_releases(fetched.page).by_version.values()
    verdict = choose_version(requirement, releases, target.version, judge, allow_prereleases=pre)
    return verdict, warnings


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
