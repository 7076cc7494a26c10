"""`variant-index shim`: the variant-aware index in front of any installer."""

from __future__ import annotations

from typing import Any

import click

from variant_index.cli.domain_settings import detection_settings
from variant_index.cli.extension_settings import extension_settings
from variant_index.cli.listening import LISTENING, listening_endpoint, shown_address, targets
from variant_index.cli.messages import say
from variant_index.cli.setting_options import DETECTION, configured, setting_options
from variant_index.cli.source_options import SOURCES, SourceOptions, source_options, target_python
from variant_index.cli.trust_option import source_variables, trust_option, trust_providers
from variant_index.errors import InputError

__all__ = ["command"]

_EPILOG = """\b
Examples:
  variant-index shim --index-url http://127.0.0.1:8000/simple/
  uv pip install torch --default-index "$(head -1 shim.out)"
  variant-index shim --listen 0.0.0.0:8765 --allow-host shim.example --machine-profile gpu-box=gpu-box.json
  pip install torch --index-url "http://shim.example:8765/$(cat token)/m/gpu-box/simple/"
"""


@click.command(name="shim", epilog=_EPILOG)
@source_options
@setting_options(*DETECTION)
@trust_option
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="The port on 127.0.0.1; 0, the default, takes any free one.",
)
@setting_options(*LISTENING)
def command(*, python: str | None, port: int | None, trust_provider: tuple[str, ...], **given: Any) -> int:
    """Run the variant-aware index until Ctrl-C or SIGTERM.

    The first line on stdout is the address to give to an installer as its only index. It holds a
    secret that changes with each run, and answers on this machine only. Choices, warnings and errors go
    to stderr as they happen.

    With --listen it serves a team, for long: the secret stays the same and is named by its file only,
    clients choose their machine by the path (/m/NAME/, /py3.12/), /healthz and /metrics tell how it does,
    and after SIGTERM it finishes what it has begun. See docs/long-running.md.
    """
    from variant_index.cli.ending_signals import ending_signals
    from variant_index.shim.endpoint import Endpoint
    from variant_index.shim.journal import Journal
    from variant_index.shim.server import ShimServer
    from variant_index.shim.service_manager import notify
    from variant_index.shim.target import tags_of

    configuration = configured(given, *SOURCES, *DETECTION, *LISTENING)
    options = SourceOptions.of(configuration)
    detection = detection_settings(configuration)
    trust_providers(
        trust_provider, lambda: source_variables(options), say, enabled=detection.providers.enabled
    )
    listens = configuration.text("listen") is not None and port is None
    if port is not None and configuration.is_given("listen"):
        raise InputError("--port and --listen exclude each other: --listen HOST:PORT names both")
    journal = Journal(say)

    def warn(line: str) -> None:
        journal.warn([line])  # said once, however often the machine is looked at

    others = targets(configuration, detection, warn) if listens else None
    sources, network, torch, routing = (
        options.sources(),
        options.network(),
        options.torch(),
        options.routing(),
    )
    wait_for_end = click.get_current_context().with_resource(ending_signals())
    target = target_python(python)
    endpoint = listening_endpoint(configuration) if listens else Endpoint.open(port or 0)
    server = ShimServer(
        sources,
        network,
        lambda: detection.profile(warn),
        lambda: tags_of(target),
        journal,
        torch=torch,
        routing=routing,
        # What is installed here says nothing of the machines of others.
        extensions=extension_settings(configuration, None if listens else lambda: target),
        endpoint=endpoint,
        targets=others,
    )
    with server:
        click.echo(shown_address(configuration, endpoint) if listens else server.index_url)
        notify("READY=1")
        wait_for_end()
        notify("STOPPING=1")
        if listens and (left := server.finish(configuration.seconds("stop-timeout"))):
            warn(f"{left} answers were not finished in time")
    return 0
