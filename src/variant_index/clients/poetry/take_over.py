"""What a Poetry command line means behind the shim: the project's sources, each by its name."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import quote, urlsplit

from variant_index.clients.command_line import Syntax, names, read_command_line
from variant_index.clients.plugin import plugged_in
from variant_index.clients.poetry.wishes import poetry_wishes
from variant_index.clients.takeover import PYPI, AsIs, ClientError, Index, NetworkOptions, Takeover
from variant_index.clients.toml_file import find_upwards, read_toml, tool_table
from variant_index.errors import printable

__all__ = ["SYNTAX", "take_over"]


SYNTAX: Final = Syntax(
    valued=names("""
        directory extras format group markers only optional output platform project python source with
        without
        """),
    short={"C": "directory", "P": "project", "G": "group", "E": "extras", "h": "help", "q": "quiet"},
)
"""Of the commands that read indexes together."""

_COMMANDS: Final = frozenset({"add", "install", "lock", "remove", "sync", "update"})
_LOCKS: Final = frozenset({"add", "lock", "remove", "update"})


def take_over(
    program: str, arguments: tuple[str, ...], environment: Mapping[str, str], directory: Path
) -> Takeover | AsIs:
    """Understand a Poetry command line, as `take_over_client` does.

    Raises:
        ClientError: Poetry would get past the shim.
        TomlFileError: the project or the configuration cannot be read.
    """
    line = read_command_line(arguments, SYNTAX)
    # `poetry self install` and the like manage Poetry's own environment.
    if not line.words or line.words[0] not in _COMMANDS or line.given("help"):
        return AsIs()
    if line.given("no-plugins"):
        raise ClientError("--no-plugins leaves Poetry with its own indexes; leave it out")
    base = directory / (line.last("directory") or "") / (line.last("project") or "")
    project = find_upwards(base, "pyproject.toml")
    if project is None:
        return AsIs()
    configuration = _configuration(environment, project)
    indexes, network = _sources(project, environment, configuration)
    child = plugged_in(
        (program, *arguments),
        environment,
        group="poetry.plugin",
        plugin=Path(__file__).with_name("plugin.py"),
        entry="TakeOver",
    )
    return Takeover(
        indexes,
        child,
        lambda: _find_python(program, project.parent, environment),
        network,
        locks=line.words[0] in _LOCKS or not (project.parent / "poetry.lock").exists(),
        quiet=line.given("quiet"),
        patience="POETRY_REQUESTS_TIMEOUT",
        wishes=lambda: poetry_wishes(line, project),
    )


def _sources(
    project: Path, environment: Mapping[str, str], configuration: Mapping[str, Any]
) -> tuple[tuple[Index, ...], NetworkOptions]:
    declared = tool_table(project, "poetry").get("source", [])
    sources = [one for one in declared if isinstance(one, dict) and isinstance(one.get("name"), str)]
    names = {one["name"].lower() for one in sources}
    primary = [one for one in sources if str(one.get("priority", "primary")).lower() == "primary"]
    if "pypi" not in names and not primary:
        sources.append({"name": "PyPI"})
    indexes = []
    certificates: set[str] = set()
    trusted: list[str] = []
    for one in sources:
        name = one["name"]
        is_pypi = name.lower() == "pypi"
        url = PYPI if is_pypi else str(one.get("url", ""))
        url = _with_credentials(url, name, environment, configuration)
        indexes.append(Index(name.lower(), (url,), own=not is_pypi))
        certificate = _certificate(name, environment, configuration)
        if certificate is False:
            trusted.append(urlsplit(url).hostname or "")
        elif isinstance(certificate, str):
            certificates.add(certificate)
    if len(certificates) > 1:
        raise ClientError(
            "Poetry's sources use different certificate files; put them into one file, and name that one"
        )
    timeout = _number(environment.get("POETRY_REQUESTS_TIMEOUT"))
    return tuple(indexes), NetworkOptions(next(iter(certificates), None), None, tuple(trusted), timeout)


def _with_credentials(
    url: str, name: str, environment: Mapping[str, str], configuration: Mapping[str, Any]
) -> str:
    configured = configuration.get("http-basic", {})
    own = configured.get(name, {}) if isinstance(configured, dict) else {}
    prefix = f"POETRY_HTTP_BASIC_{_variable(name)}"
    user = environment.get(f"{prefix}_USERNAME", own.get("username") if isinstance(own, dict) else None)
    if user is None or urlsplit(url).username is not None:
        return url
    password = str(environment.get(f"{prefix}_PASSWORD", own.get("password") or ""))
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{quote(str(user), safe='')}:{quote(password, safe='')}@{rest}"


def _certificate(
    name: str, environment: Mapping[str, str], configuration: Mapping[str, Any]
) -> str | Literal[False] | None:
    """Return a file's name, False where any certificate will do, None for the usual ones."""
    configured = configuration.get("certificates", {})
    own = configured.get(name, {}) if isinstance(configured, dict) else {}
    found = environment.get(f"POETRY_CERTIFICATES_{_variable(name)}_CERT")
    if found is None and isinstance(own, dict):
        found = own.get("cert")
    if found is None:
        return None
    return False if str(found).lower() in ("false", "0", "no") else str(found)


def _variable(name: str) -> str:
    return re.sub(r"[^A-Z0-9]", "_", name.upper())


def _number(text: str | None) -> float:
    try:
        return float(text) if text else 15.0
    except ValueError:
        return 15.0


def _configuration(environment: Mapping[str, str], project: Path) -> dict[str, Any]:
    """Merge Poetry's files: the user's two, then the project's, later ones win by table."""
    if folder := environment.get("POETRY_CONFIG_DIR"):
        base = Path(folder).expanduser()
    else:
        from platformdirs import user_config_path

        base = user_config_path("pypoetry", appauthor=False, roaming=True)
    merged: dict[str, Any] = {}
    for path in (base / "config.toml", base / "auth.toml", project.with_name("poetry.toml")):
        for name, value in read_toml(path).items():
            former = merged.get(name)
            if isinstance(value, dict) and isinstance(former, dict):
                value = {**former, **value}  # noqa: PLW2901 - one table of both
            merged[name] = value
    return merged


def _find_python(program: str, project: Path, environment: Mapping[str, str]) -> str:
    """Ask Poetry for the interpreter of the project's environment; its own where there is none yet."""
    command = [program, "env", "info", "--executable", "--no-ansi", "--directory", str(project)]
    try:
        done = subprocess.run(
            command, env=dict(environment), capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ClientError(f"poetry env info does not tell the environment: {printable(str(error))}") from None
    found = done.stdout.strip().rpartition("\n")[2]
    return found if found and os.access(found, os.X_OK) else sys.executable
