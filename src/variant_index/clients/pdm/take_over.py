"""What a pdm command line means behind the shim: the project's and the user's sources, as one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from variant_index.clients.command_line import CommandLine, Syntax, names, read_command_line
from variant_index.clients.pdm.wishes import pdm_wishes
from variant_index.clients.plugin import plugged_in
from variant_index.clients.takeover import PYPI, AsIs, ClientError, Index, NetworkOptions, Takeover
from variant_index.clients.toml_file import find_upwards, read_toml, tool_table
from variant_index.errors import printable

__all__ = ["SYNTAX", "take_over"]


SYNTAX: Final = Syntax(
    valued=names("""
        config config-setting editable exclude-newer exclude-newer-override group implementation lockfile
        log-file override platform project python skip strategy venv with without
        """),
    short={
        **{"C": "config-setting", "G": "group", "L": "lockfile", "S": "strategy", "c": "config"},
        **{"e": "editable", "g": "global", "h": "help", "k": "skip", "p": "project", "q": "quiet"},
    },
)
"""Of the commands that read indexes together."""

_COMMANDS: Final = frozenset({"add", "fix", "install", "lock", "outdated", "remove", "sync", "update"})
_LOCKS: Final = frozenset({"add", "lock", "remove", "update"})


def take_over(
    program: str,
    arguments: tuple[str, ...],
    environment: Mapping[str, str],
    directory: Path,
    *,
    allow_loopback_lock: bool,
) -> Takeover | AsIs:
    """Understand a pdm command line, as `take_over_client` does.

    Raises:
        ClientError: pdm would get past the shim, or write its address into a file.
        TomlFileError: the project or the configuration cannot be read.
    """
    line = read_command_line(arguments, SYNTAX)
    if not line.words or line.words[0] not in _COMMANDS or line.given("help"):
        return AsIs()
    project = _project(line, environment, directory)
    index, network = _sources(line, environment, project)
    lock_file = _lock_file(line, environment, project)
    locks = line.words[0] in _LOCKS or not lock_file.exists()
    if locks and not allow_loopback_lock:
        _refuse_written_addresses(line, lock_file)
    child = plugged_in(
        (program, *arguments),
        environment,
        group="pdm",
        plugin=Path(__file__).with_name("plugin.py"),
        entry="take_over",
    )
    return Takeover(
        (index,),
        child,
        lambda: _find_python(program, project, environment),
        network,
        locks=locks,
        quiet=line.given("quiet"),
        patience="PDM_REQUEST_TIMEOUT",
        wishes=lambda: pdm_wishes(line, project, lock_file),
    )


def _project(line: CommandLine, environment: Mapping[str, str], directory: Path) -> Path:
    """Return the project's folder, as pdm finds it: the nearest that has a pyproject.toml."""
    named = line.last("project") or environment.get("PDM_PROJECT")
    if named:
        return (directory / named).absolute()
    file = find_upwards(directory.absolute(), "pyproject.toml")
    return directory.absolute() if file is None else file.parent


def _sources(
    line: CommandLine, environment: Mapping[str, str], project: Path
) -> tuple[Index, NetworkOptions]:
    configuration = _configuration(line, environment, project)
    declared = tool_table(project / "pyproject.toml", "pdm").get("source", [])
    sources = {
        str(one["name"]): dict(one)
        for one in declared
        if isinstance(one, dict) and one.get("name") is not None
    }
    stored = {name: one for name, one in configuration.items() if isinstance(one, dict)}
    default = {
        "url": environment.get("PDM_PYPI_URL") or configuration.get("url") or PYPI,
        "username": environment.get("PDM_PYPI_USERNAME") or configuration.get("username"),
        "password": environment.get("PDM_PYPI_PASSWORD") or configuration.get("password"),
        "verify_ssl": configuration.get("verify_ssl"),
        "ca_certs": configuration.get("ca_certs"),
    }
    ignored = environment.get("PDM_IGNORE_STORED_INDEX") or configuration.get("ignore_stored_index") or ""
    include_stored = str(ignored).lower() in ("", "0", "false", "no", "off")
    own = "pypi" in sources
    for name, one in (*stored.items(), ("pypi", default)):
        if name in sources:
            sources[name] = {**one, **sources[name]}
        elif include_stored:
            sources = {name: one, **sources} if name == "pypi" else {**sources, name: one}
    urls: list[str] = []
    links: list[str] = []
    hosts: list[str] = []
    certificates: set[str] = set()
    for name, one in sources.items():
        if one.get("include_packages") or one.get("exclude_packages"):
            raise ClientError(
                f"the pdm source {printable(name)} is limited to some packages, which the shim cannot follow;"
                " take include_packages and exclude_packages out for this run"
            )
        if not one.get("url"):
            continue
        url = _with_credentials(os.path.expandvars(str(one["url"])), one)
        (links if one.get("type") == "find_links" else urls).append(url)
        if one.get("verify_ssl") is False:
            hosts.append(urlsplit(url).hostname or "")
        if one.get("ca_certs"):
            certificates.add(str(one["ca_certs"]))
    if len(certificates) > 1:
        raise ClientError(
            "pdm's sources use different certificate files; put them into one file, and name that one"
        )
    network = NetworkOptions(next(iter(certificates), None), None, tuple(hosts))
    return Index("", tuple(urls), tuple(links), own=own), network


