"""`variant-index shim`: the variant-aware index in front of any installer."""

from __future__ import annotations

import signal
import threading
from functools import partial
from types import FrameType
from typing import Any

import click

from variant_index.cli.domain_settings import detection_settings
from variant_index.cli.extension_settings import extension_settings
from variant_index.cli.messages import say
from variant_index.cli.setting_options import DETECTION, configured, setting_options
from variant_index.cli.source_options import SOURCES, SourceOptions, source_options, target_python

__all__ = ["command"]

_EPILOG = """\b
Examples:
  variant-index shim --index-url http://127.0.0.1:8000/simple/
  uv pip install torch --default-index "$(head -1 shim.out)"
"""


@click.command(name="shim", epilog=_EPILOG)
@source_options
@setting_options(*DETECTION)
@click.option(
    "--port",
    default=0,
    type=click.IntRange(0, 65535),
    help="The port on 127.0.0.1; 0, the default, takes any free one.",
)
def command(
    *,
    python: str | None,
    port: int,
    **given: Any,
) -> int:
    """Run the variant-aware index until Ctrl-C or SIGTERM.

    The first line on stdout is the address to give to an installer as its only index. It holds a
    secret that changes with each run, and answers on this machine only. Choices, warnings and errors go
    to stderr as they happen.
    """
    from variant_index.shim.journal import Journal
    from variant_index.shim.server import ShimServer
    from variant_index.shim.target import tags_of

    configuration = configured(given, *SOURCES, *DETECTION)
    options = SourceOptions.of(configuration)
    detection = detection_settings(configuration)
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    target = target_python(python)
    server = ShimServer(
        options.sources(),
        options.network(),
        lambda: detection.profile(partial(say, "warning")),
        lambda: tags_of(target),
        Journal(say),
        torch=options.torch(),
        routing=options.routing(),
        extensions=extension_settings(lambda: target),
        port=port,
    )
    with server:
        click.echo(server.index_url)
        stop.wait()
    return 0
