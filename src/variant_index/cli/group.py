"""The click group behind `variant-index`; its commands are imported when they are used."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

import click

from variant_index.cli.messages import say
from variant_index.cli.overview import COMMANDS, overview
from variant_index.errors import VariantIndexError

__all__ = ["cli", "run"]


class _LazyGroup(click.Group):
    """A group that knows its commands' names from the overview and imports only the one that is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"variant_index.cli.{cmd_name.replace('-', '_')}")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def get_help(self, ctx: click.Context) -> str:
        return overview().rstrip("\n")


@click.group(
    cls=_LazyGroup,
    name="variant-index",
    no_args_is_help=False,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="torch-variant-provider", message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Publish, choose and install wheel variants with unmodified installers."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(2)


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit status; expected errors become one line on stderr."""
    try:
        return _run(arguments)
    except BrokenPipeError:
        # The reader of our output went away; keep Python from complaining again when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except VariantIndexError as error:
        say("error", str(error))
        return error.exit_code
    except OSError as error:
        say("error", f"{error.filename}: {error.strerror}" if error.filename else str(error))
        return 2


def _run(arguments: Sequence[str]) -> int:
    try:
        status = cli.main(list(arguments), prog_name="variant-index", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("interrupted", err=True)
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    return status if isinstance(status, int) else 0
