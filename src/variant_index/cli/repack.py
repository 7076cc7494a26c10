"""`variant-index repack`: turn per-backend builds into variants of one release, by rules."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from variant_index.cli.json_report import json_text
from variant_index.cli.messages import say
from variant_index.errors import InputError, printable

if TYPE_CHECKING:
    from variant_index.model.repack_report import RepackedFile, RepackedWheel, RepackReport
    from variant_index.repack.carry_out import Outcome
    from variant_index.repack.plan import Plan, Planned, Target

__all__ = ["command"]

_EPILOG = """\b
Examples:
  variant-index repack whl/cu126 whl/cu130 whl/cpu --out wheels --dry-run
  variant-index repack whl --out wheels
  variant-index repack cupy_cuda1*.whl --rules cupy --out wheels
  variant-index repack --print-rules torch-extension > rules.toml
  variant-index repack dist --rules rules.toml --out wheels --json
"""


def _print_rules(context: click.Context, _: click.Parameter, name: str | None) -> None:
    if name is None or context.resilient_parsing:
        return
    from variant_index.repack.load import BUILT_IN, built_in_text

    if name not in BUILT_IN:
        raise click.BadParameter(f"there are {', '.join(BUILT_IN)}")
    click.echo(built_in_text(name), nl=False)
    context.exit()


@click.command("repack", epilog=_EPILOG, no_args_is_help=True)
@click.argument("paths", metavar="DIR|WHEEL...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    metavar="DIR",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the new wheels go.",
)
@click.option(
    "--rules",
    metavar="NAME|FILE",
    multiple=True,
    help="A built-in rule set or a TOML file with rules; may be repeated, the first rule that fits decides "
    "[default: all built-in sets: pytorch, torch-extension, cupy, jax].",
)
@click.option("--dry-run", is_flag=True, help="Print what would be made of each wheel and write nothing.")
@click.option("--force", is_flag=True, help="Write everything again, over wheels with other content too.")
@click.option(
    "--verify",
    is_flag=True,
    help="Compare every byte with RECORD first, as variant-index build does later; slower than copying.",
)
@click.option(
    "-j", "--jobs", type=click.IntRange(1, 64), default=4, show_default=True, help="Wheels at a time."
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON report instead of the table.")
@click.option(
    "--print-rules",
    metavar="NAME",
    is_eager=True,
    expose_value=False,
    callback=_print_rules,
    help="Print a built-in rule set, to start one's own from.",
)
def command(
    *,
    paths: tuple[Path, ...],
    out: Path,
    rules: tuple[str, ...],
    dry_run: bool,
    force: bool,
    verify: bool,
    jobs: int,
    as_json: bool,
) -> int:
    """Turn builds that name their backend themselves into variants of one release.

    The backend is in a local version (torch-2.9.0+cu126), a folder (cu126/torchvision-0.24.0) or the
    project's name (cupy-cuda12x); rules say what it stands for. Name, version and requirements change as
    the rules say; every byte of the payload stays, and nothing is compressed again.

    What is there already is not written again: repack.jsonl in DIR says which wheel each was made from. A
    bad wheel does not stop the others; the exit status is 2 when one could not be repacked.
    """
    from variant_index.model.repack_report import RepackReport
    from variant_index.repack.load import find_wheels, load_rules, read_sources
    from variant_index.repack.plan import plan_repack

    rule_sets = load_rules(rules)
    for rule_set in rule_sets:
        for notice in rule_set.settings.notices():
            say("warning", printable(f"{rule_set.source}: {notice}", 600))
    found = find_wheels(paths, out)
    with _bar("Reading", len(found)) as advance:
        sources, unreadable = read_sources(found, lambda: advance(1))
    plan = plan_repack(sources, rule_sets)
    if dry_run:
        wheels = [_wheel(one, out, ["planned"] * len(one.targets)) for one in plan.planned]
    else:
        wheels = [_outcome(outcome, out) for outcome in _carry_out(plan, out, force, verify, jobs)]
    wheels += _others(plan, ((one.path, one.reason) for one in unreadable))
    report = RepackReport(
        out=str(out), dry_run=dry_run, wheels=sorted(wheels, key=lambda wheel: wheel.source)
    )
    if as_json:
        click.echo(json_text(report))
    else:
        _print(report)
    return _summary(report)


def _carry_out(plan: Plan, out: Path, force: bool, verify: bool, jobs: int) -> list[Outcome]:
    from variant_index.repack.carry_out import carry_out

    total = sum(Path(one.source.path).stat().st_size for one in plan.planned)
    with _bar("Repacking", total) as advance:
        return list(carry_out(plan.planned, out, force=force, verify=verify, jobs=jobs, progress=advance))


@contextmanager
def _bar(what: str, length: int) -> Iterator[Callable[[int], object]]:
    """Give a function that draws progress, or one that does nothing when nobody looks."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with click.progressbar(length=length, label=what, file=sys.stderr) as bar:
        yield bar.update


