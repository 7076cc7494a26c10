"""Which installer a command line runs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from variant_index.clients.takeover import AsIs, ClientError, Takeover
from variant_index.errors import printable

__all__ = ["CLIENTS", "take_over_client"]

CLIENTS: Final = ("uv", "uvx", "pip", "poetry", "pdm", "pip-compile", "pip-sync", "pipx")
"""The programs that can be run behind the shim."""


def take_over_client(
    client: str,
    arguments: tuple[str, ...],
    environment: Mapping[str, str],
    directory: Path,
    *,
    allow_loopback_lock: bool,
) -> Takeover | AsIs:
    """Understand a command line.

    Args:
        client: the program's name or path; not pip, which `variant-pip` is for.
        arguments: its arguments.
        environment: the variables.
        directory: the working directory.
        allow_loopback_lock: whether files may hold the shim's addresses.

    Raises:
        ClientError: the program is unknown or not there, or refuses to be led by the shim.
        VariantIndexError: its configuration cannot be understood.
    """
    name = Path(client).name.removesuffix(".exe")
    if name not in CLIENTS:
        raise ClientError(
            f"{printable(client)}: not an installer that can be run behind the shim ({', '.join(CLIENTS)});"
            " `variant-index shim` prints an address to give to any other"
        )
    if shutil.which(client, path=environment.get("PATH", os.defpath)) is None:
        raise ClientError(f"{printable(client)}: no such command; install it, or name its path")
    if name in ("uv", "uvx"):
        from variant_index.clients.uv.take_over import take_over as take_over_uv

        return take_over_uv(
            client, arguments, environment, directory, allow_loopback_lock=allow_loopback_lock
        )
    if name == "poetry":
        from variant_index.clients.poetry.take_over import take_over as take_over_poetry

        return take_over_poetry(client, arguments, environment, directory)
    if name == "pdm":
        from variant_index.clients.pdm.take_over import take_over as take_over_pdm

        return take_over_pdm(
            client, arguments, environment, directory, allow_loopback_lock=allow_loopback_lock
        )
    if name == "pipx":
        from variant_index.clients.pipx.take_over import take_over as take_over_pipx

        return take_over_pipx(client, arguments, environment, directory)
    from variant_index.clients.pip_tools.take_over import take_over as take_over_pip_tools

    return take_over_pip_tools(
        client, arguments, environment, directory, allow_loopback_lock=allow_loopback_lock
    )
