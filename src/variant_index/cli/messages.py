"""Lines for people on stderr, and colour: only on a terminal, and never under `NO_COLOR`."""

from __future__ import annotations

import os

import click

__all__ = ["coloured", "say"]

_COLOURS = {"chosen": "green", "warning": "yellow", "error": "red", "refused": "red"}


def coloured(text: str, colour: str | None, *, bold: bool = False) -> str:
    """Return `text` in a colour, unless the user asked for none (https://no-color.org).

    click takes the colour away again where the output is not a terminal.
    """
    return text if os.environ.get("NO_COLOR") else click.style(text, fg=colour, bold=bold or None)


def say(kind: str, message: str) -> None:
    """Print `kind: message` on stderr.

    Args:
        kind: `error`, `refused`, `warning`, `note` or `chosen`; decides the colour.
        message: one printable line.
    """
    click.echo(f"{coloured(kind, _COLOURS.get(kind))}: {message}", err=True)
