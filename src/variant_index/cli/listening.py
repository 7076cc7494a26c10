"""`variant-index shim --listen`: one shim for a team, for long."""

from __future__ import annotations

import ipaddress
import os
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from variant_index.cli.messages import say
from variant_index.configuration.effective import Configuration
from variant_index.configuration.values import SettingError
from variant_index.errors import InputError, printable

if TYPE_CHECKING:
    from variant_index.detection import DetectionSettings
    from variant_index.model.machine import MachineProfile
    from variant_index.shim.endpoint import Endpoint
    from variant_index.shim.views import Targets

__all__ = ["LISTENING", "listening_endpoint", "shown_address", "targets", "token_file"]

LISTENING: Final = ("listen", "token-file", "allow-host", "machine-profile", "stop-timeout")
"""The settings of a shim that runs for long."""

_ADDRESS: Final = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9.\-]{1,253}):([0-9]{1,5})")
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9.\-]{1,253})(:[0-9]{1,5})?")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._,\-]{0,99}", re.ASCII)
_SYSTEMD: Final = "systemd"


def token_file(configuration: Configuration) -> Path:
    """Return where the secret is kept."""
    if (named := configuration.text("token-file")) is not None:
        return Path(named)
    from platformdirs import user_state_path

    return user_state_path("variant-index", appauthor=False) / "shim-token"


def listening_endpoint(configuration: Configuration) -> Endpoint:
    """Listen at the address in the settings, under the kept secret.

    Raises:
        SettingError: address or names cannot be understood, or a name is missing that others may use.
        EndpointError: the address cannot be listened on.
        TokenFileError: the secret cannot be kept there.
    """
    from variant_index.shim.endpoint import Endpoint
    from variant_index.shim.service_manager import inherited_endpoint
    from variant_index.shim.token_file import kept_token

    address = configuration.text("listen") or ""
    names = configuration.items("allow-host")
    for name in names:
        if not _HOST.fullmatch(name):
            raise SettingError(f"allow-host: {printable(name)!r} is not HOST or HOST:PORT")
    found = _ADDRESS.fullmatch(address)
    if address != _SYSTEMD and found is None:
        raise SettingError(f"listen: {printable(address)!r} is not HOST:PORT, such as 127.0.0.1:8765")
    token = kept_token(token_file(configuration))
    endpoint = inherited_endpoint() if found is None else Endpoint.open(int(found[2]), found[1].strip("[]"))
    host, port = endpoint.listener.getsockname()[:2]
    if not ipaddress.ip_address(host.partition("%")[0]).is_loopback:
        if not names:
            shown = endpoint.authority
            endpoint.listener.close()
            raise SettingError(
                f"listen: others can reach {shown}, so the names under which they ask must be"
                " given: --allow-host shim.example"
            )
        say(
            "warning",
            f"{endpoint.authority} is plain http: whoever is on the way can read the secret and change pages;"
            " put a proxy with TLS in front, or use a network that you trust",
        )
    else:
        names = (*names, "localhost")
    lower = [name.lower() for name in names]
    ports = [f"{name}:{port}" for name in lower if not re.search(r":[0-9]+$", name)]
    return replace(endpoint, token=token, hosts=frozenset((*lower, *ports)))


def shown_address(configuration: Configuration, endpoint: Endpoint) -> str:
    """Return the address for people: a shell finds the secret in its file, a log does not."""
    names = configuration.items("allow-host")
    host = names[0] if names else endpoint.authority
    if not re.search(r":[0-9]+$", host):
        host = f"{host}:{endpoint.listener.getsockname()[1]}"
    return f"http://{host}/$(cat {shlex.quote(str(token_file(configuration)))})/simple/"


def targets(
    configuration: Configuration, detection: DetectionSettings, warn: Callable[[str], None]
) -> Targets:
    """Return the machines that clients may ask for.

    Raises:
        SettingError: a profile is not NAME=FILE or NAME=NAME, or is missing.
    """
    from variant_index.shim.target import tags_of_version
    from variant_index.shim.views import Targets

    known = _profiles(configuration.items("machine-profile"), detection)

    def machine(name: str) -> Callable[[], MachineProfile] | None:
        if (settings := known.get(name)) is not None:
            return lambda: settings.profile(warn)
        from variant_index.detection.named import is_name, named_machine

        if not is_name(name):
            return None
        try:
            profile = named_machine(name)
        except InputError:
            return None
        return lambda: profile

    return Targets(machine, tags_of_version)


def _profiles(items: Sequence[str], detection: DetectionSettings) -> dict[str, DetectionSettings]:
    found = {}
    for item in reversed(items):  # what was said first counts
        name, equals, place = item.partition("=")
        if not equals or not _NAME.fullmatch(name):
            raise SettingError(
                f"machine-profile: {printable(item)!r} is not NAME=FILE, such as gpu-box=gpu-box.json"
            )
        settings = replace(detection, machine=os.path.expanduser(place))  # noqa: PTH111 - may be a name
        try:
            settings.check()
        except InputError as error:
            raise SettingError(f"machine-profile {name}: {error}") from None
        found[name] = settings
    return found
