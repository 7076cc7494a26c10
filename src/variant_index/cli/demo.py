"""`variant-index demo`: install a small torch-like family as eight different machines."""

from __future__ import annotations

import click

__all__ = ["command"]

_EPILOG = """\b
Examples:
  variant-index demo
"""


@click.command(name="demo", epilog=_EPILOG)
def command() -> int:
    """Install a small torch-like family as eight different machines.

    In a temporary folder, builds a plain wheel and variants for CUDA and ROCm, indexes and serves them,
    and installs them with real pip: through variant-pip as eight forced machines, and once with plain
    pip. It needs no GPU and no network. Exit status 1 when a machine did not get the build that fits it.
    """
    from variant_index.demo.run import run_demo

    outcomes = run_demo()
    rows = [("machine", "variant-pip", "plain pip", "why")]
    rows += [(one.machine, one.label or "default", one.plain or "default", one.reason) for one in outcomes]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        click.echo("  ".join([*cells, row[3]]).rstrip())
    wrong = [outcome for outcome in outcomes if outcome.label != outcome.expected or outcome.plain]
    for outcome in wrong:
        click.echo(
            f"{outcome.machine}: expected {outcome.expected} and, with plain pip, the default wheel", err=True
        )
    return 1 if wrong else 0
