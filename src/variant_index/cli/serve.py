"""`variant-index serve`: serve a static index on loopback."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import click

__all__ = ["command"]

_EPILOG = """\b
Examples:
  variant-index serve site
  variant-index serve site --port 0
  pip install torch --index-url http://127.0.0.1:8000/simple/
"""


@click.command(name="serve", epilog=_EPILOG, no_args_is_help=True)
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
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

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    with IndexServer(out, port) as server:
        threading.Thread(target=server.serve_forever, args=[0.1], daemon=True).start()
        click.echo(server.url)
        while not stop.wait(1):  # with a timeout, so that Ctrl-C gets through on Windows
            pass
        server.shutdown()
