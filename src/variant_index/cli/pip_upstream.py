"""What variant-pip puts behind the shim: pip's sources, their logins, certificates, proxy, and routes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from variant_index.cli.domain_settings import routing, torch_settings
from variant_index.clients.pip.arguments import PipArguments
from variant_index.clients.pip.configuration import PipConfiguration, PipConfigurationError
from variant_index.clients.pip.sources import PipSources
from variant_index.configuration.effective import Configuration
from variant_index.errors import printable
from variant_index.torch_index.settings import TorchSettings
from variant_index.upstream.keyring import Keyring, KeyringProvider, parse_keyring_provider
from variant_index.upstream.local import check_local
from variant_index.upstream.routing import Routing
from variant_index.upstream.source import Source

if TYPE_CHECKING:
    from variant_index.upstream.network import Network

__all__ = ["PipUpstream", "named_certificates", "pip_upstream"]


@dataclass(frozen=True)
class PipUpstream:
    """Everything that decides where packages come from, checked before pip starts.

    Attributes:
        sources: in pip's order.
        routing: the user's rules besides.
        torch: where the torch family comes from.
        cert: trusted certificates; None for the system's.
        client_cert: our own certificate.
        proxy: for every request; None for those of the environment.
        trusted_hosts: `host` or `host:port`.
        timeout: seconds.
        keyring: how logins are asked for; None for not at all.
        cached: whether pages are kept on disk.
    """

    sources: tuple[Source, ...]
    routing: Routing
    torch: TorchSettings
    cert: str | None
    client_cert: str | None
    proxy: str | None
    trusted_hosts: tuple[str, ...]
    timeout: float
    keyring: Keyring | None
    cached: bool

    def network(self) -> Network:
        """Return the network; raises `SourceError` for unusable certificates or an unusable proxy."""
        from variant_index.upstream.cache import DiskCache
        from variant_index.upstream.credentials import Credentials
        from variant_index.upstream.network import Network

        return Network(
            self.cert,
            self.proxy,
            self.trusted_hosts,
            self.timeout,
            DiskCache.of_user() if self.cached else None,
            client_cert=self.client_cert,
            credentials=Credentials(self._all(), environment=os.environ, keyring=self.keyring),
        )

    @property
    def has_links_through_the_shim(self) -> bool:
        """Whether the files of a source, and not chosen wheels alone, have addresses of the shim."""
        return any(source.login is not None or not source.url.startswith("http") for source in self._all())

    def _all(self) -> Iterable[Source]:
        yield from self.sources
        yield from self.routing.sources
        if self.torch.source is not None:
            yield self.torch.source


def pip_upstream(
    arguments: PipArguments,
    configuration: PipConfiguration,
    found: PipSources,
    settled: Configuration,
    *,
    python: str,
    proxy: str | None,
) -> PipUpstream:
    """Return what pip's arguments and configuration say.

    Args:
        arguments: the command line.
        configuration: pip's files and variables.
        found: the sources in effect.
        settled: our own settings.
        python: the interpreter whose pip runs, and whose `keyring` package pip would use.
        proxy: the proxy in effect.

    Raises:
        PipConfigurationError: a file that must be there is missing.
        SourceError: a source or a rule cannot be understood, a folder is missing.
        KeyringError: the keyring provider is none of pip's.
    """
    sources = (*map(Source.index, found.index_urls), *map(Source.find_links, found.find_links))
    check_local(sources)
    torch = torch_settings(settled, own_index=found.named)
    certificates = configuration.value(arguments, "cert") or named_certificates(os.environ)
    client = configuration.value(arguments, "client-cert")
    for what, file in (("certificates", certificates), ("client certificate", client)):
        if file is not None and not Path(file).exists():
            raise PipConfigurationError(f"{what} {printable(file)}: no such file")
    return PipUpstream(
        sources,
        routing(settled),
        replace(torch, source=None) if found.no_index else torch,
        certificates,
        client,
        proxy or None,
        found.trusted_hosts,
        configuration.timeout(arguments),
        _keyring(arguments, configuration, python),
        not configuration.flag(arguments, "no-cache-dir"),
    )


def named_certificates(environment: Mapping[str, str]) -> str | None:
    """Return the trusted certificates that variables of requests name; pip obeys them as well."""
    return environment.get("REQUESTS_CA_BUNDLE") or environment.get("CURL_CA_BUNDLE") or None


def _keyring(arguments: PipArguments, configuration: PipConfiguration, python: str) -> Keyring | None:
    named = configuration.value(arguments, "keyring-provider")
    provider: KeyringProvider = "auto" if named is None else parse_keyring_provider(named)
    # As pip: a keyring may ask the user, so without input it must be wished for.
    if provider == "disabled" or (provider == "auto" and configuration.flag(arguments, "no-input")):
        return None
    return Keyring(provider, python)
