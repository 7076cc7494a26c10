"""What a run behind the shim is made of: the indexes to stand in for, the child to start, its interpreter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from variant_index.errors import InputError
from variant_index.model.wishes import Wishes

__all__ = ["PYPI", "AsIs", "Child", "ClientError", "Index", "NetworkOptions", "Takeover", "reach_loopback"]

PYPI: Final = "https://pypi.org/simple"
"""What every installer asks that was told of no index."""


class ClientError(InputError):
    """The command line would lead the client past the shim, or write the shim's address into a file."""


@dataclass(frozen=True, slots=True)
class AsIs:
    """The client needs no shim for this command line: it takes the place of this process.

    Attributes:
        note: a printable line for the user, `""` for none.
    """

    note: str = ""


@dataclass(frozen=True, slots=True)
class Index:
    """One index of the client's, in whose place an address of the shim is put.

    Attributes:
        name: what the client calls it; `""` where all its indexes are one.
        urls: the addresses behind it, first to last; the first that has a project serves it. May be folders.
        find_links: folders and pages of links besides them.
        own: whether the user chose it for this command or project, so that the torch family comes from
            there as well, unless PyTorch's index is named.
    """

    name: str
    urls: tuple[str, ...]
    find_links: tuple[str, ...] = ()
    own: bool = False


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """How the client reaches its indexes: see `variant_index.upstream.network.Network`."""

    cert: str | None = None
    proxy: str | None = None
    trusted_hosts: tuple[str, ...] = ()
    timeout: float = 15.0
    client_cert: str | None = None
    keyring: bool = True


@dataclass(frozen=True, slots=True)
class Child:
    """The process to start.

    Attributes:
        command: the program and its arguments.
        environment: all its variables.
        files: text by name, to be written into the throw-away folder before it starts.
        proof: name of a file in that folder which the client writes once it is taken over; None where that
            cannot fail without a message.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]
    files: Mapping[str, str] = field(default_factory=dict)
    proof: str | None = None


@dataclass(frozen=True, slots=True)
class Takeover:
    """A client's command line and configuration, understood.

    Attributes:
        indexes: at least one.
        child: from the addresses of the shim, by index name, and the path of a throw-away folder.
        python: asks for the interpreter that is installed for; called once, at the first page with variants.
        network: how to reach the indexes.
        locks: whether the client writes hashes for other machines too, so that all variants must be listed.
        quiet: whether the user wants no lines about choices.
        warnings: what the user should know, one printable line each.
        patience: the variable that makes the client wait longer for a page; `""` where the user chose a time.
            The first page with variants waits for the GPU drivers.
        wishes: reads what the command asks for; what is wrong there is the client's to report.
    """

    indexes: tuple[Index, ...]
    child: Callable[[Mapping[str, str], Path], Child]
    python: Callable[[], str]
    network: NetworkOptions = NetworkOptions()
    locks: bool = False
    quiet: bool = False
    warnings: tuple[str, ...] = ()
    patience: str = ""
    wishes: Callable[[], Wishes] = Wishes


def reach_loopback(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables with an exception from any proxy for the shim's address."""
    former = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    exceptions = former if former.strip() == "*" else ",".join(filter(None, (former, "127.0.0.1")))
    return {**environment, "no_proxy": exceptions, "NO_PROXY": exceptions}
