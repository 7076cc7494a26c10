"""`variant-index machine`: what this machine can run, and where each fact came from."""

from __future__ import annotations

import click

from variant_index.detection import detect_machine
from variant_index.errors import printable
from variant_index.model.machine import MachineProfile

__all__ = ["command", "profile_table"]

_EXAMPLES = """\b
Examples:
  variant-index machine
  variant-index machine --json > gpu-box.json
  NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION=12.8 variant-index machine
"""

_SHOWN = 6  # values of a longer list, before its last one


@click.command(name="machine", epilog=_EXAMPLES)
@click.option("--json", "as_json", is_flag=True, help="Print a machine profile (see schemas/).")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.1, max=3600),
    default=20.0,
    show_default=True,
    help="Seconds to wait for the driver.",
)
def command(as_json: bool, timeout: float) -> None:
    """Show what this machine can run, and where each fact came from."""
    if as_json:
        click.echo(detect_machine(timeout).model_dump_json(indent=2))
        return
    # Every warning is one of the notes below.
    click.echo(profile_table(detect_machine(timeout, warn=lambda _line: None)), nl=False)


def profile_table(profile: MachineProfile) -> str:
    """Return a profile for people: facts, then properties with long lists cut, then notes."""
    facts = [
        (f"{namespace} {name}", _listed(fact.value), fact.source)
        for namespace, found in profile.facts.items()
        for name, fact in found.items()
    ]
    properties = [
        (f"{namespace} :: {feature}", _abbreviated(values))
        for namespace, features in profile.supported().items()
        for feature, values in features.items()
    ]
    blocks = [
        _columns([("FACT", "VALUE", "FROM"), *facts]) if facts else ["No GPU driver was found."],
        _columns([("PROPERTY", "VALUES, BEST FIRST"), *properties]) if properties else [],
        [f"note: {printable(note)}" for note in profile.notes],
    ]
    return "\n".join("".join(f"{line}\n" for line in block) for block in blocks if block)


def _listed(value: str | list[str]) -> str:
    return printable(value if isinstance(value, str) else ", ".join(value) or "none")


def _abbreviated(values: tuple[str, ...] | list[str]) -> str:
    if len(values) <= _SHOWN + 2:
        return ", ".join(values)
    return f"{', '.join(values[:_SHOWN])} ... {values[-1]} ({len(values)} values)"


def _columns(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
