"""What a uv command line means behind the shim: its indexes, and the child that sees only ours."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from variant_index.clients.command_line import CommandLine, read_command_line
from variant_index.clients.requirements_sources import refuse_sources_in
from variant_index.clients.takeover import (
    PYPI,
    AsIs,
    Child,
    ClientError,
    Index,
    NetworkOptions,
    Takeover,
    reach_loopback,
)
from variant_index.clients.toml_file import find_upwards
from variant_index.clients.uv.configuration import UvConfiguration, read_configuration
from variant_index.clients.uv.options import RUN_SYNTAX, SYNTAX
from variant_index.clients.uv.wishes import uv_wishes
from variant_index.clients.uv.written import FALSE, keeps_to_lock, refuse_addresses, refuse_project
from variant_index.errors import printable

__all__ = ["take_over", "uv_environment", "uv_index"]


_PIP: Final = frozenset({"install", "sync", "compile"})
_PROJECT: Final = frozenset({"add", "export", "lock", "remove", "run", "sync", "tree", "version"})
_OURS: Final = ("UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_NO_INDEX")
_INLINE_METADATA: Final = re.compile(rb"^# /// script\s*$", re.MULTILINE)


def take_over(
    program: str,
    arguments: tuple[str, ...],
    environment: Mapping[str, str],
    directory: Path,
    *,
    allow_loopback_lock: bool,
) -> Takeover | AsIs:
    """Understand a uv command line, as `take_over_client` does.

    Raises:
        ClientError: uv would get past the shim, or write its address into a file.
        TomlFileError: a configuration file of uv's cannot be read.
    """
    uvx = Path(program).stem == "uvx"
    line = read_command_line(arguments, SYNTAX)
    words = ("tool", "run", *line.words) if uvx else line.words
    if words[:1] == ("run",) or words[:2] == ("tool", "run"):
        # What follows the command belongs to the program that is run.
        last_word = 1 if uvx else 2 if words[0] == "run" else 3
        line = read_command_line(arguments, RUN_SYNTAX, last_word=last_word)
        words = ("tool", "run", *line.words) if uvx else line.words
    if line.given("help", "version"):
        return AsIs()
    base = _directory(line, environment, directory)
    if words[:1] == ("pip",):
        if words[1:2] == () or words[1] not in _PIP:
            return AsIs()
    elif words[:1] == ("tool",):
        if words[1:2] in (("install",), ("upgrade",)):
            raise ClientError(
                f"uv tool {words[1]} remembers the address of its index for later upgrades, and the shim's is"
                " gone then; run the tool with uvx, or install it with pipx"
            )
        if words[1:2] != ("run",):
            return AsIs()
    elif words[:1] and words[0] in _PROJECT:
        if not _without_project(words, line, base):
            if keeps_to_lock(words[0], line, environment):
                return AsIs(
                    f"uv {words[0]} keeps to the very files that uv.lock names, so nothing is to be chosen;"
                    " for variants use `uv pip install -r pyproject.toml`"
                )
            refuse_project(words[0], line, base, allow_loopback_lock=allow_loopback_lock)
    else:
        return AsIs()
    if words[:2] == ("pip", "compile") and not allow_loopback_lock:
        refuse_addresses(line, _configuration(line, environment, base))
    return _taken_over(program, words, line, environment, base)


def _taken_over(
    program: str, words: tuple[str, ...], line: CommandLine, environment: Mapping[str, str], base: Path
) -> Takeover:
    if line.given("torch-backend"):
        raise ClientError(
            "--torch-backend leads uv to PyTorch's index, past the shim; leave it out, the build is chosen"
            " without it (VARIANT_INDEX_TORCH_BACKENDS=NAME allows one backend only)"
        )
    if line.given("python-platform") and words[:2] != ("pip", "compile"):
        raise ClientError(
            "--python-platform: a build cannot be chosen for a platform that uv alone knows; use"
            " `pip download --platform` for it"
        )
    files = [str(base / name) for name in _requirements(words, line)]
    refuse_sources_in(files, environment)
    configuration = _configuration(line, environment, base)
    index, warnings = uv_index(line, environment, configuration, base)

    def child(urls: Mapping[str, str], folder: Path) -> Child:
        variables = uv_environment(environment, urls[""])
        files = {}
        kept = line.passed
        if configuration.names_sources:
            files = {"uv.toml": configuration.text_without_sources()}
            variables["UV_CONFIG_FILE"] = str(folder / "uv.toml")
            variables.pop("UV_NO_CONFIG", None)
        else:
            if (named := line.last("config-file")) is not None:
                variables["UV_CONFIG_FILE"] = named
            if line.given("no-config"):
                variables["UV_NO_CONFIG"] = "1"
        return Child((program, *kept), variables, files)

    return Takeover(
        (index,),
        child,
        lambda: _find_python(program, words, line, environment, base),
        _network(line, environment),
        locks=words[:2] == ("pip", "compile"),
        quiet=line.given("quiet"),
        warnings=warnings,
        patience="UV_HTTP_TIMEOUT",
        wishes=lambda: uv_wishes(words, line, environment, configuration, base),
    )


def _requirements(words: tuple[str, ...], line: CommandLine) -> list[str]:
    """Return the requirements files that are named; other formats cannot name sources."""
    named = line.all("requirements", "constraints", "build-constraints", "overrides", "with-requirements")
    named += words[2:] if words[:2] in (("pip", "compile"), ("pip", "sync")) else ()
    return [name for name in named if Path(name).suffix in (".in", ".txt")]


def _without_project(words: tuple[str, ...], line: CommandLine, base: Path) -> bool:
    """Tell whether `uv run` works outside of a project, and so without a lock file."""
    if words[0] != "run":
        return False
    if line.given("no-project") or find_upwards(base, "pyproject.toml") is None:
        return True
    script = base / (line.last("script") or (words[1] if len(words) > 1 else ""))
    if script.suffix != ".py" or not script.is_file() or script.with_name(f"{script.name}.lock").exists():
        return False
    with script.open("rb") as file:
        return _INLINE_METADATA.search(file.read(1 << 16)) is not None


def uv_environment(environment: Mapping[str, str], index_url: str) -> dict[str, str]:
    """Return the variables of a uv whose only index is the shim, but for what its files name."""
    kept = {
        name: value
        for name, value in environment.items()
        if name not in _OURS and name not in ("UV_TORCH_BACKEND", "UV_CONFIG_FILE")
    }
    return {**reach_loopback(kept), "UV_DEFAULT_INDEX": index_url}


def uv_index(
    line: CommandLine, environment: Mapping[str, str], configuration: UvConfiguration, base: Path
) -> tuple[Index, tuple[str, ...]]:
    """Return uv's sources in its order, and what cannot be followed, one printable line each."""
    warnings = []
    declared = configuration.indexes()
    by_name = {str(one["name"]): one for one in declared if one.get("name") and one.get("url")}
    given = (*line.all("index"), *environment.get("UV_INDEX", "").split())
    urls = [_named(value, by_name, environment) for value in given]
    urls += line.all("extra-index-url") or environment.get("UV_EXTRA_INDEX_URL", "").split()
    for one in declared:
        url = str(one.get("url", ""))
        if one.get("explicit"):
            shown = printable(str(one.get("name", "")))
            warnings.append(
                f"uv takes what is pinned to the index {shown} from there itself, without variants"
            )
        elif url and not one.get("default"):
            urls.append(_with_credentials(url, one.get("name"), environment))
    urls += configuration.all("extra-index-url")
    chosen = line.last("default-index", "index-url")
    default = chosen or environment.get("UV_DEFAULT_INDEX") or environment.get("UV_INDEX_URL")
    if default is not None:
        default = _named(default, by_name, environment)
    else:
        marked = next((one for one in declared if one.get("default") and one.get("url")), None)
        if marked is not None:
            default = _with_credentials(str(marked["url"]), marked.get("name"), environment)
    urls.append(default or str(configuration.first("index-url") or PYPI))
    links = list(line.all("find-links")) or environment.get("UV_FIND_LINKS", "").replace(",", " ").split()
    links += configuration.all("find-links")
    none = line.given("no-index") or environment.get("UV_NO_INDEX", "").lower() not in FALSE
    if none or configuration.first("no-index") is True:
        urls = []
    strategy = line.last("index-strategy") or environment.get("UV_INDEX_STRATEGY")
    strategy = strategy or str(configuration.first("index-strategy") or "first-index")
    if strategy != "first-index":
        warnings.append(
            f"the index strategy {printable(strategy)} is not followed: the first index that has a project"
            " serves it"
        )
    located = tuple(dict.fromkeys(str(base / url) if "://" not in url else url for url in urls))
    folders = tuple(str(base / link) if "://" not in link else link for link in links)
    return Index("", located, folders, own=chosen is not None), tuple(warnings)


