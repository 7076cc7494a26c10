"""What pip's child process gets: variables, and where they cannot do it a configuration file."""

from __future__ import annotations

import configparser
import io
from collections.abc import Mapping
from dataclasses import dataclass

from variant_index.clients.pip.configuration import PipConfiguration
from variant_index.clients.pip.options import COMMANDS

__all__ = ["ChildSettings", "child_settings"]

_OURS = ("index-url", "pypi-url", "extra-index-url", "find-links", "no-index", "proxy", "default-timeout")


@dataclass(frozen=True, slots=True)
class ChildSettings:
    """How to run pip behind the shim.

    Attributes:
        environment: all variables of the child.
        configuration: text of the file that `PIP_CONFIG_FILE` must name; None when none is needed.
    """

    environment: Mapping[str, str]
    configuration: str | None


def child_settings(
    environment: Mapping[str, str],
    configuration: PipConfiguration,
    *,
    index_url: str,
    proxy: str | None,
    isolated: bool,
    replaced: Mapping[str, str] | None = None,
) -> ChildSettings:
    """Return settings under which pip has the shim as its only source and is otherwise as configured.

    Measured with pip 22.0 to 26.3: variables win over every file, but an empty one counts as unset. A
    blank, in contrast, is a list without items, so it undoes the sources of all files. Only `--isolated`
    and a proxy from a file need more, a configuration file: pip reads no variables when isolated, and
    has no word for "no proxy". It carries over what the user's files say.

    Args:
        environment: the variables of this process.
        configuration: what pip would read.
        index_url: the shim's address.
        proxy: the proxy in effect. pip's own option would send requests for the shim to the proxy too, so
            it becomes `HTTP_PROXY` and `HTTPS_PROXY`, which know exceptions.
        isolated: whether pip runs with `--isolated`.
        replaced: other options that files and variables must not decide -> the value to use instead.
    """
    replaced = replaced or {}
    ours = {f"PIP_{name.upper().replace('-', '_')}" for name in (*_OURS, *replaced)}
    child = {name: value for name, value in environment.items() if name.upper() not in ours}
    child |= {
        "PIP_INDEX_URL": index_url,
        "PIP_EXTRA_INDEX_URL": " ",
        "PIP_FIND_LINKS": " ",
        "PIP_NO_INDEX": "0",
        **{f"PIP_{name.upper().replace('-', '_')}": value for name, value in replaced.items()},
    }
    if proxy:
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            child[name] = proxy
        # As with --proxy: no other exceptions.
        exceptions = "127.0.0.1"
    else:
        former = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
        exceptions = former if former.strip() == "*" else ",".join(filter(None, (former, "127.0.0.1")))
    child["no_proxy"] = child["NO_PROXY"] = exceptions
    proxy_in_file = any(
        name.partition(".")[2] == "proxy" and value for name, value in configuration.files.items()
    )
    text = _file(configuration, index_url, replaced) if isolated or proxy_in_file else None
    return ChildSettings(child, text)


def _file(configuration: PipConfiguration, index_url: str, replaced: Mapping[str, str]) -> str:
    parser = configparser.RawConfigParser()
    for section in ("global", *sorted(COMMANDS)):
        parser.add_section(section)
        for option in _OURS:
            parser.set(section, option, index_url if option == "index-url" else "")
        for option, value in replaced.items():
            parser.set(section, option, value)
    for name, value in configuration.files.items():
        section, _, option = name.partition(".")
        if not parser.has_section(section):
            parser.add_section(section)
        if option not in _OURS and option not in replaced:
            parser.set(section, option, value)
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()
