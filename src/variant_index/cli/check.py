"""`variant-index check`: find what is wrong with wheels, releases and indexes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from variant_index.cli.json_report import json_text
from variant_index.cli.messages import coloured
from variant_index.errors import InputError, located, printable

if TYPE_CHECKING:
    from variant_index.check.sources import IndexSource
    from variant_index.model.check_report import CheckReport
    from variant_index.model.rules import Finding
    from variant_index.upstream.network import Network

__all__ = ["command"]

_COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}
_LONG_WORK_BYTES = 1 << 28

_EPILOG = """\b
Examples:
  variant-index check dist
  variant-index check torch-*.whl --strict --ignore REL101
  variant-index check site --format github
  variant-index check http://127.0.0.1:8000/simple/ --project torch --json
  variant-index check --list-rules
"""


def _list_rules(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted or context.resilient_parsing:
        return
    from variant_index.model.rules import RULES

    for rule in RULES.values():
        severity = coloured(f"{rule.severity:<7}", _COLOURS[rule.severity])
        click.echo(f"{rule.code}  {severity}  {rule.summary}: {rule.remedy}")
    context.exit()


@click.command(name="check", epilog=_EPILOG, no_args_is_help=True)
@click.argument("targets", metavar="WHEEL|DIR|INDEX|URL...", nargs=-1, required=True)
@click.option(
    "--select",
    metavar="CODES",
    multiple=True,
    help="Report these rules only: codes or prefixes, with commas.",
)
@click.option("--ignore", metavar="CODES", multiple=True, help="Report all rules but these.")
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
@click.option(
    "--project", "projects", metavar="NAME", multiple=True, help="Of an index, check this project only."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="How to print the findings; github: annotations of GitHub Actions.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--cert", type=click.Path(exists=True), metavar="PATH", help="Trusted certificates, as PEM.")
@click.option("--proxy", metavar="URL", help="A proxy for every request.")
@click.option(
    "--trusted-host",
    "trusted_hosts",
    multiple=True,
    metavar="HOST[:PORT]",
    help="A host that may use plain http or an unknown certificate; may be repeated.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.1, max=3600),
    default=15.0,
    show_default=True,
    help="Seconds to wait for an index.",
)
@click.option(
    "--list-rules",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_rules,
    help="Print every rule with its code, severity and remedy.",
)
def command(
    *,
    targets: tuple[str, ...],
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    strict: bool,
    projects: tuple[str, ...],
    form: str,
    as_json: bool,
    cert: str | None,
    proxy: str | None,
    trusted_hosts: tuple[str, ...],
    timeout: float,
) -> int:
    """Check wheels, the releases they make, and indexes.

    DIR is searched to any depth for wheels, source distributions and sidecars; one with an index in it
    (as variant-index build writes it) is checked as an index: its pages, every file they list, and what
    they say of it. The index at URL is downloaded for that, project by project. Every byte of a wheel is
    read. What is an error here, variant-index build refuses.

    Ends with 0 when nothing is wrong or there are only warnings, 1 when there are errors, 2 for wrong
    usage, 3 when an index cannot be reached.
    """
    from variant_index.check.choose import choose, exit_status, parse_codes
    from variant_index.model.check_report import check_report
    from variant_index.upstream.network import Network

    chosen, ignored = parse_codes(select), parse_codes(ignore)
    form = "json" if as_json else form
    network = Network(cert, proxy, trusted_hosts, timeout)
    files, findings = _check(targets, projects, network)
    findings = choose(findings, chosen, ignored)
    report = check_report(files, findings)
    if form == "json":
        click.echo(json_text(report))
    elif form == "github":
        from variant_index.check.github import workflow_commands

        for line in workflow_commands(report):
            click.echo(line)
    else:
        _print(report)
    return exit_status(findings, strict=strict)


def _check(targets: Sequence[str], projects: Sequence[str], network: Network) -> tuple[int, list[Finding]]:
    """Check all that is given; loose files together, because they may belong to one release."""
    from variant_index.check.index import check_index
    from variant_index.check.releases import check_files
    from variant_index.publish.find import find_files

    indexes, paths = _sort(targets, network)
    if projects and not indexes:
        raise InputError("--project chooses from an index, and there is none among what is given")
    files = 0
    findings: list[Finding] = []
    if paths:
        found = find_files(paths)
        if not found:
            names = ", ".join(printable(str(path)) for path in paths)
            raise InputError(f"{names}: no wheels there, and no index")
        with _bytes_bar(found) as on_bytes:
            findings += check_files(found, on_bytes=on_bytes).findings
        files += len(found)
    for index in indexes:
        with _projects_bar() as on_project:
            checked = check_index(index, projects, on_project=on_project)
        files += checked.files
        findings += checked.findings
    return files, findings


def _sort(targets: Sequence[str], network: Network) -> tuple[list[IndexSource], list[Path]]:
    from variant_index.check.sources import FolderIndex, RemoteIndex, index_folder
    from variant_index.upstream.local import local_path
    from variant_index.upstream.source import Source

    indexes: list[IndexSource] = []
    paths: list[Path] = []
    for target in targets:
        path = local_path(target)
        if path is None:
            indexes.append(RemoteIndex(Source(target).url, network))
        elif (folder := index_folder(path)) is not None:
            indexes.append(FolderIndex(folder))
        else:
            paths.append(path)
    return indexes, paths


def _print(report: CheckReport) -> None:
    remedies: dict[str, str] = {}
    for finding in report.findings:
        severity = coloured(finding.severity, _COLOURS[finding.severity], bold=finding.severity == "error")
        click.echo(f"{severity} {finding.code} {located(finding.message, finding.path or '')}")
        if finding.severity != "note":
            remedies[finding.code] = finding.remedy
    if remedies:
        click.echo("What to do:")
        for code, remedy in sorted(remedies.items()):
            click.echo(f"  {code}  {remedy}")
    counts = ", ".join(_count(*pair) for pair in ((report.errors, "error"), (report.warnings, "warning")))
    click.echo(f"{_count(report.files, 'file')}: {counts}")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


@contextmanager
def _bytes_bar(paths: Sequence[Path]) -> Iterator[Callable[[int], object] | None]:
    """Give a function that draws progress, or None when the work is short or nobody looks."""
    total = sum(path.stat().st_size for path in paths if path.name.endswith(".whl") and path.is_file())
    if total < _LONG_WORK_BYTES or not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=total, label="Checking", file=sys.stderr) as bar:
        yield bar.update


@contextmanager
def _projects_bar() -> Iterator[Callable[[int, int], object] | None]:
    if not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=1, label="Checking", file=sys.stderr) as bar:

        def update(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        yield update
