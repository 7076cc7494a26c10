"""`variant-index explain`: what would be installed, from where, and why."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import click

from variant_index.cli.domain_settings import detection_settings
from variant_index.cli.extension_settings import extension_settings
from variant_index.cli.json_report import json_text
from variant_index.cli.messages import say
from variant_index.cli.setting_options import DETECTION, configured, setting_options
from variant_index.cli.source_options import SOURCES, SourceOptions, source_options, target_python
from variant_index.cli.target_options import TargetOptions, target_options
from variant_index.cli.trust_option import source_variables, trust_option, trust_providers
from variant_index.errors import VariantIndexError

if TYPE_CHECKING:
    from variant_index.cli.asked import Asked
    from variant_index.clients.pip.wanted import Wanted
    from variant_index.detection import DetectionSettings
    from variant_index.extensions.settings import ExtensionSettings
    from variant_index.model.explain_report import ExplainReport
    from variant_index.selection.choice import TargetTags
    from variant_index.shim.explainer import Explainer, Explanation

__all__ = ["command"]

_AT_ONCE: Final = 8

_EPILOG = """\b
Examples:
  variant-index explain torch
  variant-index explain "torch<2.9" --index-url http://127.0.0.1:8000/simple/
  variant-index explain torch --machine cuda12.8-sm90
  variant-index explain torch --platform win_amd64 --python-version 3.13 --machine cuda13.0
  variant-index explain -r requirements.txt -c constraints.txt
  variant-index explain torch torchvision --machine gpu-box.json --json
