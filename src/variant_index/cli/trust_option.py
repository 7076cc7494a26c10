"""`--trust-provider`: installs and remembers what the user trusts, from the user's own sources."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from variant_index.errors import InputError, printable

if TYPE_CHECKING:
    from variant_index.cli.source_options import SourceOptions
    from variant_index.clients.pip.arguments import PipArguments
    from variant_index.clients.pip.configuration import PipConfiguration
    from variant_index.clients.pip.sources import PipSources
    from variant_index.providers.remembered import TrustedProvider

__all__ = ["OPTION", "own_pip_variables", "pip_variables", "source_variables"]
__all__ += ["take_requests", "trust_option", "trust_providers"]

_F = TypeVar("_F", bound=Callable[..., Any])

OPTION = "--trust-provider"
_HELP = (
    'Trust a third-party provider, given as "NAME==VERSION --hash=sha256:HEX" or "-r FILE", to run here and'
    " say what this machine supports; it is installed apart and remembered, see `variant-index providers`."
    " May be repeated."
)
_LISTS = ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_TRUSTED_HOST")


def trust_option(command: _F) -> _F:
    """Add the option to a command: `trust_provider`, a tuple of texts for `trust_providers`."""
    import click

    return click.option(OPTION, "trust_provider", multiple=True, metavar="PIN", help=_HELP)(command)


def take_requests(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the option's values in a command line of another program, and that without them.

    Raises:
        InputError: the option has no value.
    """
    left: list[str] = []
    requests: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument == "--":
            left += [argument, *rest]
        elif argument == OPTION:
            value = next(rest, None)
            if value is None:
                raise InputError(f'{OPTION} needs a value: "NAME==VERSION --hash=sha256:HEX"')
            requests.append(value)
        elif argument.startswith(f"{OPTION}="):
            requests.append(argument.partition("=")[2])
        else:
            left.append(argument)
    return requests, left


def trust_providers(
    requests: Sequence[str],
    variables: Callable[[], Mapping[str, str]],
    say: Callable[[str, str], None],
    *,
    enabled: bool = True,
) -> list[TrustedProvider]:
    """Install and remember what is to be trusted, and say so.

    All of it is read before anything is installed. What is trusted already costs little.

    Args:
        requests: values of the option.
        variables: returns what tells pip its sources, see `own_pip_variables`.
        say: takes a kind (`note`) and a line.
        enabled: whether providers are asked in this run.

    Raises:
        ProviderError: a value breaks a rule, or the bytes are not those that are trusted.
        ProviderInstallError: the sources do not have it or cannot be reached.
    """
    if not requests:
        return []
    if not enabled:
        raise InputError(f"{OPTION}: providers are off (`variant-index config` says why), so it does nothing")
    from variant_index.providers.folder import providers_folder
    from variant_index.providers.request import parse_request
    from variant_index.providers.trust import trust

    parsed = [parse_request(text, _read) for text in requests]
    sources = variables()
    found = []
    for request in parsed:
        provider, is_new = trust(providers_folder(), request, sources)
        found.append(provider)
        if is_new:
            namespaces = ", ".join(provider.namespaces)
            say(
                "note",
                f"{provider} is trusted from now on and says what this machine supports of {namespaces}; "
                f"`variant-index providers forget {provider.name}` takes that back",
            )
    return found


def own_pip_variables() -> dict[str, str]:
    """Return `PIP_*` variables with the sources that pip's own files and variables name."""
    from variant_index.clients.pip.arguments import parse_arguments
    from variant_index.clients.pip.configuration import read_configuration
    from variant_index.clients.pip.sources import pip_sources

    arguments = parse_arguments(["install"])
    configuration = read_configuration(os.environ, sys.prefix, isolated=False)
    return pip_variables(arguments, configuration, pip_sources(configuration, arguments))


def pip_variables(
    arguments: PipArguments, configuration: PipConfiguration, sources: PipSources
) -> dict[str, str]:
    """Return `PIP_*` variables with the sources of a pip command, and nothing else of its configuration.

    Variables, because command lines are for everybody on the machine to read, and addresses may have logins.
    """
    singles = {
        f"PIP_{name.upper().replace('-', '_')}": configuration.value(arguments, name)
        for name in ("cert", "client-cert", "proxy", "timeout", "retries", "keyring-provider", "cache-dir")
    }
    found = {name: value for name, value in singles.items() if value}
    # Lists are separated by blanks, which addresses do not have.
    lists = (sources.index_urls[1:], map(_address, sources.find_links), sources.trusted_hosts)
    found |= {name: text for name, items in zip(_LISTS, lists, strict=True) if (text := " ".join(items))}
    if sources.no_index or not sources.index_urls:
        return {**found, "PIP_NO_INDEX": "1"}
    return {**found, "PIP_INDEX_URL": _address(sources.index_urls[0])}


def source_variables(options: SourceOptions) -> dict[str, str]:
    """Return `PIP_*` variables for our own options, which win over pip's configuration or add to it."""
    found = own_pip_variables()
    if options.no_index or options.index_url:
        for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX"):
            found.pop(name, None)
    if options.no_index:
        found["PIP_NO_INDEX"] = "1"
    elif options.index_url:
        found["PIP_INDEX_URL"] = _address(options.index_url)
    more = (options.extra_index_urls, map(_address, options.find_links), options.trusted_hosts)
    for name, items in zip(_LISTS, more, strict=True):
        if text := " ".join([*found.get(name, "").split(), *items]):
            found[name] = text
    singles = {
        "PIP_CERT": options.configuration.text("cert"),
        "PIP_CLIENT_CERT": options.configuration.text("client-cert"),
        "PIP_PROXY": options.configuration.text("proxy"),
    }
    return found | {name: value for name, value in singles.items() if value}


def _address(place: str) -> str:
    return place if "://" in place else Path(place).expanduser().absolute().as_uri()


def _read(file: str) -> str:
    try:
        return Path(file).read_bytes()[: 1 << 20].decode("utf-8")
    except OSError as error:
        raise InputError(f"{printable(file)}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{printable(file)}: is not text in UTF-8") from None
