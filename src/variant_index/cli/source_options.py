"""The options with which commands are told where packages come from and what they are chosen for."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import click

from variant_index.cli import domain_settings
from variant_index.cli.setting_options import setting_options
from variant_index.configuration.effective import Configuration

if TYPE_CHECKING:
    from variant_index.torch_index.settings import TorchSettings
    from variant_index.upstream.keyring import KeyringProvider
    from variant_index.upstream.network import Network
    from variant_index.upstream.routing import Routing
    from variant_index.upstream.source import Source

__all__ = ["SOURCES", "SourceOptions", "source_options", "target_python"]

_F = TypeVar("_F", bound=Callable[..., Any])

_PYPI: Final = "https://pypi.org/simple/"

SOURCES: Final = (
    *("index-url", "extra-index-url", "find-links", "no-index", "route", "merge"),
    *("cert", "client-cert", "keyring-provider", "proxy", "trusted-host", "timeout"),
    *("torch-index", "torch-backends", "allow-unhashed", "prefer"),
)
"""The settings of `SourceOptions`."""

_WITHOUT_OPTION: Final = ("torch-backends",)


@dataclass(frozen=True)
class SourceOptions:
    """The values of the options that say where packages come from."""

    configuration: Configuration
    index_url: str | None = None
    extra_index_urls: Sequence[str] = ()
    find_links: Sequence[str] = ()
    trusted_hosts: Sequence[str] = ()
    no_index: bool = False
    own_index: bool = False

    @classmethod
    def of(cls, configuration: Configuration) -> SourceOptions:
        """Take the values in effect; an index of the command line is one of the user's own."""
        return cls(
            configuration,
            configuration.text("index-url"),
            configuration.items("extra-index-url"),
            configuration.items("find-links"),
            configuration.items("trusted-host"),
            configuration.flag("no-index"),
            configuration.is_given("index-url"),
        )

    def sources(self) -> list[Source]:
        """Return the sources in order; raises `SourceError` for an address that cannot be read."""
        from variant_index.upstream.local import check_local
        from variant_index.upstream.source import Source

        urls = () if self.no_index else (self.index_url or _PYPI, *self.extra_index_urls)
        sources = [*map(Source.index, urls), *map(Source.find_links, self.find_links)]
        check_local(sources, strict=True)
        return sources

    def routing(self) -> Routing:
        """Return the rules beside the order; raises `InputError` for one that cannot be understood."""
        return domain_settings.routing(self.configuration)

    def torch(self) -> TorchSettings:
        """Return where the torch family comes from; raises `InputError` for what cannot be understood."""
        return domain_settings.torch_settings(self.configuration, own_index=self.own_index or self.no_index)

    def network(self) -> Network:
        """Return the network; raises `SourceError` for an unusable certificate file or proxy."""
        from variant_index.cli.pip_upstream import named_certificates
        from variant_index.upstream.cache import DiskCache
        from variant_index.upstream.credentials import Credentials
        from variant_index.upstream.keyring import Keyring
        from variant_index.upstream.network import Network

        torch = self.torch().source
        sources = [*self.sources(), *self.routing().sources, *([torch] if torch is not None else [])]
        settings = self.configuration
        provider = cast("KeyringProvider", settings.text("keyring-provider"))
        keyring = None if provider == "disabled" else Keyring(provider)
        return Network(
            settings.text("cert") or named_certificates(os.environ),
            settings.text("proxy"),
            tuple(self.trusted_hosts),
            settings.seconds("timeout"),
            DiskCache.of_user(),
            client_cert=settings.text("client-cert"),
            credentials=Credentials(sources, environment=os.environ, keyring=keyring),
        )


def source_options(command: _F) -> _F:
    """Add the options to a command: those of `SOURCES`, and `python`."""
    command = click.option(
        "--python",
        type=click.Path(exists=True, dir_okay=False),
        metavar="PATH",
        help="The interpreter to install for; the active environment's by default.",
    )(command)
    return setting_options(*(key for key in SOURCES if key not in _WITHOUT_OPTION))(command)


def target_python(python: str | None) -> str:
    """Return the interpreter to install for: the one named, else the active environment's, else ours."""
    if python is not None:
        return python
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        if folder := os.environ.get(variable):
            for place in ("bin/python", "Scripts/python.exe", "python.exe"):
                if (found := Path(folder, place)).is_file():
                    return str(found)
    return sys.executable
