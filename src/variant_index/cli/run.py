"""`variant-index run`: any installer behind the shim."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from variant_index.cli.domain_settings import detection_settings, routing, torch_settings
from variant_index.cli.extension_settings import extension_settings
from variant_index.cli.messages import say
from variant_index.cli.setting_options import DETECTION, configured, setting_options
from variant_index.cli.trust_option import OPTION, own_pip_variables, trust_option, trust_providers

if TYPE_CHECKING:
    from variant_index.clients.takeover import Index, Takeover
    from variant_index.configuration.effective import Configuration
    from variant_index.selection.choice import TargetTags
    from variant_index.shim.endpoint import Endpoint
    from variant_index.shim.journal import Journal
    from variant_index.torch_index.settings import TorchSettings
    from variant_index.upstream.network import Network
    from variant_index.upstream.source import Source

__all__ = ["command"]

_T = TypeVar("_T")

_BESIDE_DETECTION = 15.0
"""Seconds that everything else may take besides detection."""

_SETTINGS = (
    *DETECTION,
    *("torch-index", "torch-backends", "allow-unhashed", "prefer", "route", "merge", "keep-address"),
)

_EPILOG = """\b
Examples:
  variant-index run -- uv pip install torch
  variant-index run -- poetry install
  variant-index run -- pip-compile --generate-hashes requirements.in
  variant-index run --machine cuda12.8-sm90 -- pdm lock
