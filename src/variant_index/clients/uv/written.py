"""What uv would write the shim's address into, which is gone after the run: refused, with the remedy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from variant_index.clients.command_line import CommandLine
from variant_index.clients.takeover import ClientError
from variant_index.clients.toml_file import find_upwards
from variant_index.clients.uv.configuration import UvConfiguration

__all__ = ["FALSE", "keeps_to_lock", "refuse_addresses", "refuse_project"]

FALSE: Final = frozenset({"", "0", "false", "f", "n", "no", "off"})
"""What says no in a variable of uv's."""

_EMITTED: Final = ("emit-index-url", "emit-index-annotation", "emit-find-links")
_CHANGES: Final = "would write the shim's address, which changes with every run,"


def keeps_to_lock(command: str, line: CommandLine, environment: Mapping[str, str]) -> bool:
    """Tell whether a command takes uv.lock as it is, or leaves the environment alone.

    Args:
        command: of those that work on a project.
        line: the command line.
        environment: the variables.
    """
    flags = ["frozen", "locked", "check", *(["no-sync"] if command == "run" else [])]
    return any(line.given(flag) or not _is_false(environment, flag) for flag in flags)


def refuse_project(command: str, line: CommandLine, base: Path, *, allow_loopback_lock: bool) -> None:
    """Refuse a command that writes where files come from into a project.

    Args:
        command: of those that work on a project.
        line: the command line.
        base: the project's folder, or one in it.
        allow_loopback_lock: whether a lock file may hold the shim's addresses.

    Raises:
        ClientError: it does.
    """
    if command in ("add", "remove"):
        where = "the script" if line.given("script") else "pyproject.toml"
        raise ClientError(
            f"uv {command} {_CHANGES} into {where}; run it without variant-index, then `uv pip install -r"
            " pyproject.toml` with it"
        )
    if allow_loopback_lock:
        return
    instead = "install with `uv pip install -r pyproject.toml`, which writes none"
    if command in ("sync", "run") and find_upwards(base.absolute(), "uv.lock") is not None:
        instead = (
            "for the versions in it run `uv export --frozen --no-hashes -o FILE`, then with variant-index"
            " `uv pip sync FILE`"
        )
    raise ClientError(f"uv {command} {_CHANGES} into uv.lock; {instead}, or give --allow-loopback-lock")


def refuse_addresses(line: CommandLine, configuration: UvConfiguration) -> None:
    """Refuse what makes `uv pip compile` write addresses, on its command line or in its configuration.

    Raises:
        ClientError: something does.
    """
    for name in _EMITTED:
        configured = configuration.first(name) is True and not line.given(f"no-{name}")
        if line.given(name) or configured:
            what = f"{name} in uv's configuration" if configured else f"--{name}"
            raise ClientError(
                f"{what} {_CHANGES} into the output; leave it out, or give --allow-loopback-lock"
            )
    output = Path(line.last("output-file") or str(configuration.first("output-file") or "")).name
    named = output.startswith("pylock.") and output.endswith(".toml")
    form = line.last("format", "output-format") or ("pylock.toml" if named else "")
    if form == "pylock.toml":
        raise ClientError(
            "a pylock.toml names the addresses of its files, of which some would be the shim's; write"
            " requirements with --generate-hashes, or give --allow-loopback-lock"
        )


def _is_false(environment: Mapping[str, str], flag: str) -> bool:
    return environment.get(f"UV_{flag.upper().replace('-', '_')}", "").lower() in FALSE