def _named(value: str, by_name: Mapping[str, Mapping[str, object]], environment: Mapping[str, str]) -> str:
    """Return the address in `NAME=URL`, in `NAME` of a declared index, or in `URL`."""
    name, equals, url = value.partition("=")
    if equals and re.fullmatch(r"[A-Za-z0-9._\-]+", name):
        return _with_credentials(url, name, environment)
    if value in by_name:
        return _with_credentials(str(by_name[value]["url"]), value, environment)
    return value


def _with_credentials(url: str, name: object, environment: Mapping[str, str]) -> str:
    """Put `UV_INDEX_NAME_USERNAME` and `_PASSWORD` into an index's address."""
    if not isinstance(name, str) or "://" not in url:
        return url
    prefix = "UV_INDEX_" + re.sub(r"[^A-Z0-9]", "_", name.upper())
    user = environment.get(f"{prefix}_USERNAME")
    scheme, _, rest = url.partition("://")
    if user is None or "@" in rest.partition("/")[0]:
        return url
    from urllib.parse import quote

    password = environment.get(f"{prefix}_PASSWORD", "")
    return f"{scheme}://{quote(user, safe='')}:{quote(password, safe='')}@{rest}"


def _configuration(line: CommandLine, environment: Mapping[str, str], base: Path) -> UvConfiguration:
    no_config = line.given("no-config") or environment.get("UV_NO_CONFIG", "").lower() not in FALSE
    named = line.last("config-file") or environment.get("UV_CONFIG_FILE")
    return read_configuration(environment, base, config_file=named, no_config=no_config)


