"""What a pip-compile or pip-sync command line means behind the shim: pip's sources and their own options."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from variant_index.clients.command_line import CommandLine, Syntax, names, read_command_line
from variant_index.clients.pip.arguments import PipArguments, parse_arguments
from variant_index.clients.pip.configuration import PipConfiguration, read_configuration
from variant_index.clients.pip.environment import child_settings
from variant_index.clients.pip.interpreter import Interpreter
from variant_index.clients.pip_tools.wishes import pip_tools_wishes
from variant_index.clients.requirements_sources import refuse_sources_in
from variant_index.clients.script_python import python_of_script
from variant_index.clients.takeover import AsIs, Child, ClientError, Index, NetworkOptions, Takeover
from variant_index.clients.toml_file import tool_table
from variant_index.errors import printable

__all__ = ["SYNTAX", "take_over"]

SYNTAX: Final = Syntax(
    valued=names("""
        annotation-style build-deps-for cache-dir cert client-cert config constraint extra extra-index-url
        find-links index-url max-rounds newline output-file pip-args python-executable resolver trusted-host
        unsafe-package upgrade-package uploaded-prior-to
        """),
    short={
        **{"P": "upgrade-package", "U": "upgrade", "c": "constraint", "f": "find-links", "h": "help"},
        **{"i": "index-url", "n": "dry-run", "o": "output-file", "q": "quiet"},
    },
    taken=frozenset({"extra-index-url", "find-links", "index-url", "no-index", "pip-args"}),
)

_SOURCES: Final = frozenset({"index-url", "extra-index-url", "find-links", "no-index"})


def take_over(
    program: str,
    arguments: tuple[str, ...],
    environment: Mapping[str, str],
    directory: Path,
    *,
    allow_loopback_lock: bool = False,
) -> Takeover | AsIs:
    """Understand a command line of pip-compile or pip-sync, as `take_over_client` does.

    Raises:
        ClientError: the tool would get past the shim, or write its address into a file.
        PipConfigurationError: pip's configuration cannot be understood.
        RequirementsError: an input file cannot be read.
    """
    line = read_command_line(arguments, SYNTAX)
    if line.given("help", "version"):
        return AsIs()
    compiles = Path(program).stem == "pip-compile"
    if line.given("emit-index-url") and not allow_loopback_lock:
        raise ClientError(
            "--emit-index-url would write the shim's address, which changes with every run, into the output;"
            " leave it out, or give --allow-loopback-lock"
        )
    _refuse_configured_sources(line, directory)
    python = python_of_script(program)
    target = line.last("python-executable") or python
    # What pip itself would be told: the tool's own options, then what it hands through.
    handed = tuple(word for value in line.all("pip-args") for word in shlex.split(value))
    own = [f"--{name}={value}" for name in sorted(_SOURCES) for value in line.all(name) if name != "no-index"]
    own += [
        f"--{name}={value}" for name in ("cert", "client-cert", "trusted-host") for value in line.all(name)
    ]
    own += ["--no-index"] if line.given("no-index") else []
    pip = parse_arguments(("install", *own, *handed))
    configuration = read_configuration(environment, Interpreter(python, program).prefix(), isolated=False)
    refuse_sources_in(_inputs(line, directory, compiles=compiles), environment)
    index = Index(
        "",
        configuration.index_urls(pip),
        configuration.values(pip, "find-links"),
        own=pip.given("index-url"),
    )
    passed = [*_handed_on(handed), *line.passed]
    if compiles:
        passed = ["--no-emit-index-url", *passed]

    def child(urls: Mapping[str, str], folder: Path) -> Child:
        settings = child_settings(
            environment,
            configuration,
            index_url=urls[""],
            proxy=configuration.value(pip, "proxy"),
            isolated=False,
        )
        variables = dict(settings.environment)
        # The head of the output tells how it was made; our options do not belong there.
        variables.setdefault(
            "CUSTOM_COMPILE_COMMAND", f"variant-index run -- {Path(program).stem} {shlex.join(arguments)}"
        )
        files = {} if settings.configuration is None else {"pip.conf": settings.configuration}
        if files:
            variables["PIP_CONFIG_FILE"] = str(folder / "pip.conf")
        return Child((program, *passed), variables, files)

    return Takeover(
        (index,),
        child,
        lambda: str(target),
        _network(configuration, pip),
        locks=compiles,
        quiet=line.given("quiet"),
        patience="" if configuration.value(pip, "timeout", "default-timeout") else "PIP_TIMEOUT",
        wishes=lambda: pip_tools_wishes(line, directory, environment, compiles=compiles),
    )


def _handed_on(words: tuple[str, ...]) -> list[str]:
    """Return what of `--pip-args` the tool still gets: all but the options that name sources."""
    kept = parse_arguments(("install", *words)).passed[1:]
    return [f"--pip-args={shlex.join(kept)}"] if kept else []


def _inputs(line: CommandLine, directory: Path, *, compiles: bool) -> list[str]:
    """Return the files that may name sources; those that the tools read when none is named too."""
    named = line.words or (("requirements.in",) if compiles else ("requirements.txt",))
    output = line.last("output-file") or ("requirements.txt" if compiles else "")
    files = [*named, *line.all("constraint")]
    texts = [str(directory / name) for name in files if Path(name).suffix in (".in", ".txt")]
    # pip-compile keeps to the pins, and the sources, of its last output.
    return [*texts, *([str(directory / output)] if output and output != "-" else [])]


def _refuse_configured_sources(line: CommandLine, directory: Path) -> None:
    if line.given("no-config"):
        return
    if (named := line.last("config")) is not None:
        files = [directory / named]
    else:
        folders = [(directory / word).parent for word in line.words] or [directory]
        files = [folder / name for folder in folders for name in (".pip-tools.toml", "pyproject.toml")]
    for path in files:
        table = tool_table(path, "pip-tools")
        for section in (table, table.get("compile"), table.get("sync")):
            found = _source_keys(section) if isinstance(section, dict) else []
            if found:
                raise ClientError(
                    f"{printable(str(path))}: {found[0]} in [tool.pip-tools] would lead pip past the shim;"
                    " put it into pip's configuration"
                )


def _source_keys(table: Mapping[str, Any]) -> list[str]:
    names = {name: name.replace("_", "-") for name in table}
    return [name for name, normal in names.items() if normal in _SOURCES or normal == "pip-args"]


def _network(configuration: PipConfiguration, pip: PipArguments) -> NetworkOptions:
    return NetworkOptions(
        configuration.value(pip, "cert"),
        configuration.value(pip, "proxy") or None,
        configuration.values(pip, "trusted-host"),
        configuration.timeout(pip),
        configuration.value(pip, "client-cert"),
    )