def _with_credentials(url: str, source: Mapping[str, Any]) -> str:
    user = source.get("username")
    if not user or urlsplit(url).username is not None or "://" not in url:
        return url
    scheme, _, rest = url.partition("://")
    return (
        f"{scheme}://{quote(str(user), safe='')}:{quote(str(source.get('password') or ''), safe='')}@{rest}"
    )


def _configuration_files(line: CommandLine, environment: Mapping[str, str], project: Path) -> list[Path]:
    """Return pdm's files: the project's, the user's, the system's; the first one that says a thing wins."""
    from platformdirs import site_config_path, user_config_path

    named = line.last("config") or environment.get("PDM_CONFIG_FILE")
    user = Path(named) if named else user_config_path("pdm", appauthor=False) / "config.toml"
    return [project / "pdm.toml", user, site_config_path("pdm", appauthor=False) / "config.toml"]


def _configuration(line: CommandLine, environment: Mapping[str, str], project: Path) -> dict[str, Any]:
    """Merge the `[pypi]` tables of pdm's files."""
    merged: dict[str, Any] = {}
    for path in reversed(_configuration_files(line, environment, project)):
        merged.update(_table(read_toml(path), "pypi"))
    return merged


def _table(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    table = content.get(name)
    return table if isinstance(table, dict) else {}


def _lock_file(line: CommandLine, environment: Mapping[str, str], project: Path) -> Path:
    if (named := line.last("lockfile")) is not None:
        return project / named
    form = environment.get("PDM_LOCK_FORMAT")
    for path in _configuration_files(line, environment, project):
        form = form or _table(read_toml(path), "lock").get("format")
    return project / ("pylock.toml" if form == "pylock" else "pdm.lock")


def _refuse_written_addresses(line: CommandLine, lock_file: Path) -> None:
    """Refuse the two kinds of lock file that hold addresses of files."""
    content = read_toml(lock_file)
    strategy = _table(content, "metadata").get("strategy", [])
    asked = [item for value in line.all("strategy") for item in value.split(",")]
    static = "static_urls" in (*strategy, *asked) or line.given("static-urls")
    if static and not line.given("no-static-urls"):
        raise ClientError(
            "the lock strategy static_urls would write the shim's address, which changes with every run, into"
            " pdm.lock; use --no-static-urls, or give --allow-loopback-lock"
        )
    if lock_file.name.startswith("pylock.") or "lock-version" in content:
        raise ClientError(
            "a pylock.toml names the addresses of its files, of which some would be the shim's; use pdm.lock,"
            " or give --allow-loopback-lock"
        )


def _find_python(program: str, project: Path, environment: Mapping[str, str]) -> str:
    """Ask pdm for the project's interpreter; this one where it has chosen none yet."""
    quiet = {**environment, "PDM_CHECK_UPDATE": "0"}
    command = [program, "info", "--python", "--project", str(project)]
    try:
        done = subprocess.run(command, env=quiet, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise ClientError(f"pdm info does not tell the interpreter: {printable(str(error))}") from None
    found = done.stdout.strip().rpartition("\n")[2]
    return found if found and os.access(found, os.X_OK) else sys.executable