def _directory(line: CommandLine, environment: Mapping[str, str], directory: Path) -> Path:
    place = line.last("directory") or environment.get("UV_WORKING_DIR") or ""
    project = line.last("project") or environment.get("UV_PROJECT") or ""
    return directory / place / project


def _network(line: CommandLine, environment: Mapping[str, str]) -> NetworkOptions:
    hosts = (
        *line.all("allow-insecure-host", "trusted-host"),
        *environment.get("UV_INSECURE_HOST", "").split(),
    )
    try:
        timeout = float(environment.get("UV_HTTP_TIMEOUT") or 30)
    except ValueError:
        timeout = 30.0
    # uv asks no keyring, unless told to.
    keyring = line.last("keyring-provider") or environment.get("UV_KEYRING_PROVIDER")
    return NetworkOptions(trusted_hosts=hosts, timeout=timeout, keyring=keyring == "subprocess")


def _find_python(
    program: str, words: tuple[str, ...], line: CommandLine, environment: Mapping[str, str], base: Path
) -> str:
    """Ask uv itself for the interpreter: `uv python find`, which looks where the command looks."""
    wanted = line.last("python") or environment.get("UV_PYTHON")
    system = line.given("system") or environment.get("UV_SYSTEM_PYTHON", "").lower() not in FALSE
    target = words[:2] == ("pip", "compile") and line.last("python-version")
    if target:
        wanted = str(target)
    folder, name = os.path.split(program)
    beside = os.path.join(folder, re.sub("^uvx", "uv", name))  # noqa: PTH118 - a path would lose its ./
    found = shutil.which(beside, path=environment.get("PATH", os.defpath))
    uv = beside if found is None else str(Path(found).absolute())
    command = [uv, "python", "find", *(["--system"] if system or words[0] == "tool" else [])]
    command += [wanted] if wanted else []
    try:
        done = subprocess.run(
            command, cwd=base, env=dict(environment), capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        detail = error.stderr if isinstance(error, subprocess.CalledProcessError) else str(error)
        last = printable(str(detail).strip().rpartition("\n")[2])
        raise ClientError(f"uv finds no Python to choose for: {last}") from None
    return done.stdout.strip()