"""


@click.command(name="explain", epilog=_EPILOG, no_args_is_help=True)
@click.argument("requirements", nargs=-1)
@click.option(
    "-r",
    "--requirement",
    "files",
    type=click.Path(),
    multiple=True,
    metavar="FILE",
    help="A requirements file; may be repeated.",
)
@click.option(
    "-c",
    "--constraint",
    "constraints",
    type=click.Path(),
    multiple=True,
    metavar="FILE",
    help="A constraints file, likewise.",
)
@source_options
@target_options
@setting_options(*DETECTION)
@trust_option
@click.option(
    "--only-binary",
    multiple=True,
    metavar="NAME,...|:all:",
    help="Take no source distributions of these projects, as pip's option. May be repeated.",
)
@click.option(
    "--no-binary",
    multiple=True,
    metavar="NAME,...|:all:",
    help="Take no wheels of these projects, as pip's option. May be repeated.",
)
@click.option("--pre", is_flag=True, help="Consider prereleases too.")
@click.option("--json", "as_json", is_flag=True, help="Print the verdicts as JSON (see schemas/).")
def command(
    requirements: Sequence[str],
    *,
    files: Sequence[str],
    constraints: Sequence[str],
    python: str | None,
    only_binary: Sequence[str],
    no_binary: Sequence[str],
    pre: bool,
    as_json: bool,
    trust_provider: tuple[str, ...],
    **given: Any,
) -> int:
    """Show which build of each requirement would be installed here, and why.

    The release is chosen as pip does it: the newest one that matches and of which anything can be
    installed. Then every file of that release is listed with its verdict, the winner first, and why newer
    releases were passed over. Requirements of the requirements are not looked at. Ends with status 1 when
    nothing fits for one of them.
    """
    from variant_index.cli.asked import read_asked
    from variant_index.cli.explain_text import explanation_text
    from variant_index.model.explain_report import ExplainListReport
    from variant_index.model.wishes import Wishes
    from variant_index.shim.target import ask_target

    chosen_target = TargetOptions.taken_from(given)
    asked = read_asked(requirements, files, constraints, only_binary, no_binary)
    prereleases = pre or asked.pre
    configuration = configured(given, *SOURCES, *DETECTION)
    options = SourceOptions.of(configuration)
    detection = detection_settings(configuration)
    trust_providers(
        trust_provider, lambda: source_variables(options), say, enabled=detection.providers.enabled
    )
    interpreter = target_python(python)
    target = ask_target(interpreter)
    wanted = asked.wanted(target)
    tags = chosen_target.tags(interpreter, target.tags) if chosen_target else target.tags
    alone = len(wanted) == 1 and not files
    extensions = extension_settings(
        configuration,
        lambda: interpreter,
        Wishes(
            tuple(line.text for line in asked.lines if not line.constraint),
            tuple(line.text for line in asked.lines if line.constraint),
            prereleases=prereleases,
            # What is installed here says nothing of another target.
            into_environment=not chosen_target,
        ),
    )
    explainer = _explainer(
        options, asked, tags, detection, extensions, target=chosen_target, prereleases=prereleases
    )
    status = 0
    reports: list[ExplainReport] = []
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for one, answer in zip(wanted, pool.map(partial(_answer, explainer), wanted), strict=True):
            if isinstance(answer, VariantIndexError):
                if alone:
                    raise answer
                say("error", str(answer))
                status = max(status, answer.exit_code)
            else:
                for warning in answer.warnings if answer is not None else ():
                    say("warning", warning)
            reports.append(_report(one, answer))
    if any(report.selected is None and report.ignored is None and report.error is None for report in reports):
        status = max(status, 1)
    if as_json:
        document = reports[0] if alone else ExplainListReport(requirements=reports)
        click.echo(json_text(document))
    else:
        click.echo("\n".join(map(explanation_text, reports)), nl=False)
    return status


def _explainer(
    options: SourceOptions,
    asked: Asked,
    tags: TargetTags,
    detection: DetectionSettings,
    extensions: ExtensionSettings,
    *,
    target: TargetOptions,
    prereleases: bool,
) -> Explainer:
    from variant_index.shim.expected_torch import ExpectedTorch
    from variant_index.shim.explainer import Explainer
    from variant_index.shim.extension_builds import ExtensionBuilds
    from variant_index.shim.settle import MarkerSettler
    from variant_index.shim.torch_family import TorchFamily
    from variant_index.shim.torch_requirement import TorchRequirements
    from variant_index.shim.torch_upstream import TorchUpstream
    from variant_index.shim.verification import WheelVerifier
    from variant_index.upstream.project import Upstream
    from variant_index.upstream.published_metadata import PublishedMetadata
    from variant_index.upstream.remote_wheel import WheelReader
    from variant_index.upstream.sidecar import SidecarReader

    for option in asked.sources:
        # As pip has it: an index in a file replaces those named before it, all else adds.
        if option.name == "no-index":
            options = replace(options, no_index=True)
        elif option.name == "index-url":
            options = replace(options, index_url=option.value, extra_index_urls=(), own_index=True)
        elif option.name == "extra-index-url":
            options = replace(options, extra_index_urls=(*options.extra_index_urls, option.value))
        elif option.name == "find-links":
            options = replace(options, find_links=(*options.find_links, option.value))
        elif option.name == "trusted-host":
            options = replace(options, trusted_hosts=(*options.trusted_hosts, option.value))
    network, torch, routing = options.network(), options.torch(), options.routing()
    family, wheels = TorchFamily.open(torch, network, routing), WheelReader(network)
    requirements = TorchRequirements(PublishedMetadata(wheels, network), extensions.marker_environment)
    upstream = Upstream(options.sources(), network, routing, allow_unhashed=torch.allow_unhashed)
    sidecars = SidecarReader(network)
    expected = ExpectedTorch(
        extensions, family, requirements, TorchUpstream(upstream, sidecars, requirements, torch.prefer)
    )
    if family is not None:
        family.follow(expected)
    return Explainer(
        upstream,
        sidecars,
        WheelVerifier(wheels),
        MarkerSettler(wheels, network),
        machine=lambda: detection.profile(partial(say, "warning"), target.platforms),
        tags=tags,
        family=family,
        extensions=ExtensionBuilds(expected),
        prefer=torch.prefer,
        prereleases=prereleases,
        # Nobody can build for another target.
        wheels_only=lambda name: bool(target) or asked.formats.wheels_only(name),
        sources_only=asked.formats.sources_only,
    )


def _answer(explainer: Explainer, wanted: Wanted) -> Explanation | VariantIndexError | None:
    """Return the explanation or the failure, None where nothing is to be installed."""
    if wanted.ignored is not None:
        return None
    try:
        return explainer.explain(wanted.name, wanted.specifier)
    except VariantIndexError as error:
        return error


def _tags(filename: str) -> str | None:
    from variant_index.model.filename import WheelFilename

    return WheelFilename.parse(filename).tag_set if filename.endswith(".whl") else None


def _report(wanted: Wanted, answer: Explanation | VariantIndexError | None) -> ExplainReport:
    from variant_index.model.explain_report import (
        CandidateReport,
        ExplainReport,
        HiddenReport,
        MarkerReport,
        NewerReport,
        PlatformReport,
        SelectedReport,
        SourceReport,
    )

    asked = {"requirement": wanted.text, "places": list(wanted.places), "ignored": wanted.ignored}
    if answer is None or isinstance(answer, VariantIndexError):
        error = None if answer is None else str(answer)
        return ExplainReport(
            name=wanted.name, version=None, selected=None, candidates=[], error=error, **asked
        )
    verdict = answer.verdict
    winner = verdict.selected if verdict is not None else None
    hint = None
    if verdict is not None and winner is not None:
        hint = wanted.pin_hint(str(verdict.release.version), winner.label, winner.file.hashes)
    origin = answer.origin
    return ExplainReport(
        name=wanted.name,
        version=str(verdict.release.version) if verdict is not None else None,
        selected=winner
        and SelectedReport(label=winner.label, filename=winner.file.filename, url=winner.file.url),
        candidates=[
            CandidateReport(
                label=one.label,
                filename=one.file.filename,
                compatible=one.rank is not None,
                rank=one.rank,
                reason=one.reason,
                tags=_tags(one.file.filename),
            )
            for one in (verdict.files if verdict is not None else ())
        ],
        source=origin and SourceReport(kind=origin.kind, url=origin.url, reason=origin.reason),
        newer=[NewerReport(version=str(one.version), reason=one.reason) for one in answer.newer],
        platforms=[
            PlatformReport(tags=one.tags, label=one.label, filename=one.filename) for one in answer.platforms
        ],
        notes=[*answer.notes, *([hint] if hint else [])],
        markers=[MarkerReport(requirement=one.requirement, becomes=one.becomes) for one in answer.markers],
        hidden=[
            HiddenReport(version=str(one.version), filename=one.filename, reason=one.reason)
            for one in answer.hidden
        ],
        **asked,
    )
