"""The options with which commands are told where packages come from and what they are chosen for."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from variant_index.torch_index.settings import TorchSettings
    from variant_index.upstream.keyring import KeyringProvider
    from variant_index.upstream.network import Network
    from variant_index.upstream.routing import Routing
    from variant_index.upstream.source import Source

__all__ = ["SourceOptions", "source_options", "target_python"]

_F = TypeVar("_F", bound=Callable[..., Any])

_PYPI = "https://pypi.org/simple/"

_OPTIONS = (
    click.option(
        "-i",
        "--index-url",
        show_default=_PYPI,
        metavar="URL",
        help="The first index to ask.",
    ),
    click.option(
        "--extra-index-url",
        "extra_index_urls",
        multiple=True,
        metavar="URL",
        help="An index to ask when those before it do not have the project; may be repeated.",
    ),
    click.option(
        "-f",
        "--find-links",
        "find_links",
        multiple=True,
        metavar="PATH|URL",
        help="A folder or page of links to files, besides the indexes; may be repeated.",
    ),
    click.option(
        "--no-index", is_flag=True, help="Ask no index; only find-links locations and routes count."
    ),
    click.option(
        "--route",
        "routes",
        multiple=True,
        metavar="PATTERN=URL",
        help="Take the projects whose name matches (`torch*`) from this index and nowhere else; may be"
        " repeated, and comes before those in VARIANT_INDEX_ROUTE.",
    ),
    click.option(
        "--merge-indexes",
        "merge",
        multiple=True,
        metavar="PATTERN,...",
        help="Take files of these projects from all indexes together, as pip does, instead of the first index"
        " that has the project; also VARIANT_INDEX_MERGE.",
    ),
    click.option(
        "--cert", type=click.Path(exists=True), metavar="PATH", help="Trusted certificates, as PEM."
    ),
    click.option(
        "--client-cert",
        type=click.Path(exists=True, dir_okay=False),
        metavar="PATH",
        help="Our own certificate with its key, as PEM.",
    ),
    click.option(
        "--keyring-provider",
        type=click.Choice(["auto", "import", "subprocess", "disabled"]),
        default="auto",
        show_default=True,
        envvar="VARIANT_INDEX_KEYRING_PROVIDER",
        show_envvar=True,
        help="How to ask the keyring for a login when an index answers 401: see pip's option.",
    ),
    click.option("--proxy", metavar="URL", help="A proxy for every request."),
    click.option(
        "--trusted-host",
        "trusted_hosts",
        multiple=True,
        metavar="HOST[:PORT]",
        help="A host that may use plain http or an unknown certificate; may be repeated.",
    ),
    click.option(
        "--timeout",
        type=click.FloatRange(min=0.1, max=3600),
        default=15.0,
        show_default=True,
        help="Seconds to wait for an index.",
    ),
    click.option(
        "--torch-index",
        metavar="URL|off",
        help="PyTorch's index or a mirror, for torch and its family; `off` asks the other indexes for them."
        " By default https://download.pytorch.org/whl, unless --index-url is given.",
    ),
    click.option(
        "--prefer",
        type=click.Choice(["hardware", "version"]),
        help="The newest release that uses the hardware (the default), or the newest release.",
    ),
    click.option(
        "--python",
        type=click.Path(exists=True, dir_okay=False),
        metavar="PATH",
        help="The interpreter to install for; the active environment's by default.",
    ),
)


@dataclass(frozen=True)
class SourceOptions:
    """The values of the options that say where packages come from."""

    index_url: str | None
    extra_index_urls: Sequence[str]
    find_links: Sequence[str]
    cert: str | None
    proxy: str | None
    trusted_hosts: Sequence[str]
    timeout: float
    torch_index: str | None = None
    prefer: str | None = None
    no_index: bool = False
    routes: Sequence[str] = ()
    merge: Sequence[str] = ()
    client_cert: str | None = None
    keyring_provider: KeyringProvider = "auto"

    def sources(self) -> list[Source]:
        """Return the sources in order; raises `SourceError` for an address that cannot be read."""
        from variant_index.upstream.local import check_local
        from variant_index.upstream.source import Source

        urls = () if self.no_index else (self.index_url or _PYPI, *self.extra_index_urls)
        sources = [*map(Source.index, urls), *map(Source.find_links, self.find_links)]
        check_local(sources, strict=True)
        return sources

    def routing(self) -> Routing:
        """Return the rules beside the order; raises `SourceError` for one that cannot be understood."""
        from variant_index.upstream.local import check_local
        from variant_index.upstream.routing import read_routing

        routing = read_routing(os.environ, self.routes, self.merge)
        check_local(routing.sources)
        return routing

    def torch(self) -> TorchSettings:
        """Return where the torch family comes from; raises `InputError` for what cannot be understood."""
        from variant_index.torch_index.settings import torch_settings

        return torch_settings(
            os.environ,
            torch_index=self.torch_index,
            prefer=self.prefer,
            own_index=self.index_url is not None or self.no_index,
        )

    def network(self) -> Network:
        """Return the network; raises `SourceError` for an unusable certificate file or proxy."""
        from variant_index.cli.pip_upstream import named_certificates
        from variant_index.upstream.cache import DiskCache
        from variant_index.upstream.credentials import Credentials
        from variant_index.upstream.keyring import Keyring
        from variant_index.upstream.network import Network

        torch = self.torch().source
        sources = [*self.sources(), *self.routing().sources, *([torch] if torch is not None else [])]
        keyring = None if self.keyring_provider == "disabled" else Keyring(self.keyring_provider)
        return Network(
            self.cert or named_certificates(os.environ),
            self.proxy,
            tuple(self.trusted_hosts),
            self.timeout,
            DiskCache.of_user(),
            client_cert=self.client_cert,
            credentials=Credentials(sources, environment=os.environ, keyring=keyring),
        )


def source_options(command: _F) -> _F:
    """Add the options to a command: the fields of `SourceOptions`, and `python`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


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
