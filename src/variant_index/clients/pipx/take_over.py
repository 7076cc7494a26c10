"""What a pipx command line means behind the shim: the sources of the pip or uv that it runs."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from variant_index.clients.command_line import CommandLine, Syntax, names, read_command_line
from variant_index.clients.pip.arguments import PipArguments, parse_arguments
from variant_index.clients.pip.configuration import read_configuration
from variant_index.clients.pip.environment import child_settings
from variant_index.clients.pip.interpreter import Interpreter
from variant_index.clients.script_python import python_of_script
from variant_index.clients.takeover import AsIs, Child, Index, NetworkOptions, Takeover
from variant_index.clients.uv.configuration import read_configuration as read_uv_configuration
from variant_index.clients.uv.options import SYNTAX as UV_SYNTAX
from variant_index.clients.uv.take_over import uv_environment, uv_index

__all__ = ["SYNTAX", "take_over"]

SYNTAX: Final = Syntax(
    valued=names("""
        app backend cooldown fetch-python include-resources-from index-url lock output pip-args preinstall
        python python-args spec suffix upgrade-strategy with
        """),
    short={"i": "index-url", "e": "editable", "h": "help", "q": "quiet", "U": "upgrade"},
    taken=frozenset({"index-url", "pip-args"}),
    prefixes=True,
)

_COMMANDS: Final = frozenset(
    {"install", "install-all", "inject", "reinstall", "reinstall-all", "run", "upgrade", "upgrade-all"}
)
_NOT_LED: Final = frozenset({"manifest", "runpip"})
_NOT_REMEMBERED: Final = (
    "pipx will not remember --index-url for later upgrades; put the index into pip's configuration"
)


def take_over(
    program: str, arguments: tuple[str, ...], environment: Mapping[str, str], directory: Path
) -> Takeover | AsIs:
    """Understand a pipx command line, as `take_over_client` does.

    Raises:
        PipConfigurationError: pip's configuration cannot be understood.
        TomlFileError: uv's configuration cannot be read.
    """
    line = read_command_line(arguments, SYNTAX)
    command = line.words[0] if line.words else ""
    if command == "run":
        line = read_command_line(arguments, SYNTAX, last_word=2)
    if command not in _COMMANDS or line.given("help"):
        led = command not in _NOT_LED or line.given("help")
        return AsIs("" if led else f"pipx {command} is not led: it gets no variants")
    own_python = python_of_script(program)
    python = _target(line, environment, own_python)
    handed = tuple(word for value in line.all("pip-args") for word in shlex.split(value))
    named = [f"--index-url={url}" for url in line.all("index-url")]
    pip = parse_arguments(("install", *named, *handed))
    configuration = read_configuration(environment, Interpreter(own_python, program).prefix(), isolated=False)
    uv_configuration = read_uv_configuration(environment, directory)
    warnings: tuple[str, ...] = ()
    if _uses_uv(line, environment, own_python):
        uv_line = read_command_line(tuple(named) + handed, UV_SYNTAX)
        index, warnings = uv_index(uv_line, environment, uv_configuration, directory)
    else:
        links = configuration.values(pip, "find-links")
        index = Index("", configuration.index_urls(pip), links, own=pip.given("index-url"))
    if command in ("install", "inject") and _names_sources(pip):
        warnings += (_NOT_REMEMBERED,)
    passed = [*line.passed]
    at = passed.index(command) + 1
    kept = pip.passed[1:]
    passed[at:at] = [f"--pip-args={shlex.join(kept)}"] if kept else []
    if command == "run":
        # pipx runs what it installed in the last days again, whatever the hardware was then.
        passed.insert(passed.index(command) + 1, "--no-cache")

    def child(urls: Mapping[str, str], folder: Path) -> Child:
        # A tool keeps the backend that it was installed with, so both are told.
        settings = child_settings(
            uv_environment(environment, urls[""]),
            configuration,
            index_url=urls[""],
            proxy=configuration.value(pip, "proxy"),
            isolated=False,
        )
        variables = dict(settings.environment)
        files = {}
        if settings.configuration is not None:
            files["pip.conf"] = settings.configuration
            variables["PIP_CONFIG_FILE"] = str(folder / "pip.conf")
        if uv_configuration.names_sources:
            files["uv.toml"] = uv_configuration.text_without_sources()
            variables["UV_CONFIG_FILE"] = str(folder / "uv.toml")
        return Child((program, *passed), variables, files)

    network = NetworkOptions(
        configuration.value(pip, "cert"),
        configuration.value(pip, "proxy") or None,
        configuration.values(pip, "trusted-host"),
        configuration.timeout(pip),
        configuration.value(pip, "client-cert"),
    )
    quiet = line.given("quiet")
    return Takeover(
        (index,),
        child,
        lambda: python,
        network,
        quiet=quiet,
        warnings=warnings,
        patience="" if configuration.value(pip, "timeout", "default-timeout") else "PIP_TIMEOUT",
    )


def _names_sources(pip: PipArguments) -> bool:
    return any(map(pip.given, ("index-url", "extra-index-url", "find-links", "no-index")))


def _uses_uv(line: CommandLine, environment: Mapping[str, str], own_python: str) -> bool:
    backend = line.last("backend") or environment.get("PIPX_DEFAULT_BACKEND")
    if backend:
        return backend == "uv"
    beside = Path(own_python).with_name("uv.exe" if os.name == "nt" else "uv")
    return beside.exists() or shutil.which("uv", path=environment.get("PATH")) is not None


def _target(line: CommandLine, environment: Mapping[str, str], own_python: str) -> str:
    """Return the interpreter that new environments are made of: named, configured, or pipx's own."""
    wanted = line.last("python") or environment.get("PIPX_DEFAULT_PYTHON")
    if not wanted:
        return own_python
    candidates = (wanted, f"python{wanted}")
    path = environment.get("PATH")
    return next(filter(None, (shutil.which(name, path=path) for name in candidates)), own_python)
