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
    from variant_index.upstream.network import Network
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
        "--cert", type=click.Path(exists=True), metavar="PATH", help="Trusted certificates, as PEM."
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

    def sources(self) -> list[Source]:
        """Return the sources in order; raises `SourceError` for an address that cannot be read."""
        from variant_index.upstream.source import Source

        indexes = [Source(url) for url in (self.index_url or _PYPI, *self.extra_index_urls)]
        return [*indexes, *(Source.find_links(location) for location in self.find_links)]

    def torch(self) -> TorchSettings:
        """Return where the torch family comes from; raises `InputError` for what cannot be understood."""
        from variant_index.torch_index.settings import torch_settings

        return torch_settings(
            os.environ,
            torch_index=self.torch_index,
            prefer=self.prefer,
            own_index=self.index_url is not None,
        )

    def network(self) -> Network:
        """Return the network; raises `SourceError` for an unusable certificate file or proxy."""
        from variant_index.upstream.cache import DiskCache
        from variant_index.upstream.network import Network

        trusted_hosts = tuple(self.trusted_hosts)
        return Network(self.cert, self.proxy, trusted_hosts, self.timeout, cache=DiskCache.of_user())


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
