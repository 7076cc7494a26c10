"""`variant-index serve`: serve a static index on loopback."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType

import click

__all__ = ["command"]

_EPILOG = """\b
Examples:
  variant-index serve site
  variant-index serve site --port 0
  pip install torch --index-url http://127.0.0.1:8000/simple/
"""


@click.command(name="serve", epilog=_EPILOG, no_args_is_help=True)
@click.argument("out", metavar="OUT", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--port",
    default=8000,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="The port on 127.0.0.1; 0 takes any free one.",
)
def command(out: Path, port: int) -> None:
    """Serve the index that `variant-index build` wrote to OUT, until Ctrl-C or SIGTERM.

    The first line on stdout is the index URL. It listens on 127.0.0.1 only; to serve others, put OUT
    on any static web host.
    """
    from variant_index.publish.serve import IndexServer

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        with IndexServer(out, port) as server:
            click.echo(server.url)
            server.serve_forever(poll_interval=0.1)
    except _StopServing:
        pass


class _StopServing(Exception):  # noqa: N818 -- a request, not an error
    """Raised in the main thread by the signals that end the server."""


def _stop(_number: int, _frame: FrameType | None) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # an impatient second Ctrl-C must not end in a traceback
    raise _StopServing
