"""`variant-index providers`: trust third-party providers, list them, ask them, and take that back."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from variant_index.cli.domain_settings import detection_settings
from variant_index.cli.messages import say
from variant_index.cli.setting_options import DETECTION, configured, setting_options
from variant_index.cli.source_options import SOURCES, SourceOptions
from variant_index.errors import InputError, NoAnswerError, printable

if TYPE_CHECKING:
    from variant_index.model.machine import MachineProfile
    from variant_index.model.providers_report import ProviderReport
    from variant_index.providers.failure import ProviderFailure
    from variant_index.providers.remembered import TrustedProvider

__all__ = ["command"]

_EPILOG = """\b
Examples:
  variant-index providers list
  variant-index providers trust "acme-variant-provider==1.2 --hash=sha256:HEX"
  variant-index providers trust -r acme-provider.txt --namespace acme
  variant-index providers query acme-variant-provider
  variant-index providers forget acme-variant-provider
"""

_JSON = click.option("--json", "as_json", is_flag=True, help="Print a JSON report (see schemas/).")
_SOURCES = (
    *("index-url", "extra-index-url", "find-links", "no-index", "cert", "client-cert"),
    *("keyring-provider", "proxy", "trusted-host"),
)


@click.group(name="providers", epilog=_EPILOG)
def command() -> None:
    """Trust third-party providers, list them, and take that back.

    A provider is a program that finds out what a machine supports. Documents of an index may name some;
    none is installed or run because of that. One that you trust, in one version and by its hash, is installed
    into an environment of its own and asked, in a process of its own, whenever this machine is examined.
    """


@command.command(name="list")
@_JSON
def list_command(*, as_json: bool) -> int:
    """List the providers that you trust, what they answer for, and their hashes. Runs none."""
    from variant_index.providers.folder import providers_folder
    from variant_index.providers.remembered import read_remembered

    providers = read_remembered(providers_folder())
    if as_json:
        _print_json([_report(one) for one in providers])
        return 0
    if not providers:
        click.echo("No third-party provider is trusted.")
    for provider in providers:
        click.echo(f"{provider}: answers for {', '.join(provider.namespaces)}")
        for pin in provider.pins:
            click.echo(f"  {pin.name}=={pin.version} {' '.join(f'--hash={one}' for one in pin.hashes)}")
    return 0


@command.command(name="trust", no_args_is_help=True)
@click.argument("pins", metavar="[PIN]...", nargs=-1)
@click.option(
    "-r",
    "--requirement",
    "files",
    multiple=True,
    metavar="FILE",
    help="A requirements file that pins and hashes a provider and everything it needs; may be repeated.",
)
@click.option(
    "--namespace",
    "namespaces",
    multiple=True,
    metavar="NAME[=MODULE:ATTRIBUTE]",
    help="What the provider answers for, where it is not to say so itself, and where its plugin is; needed"
    " for what is known without it (nvidia, amd, intel, tpu, x86_64, aarch64). May be repeated.",
)
@setting_options(*_SOURCES)
@_JSON
def trust_command(
    *, pins: Sequence[str], files: Sequence[str], namespaces: Sequence[str], as_json: bool, **given: Any
) -> int:
    """Install providers from your sources and ask them from now on.

    PIN is, in one argument, "NAME==VERSION --hash=sha256:HEX". Take version and hash from the provider's
    publisher, not from the index that names it. One with dependencies needs a file, see -r.

    Only wheels are installed, from pip's configured sources or those of the options here, and nothing is run
    yet. With --trust-provider the other commands do the same on their way.
    """
    from variant_index.cli.trust_option import source_variables, trust_providers

    options = SourceOptions.of(configured(given, *SOURCES))
    requests = [*pins, *(f"-r {file}" for file in files)]
    if not requests or (namespaces and len(requests) > 1):
        raise InputError(
            'name a provider, "NAME==VERSION --hash=sha256:HEX" or -r FILE; only one goes with --namespace'
        )
    if namespaces:
        requests = [" ".join([*requests, *(f"--namespace={one}" for one in namespaces)])]
    providers = trust_providers(requests, lambda: source_variables(options), say)
    if as_json:
        _print_json([_report(one) for one in providers])
    return 0


@command.command(name="forget", no_args_is_help=True)
@click.argument("name")
@_JSON
def forget_command(*, name: str, as_json: bool) -> int:
    """Trust a provider no longer and remove its files. Ends with status 1 when it is not trusted."""
    from packaging.utils import canonicalize_name

    from variant_index.providers.folder import providers_folder
    from variant_index.providers.trust import forget

    provider = forget(providers_folder(), canonicalize_name(name))
    if as_json:
        _print_json([_report(provider)])
    else:
        click.echo(f"{provider} is no longer trusted")
    return 0


@command.command(name="query")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@setting_options("provider-timeout")
@_JSON
def query_command(*, names: Sequence[str], as_json: bool, **given: Any) -> int:
    """Ask the providers that you trust, all or some, and show their answers.

    Ends with status 1 when one is not trusted or gives no usable answer.
    """
    from packaging.utils import canonicalize_name

    from variant_index.providers.folder import providers_folder
    from variant_index.providers.query import ask_providers
    from variant_index.providers.remembered import read_remembered

    settings = detection_settings(configured(given, *DETECTION)).providers
    root = providers_folder()
    known = {one.name: one for one in read_remembered(root)}
    for name in names:
        if canonicalize_name(name) not in known:
            raise NoAnswerError(f"{printable(name)}: no such provider is trusted")
    asked = [known[one] for one in dict.fromkeys(map(canonicalize_name, names))] or list(known.values())
    answers = ask_providers(root, asked, settings.timeout, os.environ)
    reports = [_report(one, answer) for one, answer in zip(asked, answers, strict=True)]
    if as_json:
        _print_json(reports)
    elif not reports:
        click.echo("No third-party provider is trusted.")
    for report in reports:
        if report.error is not None:
            say("error", f"{report.name} {report.version}: {report.error}")
        elif report.answer is not None and not as_json:
            _print_answer(report, report.answer)
    return int(any(report.error is not None for report in reports))


def _print_answer(report: ProviderReport, answer: MachineProfile) -> None:
    supported = answer.supported()
    click.echo(
        f"{report.name} {report.version}:" + ("" if supported else " supports nothing on this machine")
    )
    for namespace, features in supported.items():
        for feature, values in features.items():
            click.echo(f"  {namespace} :: {feature} :: {printable(', '.join(values), 1000)}")


def _report(
    provider: TrustedProvider, answer: MachineProfile | ProviderFailure | None = None
) -> ProviderReport:
    from variant_index.model.machine import MachineProfile
    from variant_index.model.providers_report import PinReport, ProviderReport
    from variant_index.providers.environment import environment_python
    from variant_index.providers.folder import providers_folder

    is_answer = isinstance(answer, MachineProfile)
    return ProviderReport(
        name=provider.name,
        version=provider.version,
        namespaces=provider.namespaces,
        pins=[PinReport(name=one.name, version=one.version, hashes=one.hashes) for one in provider.pins],
        environment=str(environment_python(providers_folder(), provider.environment).parent.parent),
        answer=answer if isinstance(answer, MachineProfile) else None,
        error=None if answer is None or is_answer else str(answer),
    )


def _print_json(reports: list[ProviderReport]) -> None:
    from variant_index.model.providers_report import ProvidersReport

    click.echo(ProvidersReport(providers=reports).model_dump_json(indent=2))