"""


@click.command(
    name="run",
    epilog=_EPILOG,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@setting_options(*DETECTION, "torch-index", "allow-unhashed", "prefer", "route", "merge", "keep-address")
@trust_option
@click.option(
    "--allow-loopback-lock",
    is_flag=True,
    help="Let the installer write the shim's addresses, which are gone afterwards, into a lock file.",
)
@click.argument("client")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(
    *,
    allow_loopback_lock: bool,
    trust_provider: tuple[str, ...],
    client: str,
    arguments: tuple[str, ...],
    **given: Any,
) -> int:
    """Run an installer so that it gets the builds this machine can run.

    CLIENT is uv, uvx, pip, poetry, pdm, pip-compile, pip-sync or pipx, as found on PATH or named by its path.
    Its sources are taken over from its own options, variables and configuration files, none of which are
    changed. Output and exit status are its own, plus a line for every choice; where a source failed the
    status is 3. What would write the shim's address into a lock or project file is refused.
    """
    from variant_index.clients.process import become, end_like
    from variant_index.clients.select import take_over_client
    from variant_index.clients.takeover import AsIs

    if Path(client).name.removesuffix(".exe") in ("pip", "pip3"):
        from variant_index.cli.variant_pip import main

        arguments = (*(f"{OPTION}={text}" for text in trust_provider), *arguments)
        return main(arguments, {name.replace("_", "-"): value for name, value in given.items()})
    taken = take_over_client(
        client, arguments, os.environ, Path.cwd(), allow_loopback_lock=allow_loopback_lock
    )
    if isinstance(taken, AsIs):
        if taken.note:
            say("note", taken.note)
        become((client, *arguments))
    configuration = configured(given, *_SETTINGS)
    trust_providers(trust_provider, own_pip_variables, say, enabled=configuration.text("providers") == "on")
    return end_like(_run_behind_shim(taken, configuration))


def _run_behind_shim(takeover: Takeover, configuration: Configuration) -> int:
    from variant_index.clients.process import run_client
    from variant_index.shim.journal import Journal

    detection = detection_settings(configuration)
    indexes = [(index, _sources(index), _torch(index, configuration)) for index in takeover.indexes]
    endpoints = {
        index.name: _endpoint(index, kept=configuration.flag("keep-address")) for index in takeover.indexes
    }
    routes = routing(configuration)
    network = _network(
        takeover, [*(source for _, sources, _ in indexes for source in sources), *routes.sources]
    )
    journal = Journal()
    tags = _once(lambda: _tags(takeover.python()))
    machine = _once(lambda: detection.profile(lambda line: journal.warn([line])))
    for line in takeover.warnings:
        say("warning", line)
    with contextlib.ExitStack() as until_the_end:
        folder = Path(until_the_end.enter_context(tempfile.TemporaryDirectory(prefix="variant-index-")))
        urls = {name: endpoint.index_url for name, endpoint in endpoints.items()}
        child = takeover.child(urls, folder)
        for name, text in child.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

        def serve() -> None:
            from variant_index.shim.server import ShimServer

            for index, sources, settings in indexes:
                server = ShimServer(
                    sources,
                    network,
                    machine,
                    tags,
                    journal,
                    torch=settings,
                    endpoint=endpoints[index.name],
                    routing=routes,
                    every_variant=takeover.locks,
                    extensions=extension_settings(configuration, takeover.python, takeover.wishes()),
                )
                until_the_end.enter_context(server)

        environment = dict(child.environment)
        if takeover.patience and detection.machine is None:
            environment.setdefault(takeover.patience, f"{detection.longest + _BESIDE_DETECTION:.0f}")
        status = run_client(child.command, environment, serve)
        if child.proof is not None and status == 0 and not (folder / child.proof).exists():
            journal.fail(f"{child.command[0]} did not load the plugin that leads it to the shim")
    return _report(takeover, journal, status)


def _report(takeover: Takeover, journal: Journal, status: int) -> int:
    from variant_index.clients.pip.report import exit_status, report_lines
    from variant_index.shim.every_variant import OTHER_MACHINES

    hints = journal.hints if status != 0 else ()
    # A run that failed may have fetched what it then did not install.
    fetched = journal.chosen() if status == 0 else ()
    chosen = [one for one in fetched if one.reason != OTHER_MACHINES]
    lines = report_lines(chosen, (*journal.warnings, *hints), journal.failures, quiet=takeover.quiet)
    for line in lines:
        kind, colon, rest = line.partition(": ")
        if colon and kind in ("warning", "error"):
            say(kind, rest)
        else:
            click.echo(f"variant-index: {line}", err=True)
    return exit_status(status, failed=bool(journal.failures))


def _once(ask: Callable[[], _T]) -> Callable[[], _T]:
    """Return a function that asks at its first call and is safe to call from any thread."""
    lock = threading.Lock()
    answers: list[_T] = []

    def answer() -> _T:
        with lock:
            if not answers:
                answers.append(ask())
            return answers[0]

    return answer


def _endpoint(index: Index, *, kept: bool) -> Endpoint:
    from variant_index.shim.endpoint import Endpoint
    from variant_index.shim.kept_endpoint import kept_endpoint

    if not kept:
        return Endpoint.open()
    from platformdirs import user_state_path

    # Another order of sources may mean other files, and caches must not mix them up.
    return kept_endpoint(
        user_state_path("variant-index", appauthor=False) / "addresses",
        "\n".join((index.name, *index.urls, *index.find_links)),
    )


def _sources(index: Index) -> list[Source]:
    from variant_index.upstream.local import check_local
    from variant_index.upstream.source import Source

    sources = [*map(Source.index, index.urls), *map(Source.find_links, index.find_links)]
    check_local(sources)
    return sources


def _network(takeover: Takeover, sources: Sequence[Source]) -> Network:
    from variant_index.cli.pip_upstream import named_certificates
    from variant_index.upstream.cache import DiskCache
    from variant_index.upstream.credentials import Credentials
    from variant_index.upstream.keyring import Keyring
    from variant_index.upstream.network import Network

    options = takeover.network
    keyring = Keyring("auto") if options.keyring else None
    return Network(
        options.cert or named_certificates(os.environ),
        options.proxy,
        options.trusted_hosts,
        options.timeout,
        DiskCache.of_user(),
        client_cert=options.client_cert,
        credentials=Credentials(sources, environment=os.environ, keyring=keyring),
    )


def _torch(index: Index, configuration: Configuration) -> TorchSettings:
    settings = torch_settings(configuration, own_index=index.own)
    return settings if index.urls else replace(settings, source=None)


def _tags(python: str) -> TargetTags:
    from variant_index.shim.target import tags_of

    return tags_of(python)
