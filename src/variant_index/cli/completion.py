"""`variant-index completion`: the script that makes a shell complete our commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

__all__ = ["command"]

_PROGRAM = "variant-index"
_VARIABLE = "_VARIANT_INDEX_COMPLETE"


@click.command(
    "completion",
    epilog="""\b
Examples:
  eval "$(variant-index completion bash)"                # now; or add the line to ~/.bashrc
  variant-index completion zsh > ~/.zfunc/_variant-index # a folder in $fpath
  variant-index completion fish > ~/.config/fish/completions/variant-index.fish
  eval "$(variant-pip completion --bash)"; complete -o default -F _pip_completion variant-pip
""",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script for SHELL.

    The shell then asks variant-index itself what can follow. pip completes its own words, for variant-pip
    as well, see the last example.
    """
    from variant_index.cli.group import cli

    complete = get_completion_class(shell)
    assert complete is not None
    click.echo(complete(cli, {}, _PROGRAM, _VARIABLE).source())
