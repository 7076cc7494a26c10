"""The package sources in effect for a pip command: configuration, command line, requirements files; pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from variant_index.clients.pip.arguments import PipArguments
from variant_index.clients.pip.configuration import PipConfiguration
from variant_index.clients.pip.requirements_line import Option

__all__ = ["PipSources", "pip_sources"]


@dataclass(frozen=True, slots=True)
class PipSources:
    """Where pip would look.

    Attributes:
        index_urls: URLs or folders, the first index first; none with `--no-index`.
        find_links: URLs, files or folders.
        trusted_hosts: `host` or `host:port`.
        no_index: whether indexes are not asked at all.
        named: whether the command line or a requirements file names the first index.
    """

    index_urls: tuple[str, ...]
    find_links: tuple[str, ...]
    trusted_hosts: tuple[str, ...]
    no_index: bool
    named: bool


def pip_sources(
    configuration: PipConfiguration, arguments: PipArguments, in_files: Iterable[Option] = ()
) -> PipSources:
    """Return the sources in effect.

    Measured with pip 22.3 to 26.3: an `--index-url` in a file replaces every index that was named before,
    on the command line too, a `--no-index` all that come after as well, and the other options add to them.
    (Before 22.3 an index that comes after a `--no-index` counts again; here it does for none.)

    Args:
        configuration: what pip's files and variables say.
        arguments: the command line.
        in_files: what requirements files say, in the order in which pip obeys it.
    """
    no_index = configuration.flag(arguments, "no-index")
    indexes = list(configuration.index_urls(arguments))
    links = list(configuration.values(arguments, "find-links"))
    hosts = list(configuration.values(arguments, "trusted-host"))
    named = arguments.given("index-url")
    for option in in_files:
        if option.name == "no-index":
            no_index, indexes = True, []
        elif option.name == "index-url" and not no_index:
            indexes, named = [option.value], True
        elif option.name == "extra-index-url" and not no_index:
            indexes.append(option.value)
        elif option.name == "find-links":
            links.append(option.value)
        elif option.name == "trusted-host":
            hosts.append(option.value)
    return PipSources(tuple(indexes), tuple(links), tuple(hosts), no_index, named)
