"""`variant-index machine`: what this machine can run, and where each fact came from."""

from __future__ import annotations

import click

from torch_variant_provider.table import profile_table
from variant_index.detection import detect_machine
from variant_index.model.machine import MachineProfile

__all__ = ["command"]

_EXAMPLES = """\b
Examples:
  variant-index machine
  variant-index machine --json > gpu-box.json
  NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION=12.8 variant-index machine
"""


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
    click.echo(_table(detect_machine(timeout, warn=lambda _line: None)), nl=False)


def _table(profile: MachineProfile) -> str:
    return profile_table(
        {
            namespace: {name: (fact.value, fact.source) for name, fact in found.items()}
            for namespace, found in profile.facts.items()
        },
        {
            namespace: {feature: list(values) for feature, values in features.items()}
            for namespace, features in profile.supported().items()
        },
        profile.notes,
    )