_State = Literal["planned", "written", "done"]


def _outcome(outcome: Outcome, out: Path) -> RepackedWheel:
    wheel = _wheel(outcome.planned, out, outcome.states)
    return wheel.model_copy(update={"sha256": outcome.sha256, "error": outcome.error})


def _wheel(planned: Planned, out: Path, states: Sequence[_State]) -> RepackedWheel:
    from variant_index.model.repack_report import RepackedWheel

    return RepackedWheel(
        source=planned.source.path,
        digest=planned.source.digest,
        rules=planned.rules,
        rule=planned.rule,
        files=[_file(target, out, state) for target, state in zip(planned.targets, states, strict=False)],
    )


def _file(target: Target, out: Path, state: _State) -> RepackedFile:
    from variant_index.model.repack_report import RepackedFile

    return RepackedFile(
        path=str(out / target.name),
        name=target.filename.name,
        version=target.filename.version,
        label=target.filename.label,
        properties=[str(item) for item in target.properties],
        changes=list(target.changes),
        state=state,
    )


def _others(plan: Plan, unreadable: Iterable[tuple[str, str]]) -> list[RepackedWheel]:
    from variant_index.model.repack_report import RepackedWheel

    refused = [*unreadable, *((one.path, one.reason) for one in plan.refused)]
    return [
        *(RepackedWheel(source=one.path, left_out=one.reason) for one in plan.left_out),
        *(RepackedWheel(source=path, error=reason) for path, reason in refused),
    ]


def _print(report: RepackReport) -> None:
    files = [(printable(wheel.source, 4096), file) for wheel in report.wheels for file in wheel.files]
    table = [(source, file.label or "(plain)", Path(file.path).name, file.state) for source, file in files]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row, (_, file) in zip(table, files, strict=True):
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
        if report.dry_run:
            for line in (*_shortened(file.properties), *file.changes):
                click.echo(f"    {printable(line)}")


def _shortened(properties: Iterable[str]) -> list[str]:
    """Return one line a feature."""
    features: dict[str, list[str]] = {}
    for text in properties:
        feature, _, value = text.rpartition(" :: ")
        features.setdefault(feature, []).append(value)
    return [f"{feature} :: {' | '.join(values)}" for feature, values in features.items()]


def _summary(report: RepackReport) -> int:
    """Print what was left out and what failed, and return the exit status."""
    for wheel in report.wheels:
        if wheel.left_out is not None:
            say("left out", f"{printable(wheel.source)}: {printable(wheel.left_out, 400)}")
    failed = [wheel for wheel in report.wheels if wheel.error is not None]
    for wheel in failed:
        say("error", str(wheel.error))
    if failed and len(report.wheels) > 1:
        click.echo(f"{len(failed)} of {len(report.wheels)} wheels were not repacked", err=True)
    return InputError.exit_code if failed else 0
