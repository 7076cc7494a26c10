"""`variant-pip`: the user's own pip behind the shim, arguments and exit status unchanged.

Only what every run needs is imported at the top: this starts whenever someone types `variant-pip list`.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from variant_index.errors import VariantIndexError, printable

if TYPE_CHECKING:
    from variant_index.clients.pip.arguments import PipArguments
    from variant_index.clients.pip.configuration import PipConfiguration
    from variant_index.clients.pip.environment import ChildSettings
    from variant_index.clients.pip.interpreter import Interpreter
    from variant_index.clients.pip.taken import Evidence
    from variant_index.detection import DetectionSettings
    from variant_index.model.machine import MachineProfile
    from variant_index.selection.choice import TargetTags
    from variant_index.shim.file_table import FileTable
    from variant_index.shim.journal import Journal
    from variant_index.shim.present import Chosen
    from variant_index.torch_index.settings import TorchSettings
    from variant_index.upstream.source import Source

__all__ = ["main"]

_PREFACE = """\
variant-pip is the active environment's own pip; install, download, wheel, index and lock know wheel variants:
of every release that has them pip gets the build that this machine (or VARIANT_INDEX_MACHINE) can run, and a
line says which and why. pip's options, configuration, output and exit status are unchanged. Here is its help:
"""

_BESIDE_DETECTION = 15.0
"""Seconds that everything else may take besides detection: pip's own limit."""

_PROXY_VARIABLES = frozenset({"http_proxy", "https_proxy", "all_proxy"})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run pip.

    Args:
        arguments: pip's, without the program's name; None for those of this process.

    Returns:
        pip's exit status; 2 or 3 where it could not be started; 3 where pip ended well although an index
        could not be read. For commands that need no index this process becomes pip and does not return.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        return _run(arguments)
    except VariantIndexError as error:
        _say(f"error: {error}")
        return error.exit_code
    except OSError as error:
        _say(f"error: {error.filename}: {error.strerror}" if error.filename else f"error: {error}")
        return 2
    except KeyboardInterrupt:
        return 130


def _run(arguments: Sequence[str]) -> int:
    from variant_index.clients.pip.arguments import parse_arguments
    from variant_index.clients.pip.interpreter import find_interpreter
    from variant_index.clients.pip.run import become_pip
    from variant_index.clients.process import end_like

    parsed = parse_arguments(arguments)
    interpreter = find_interpreter(os.environ)
    if parsed.given("verbose") and interpreter.executable != sys.executable:
        _say(f"runs the pip of {interpreter.executable} ({interpreter.origin})")
    if not parsed.needs_index:
        # A shell that completes pip's words runs it without arguments.
        asked_for_help = list(arguments) in ([], ["-h"], ["--help"], ["help"])
        if asked_for_help and "PIP_AUTO_COMPLETE" not in os.environ:
            sys.stdout.write(_PREFACE)
        become_pip(interpreter.executable, arguments)
    return end_like(_run_behind_shim(parsed, interpreter))


def _run_behind_shim(arguments: PipArguments, interpreter: Interpreter) -> int:
    """Take over pip's sources, run it, and say what was chosen."""
    from variant_index.clients.pip.environment import child_settings
    from variant_index.clients.pip.requirements import check_requirements
    from variant_index.clients.pip.run import pip_command
    from variant_index.clients.pip.taken import evidence, taken
    from variant_index.clients.process import run_client
    from variant_index.detection import DetectionSettings
    from variant_index.shim.endpoint import Endpoint

    detection = DetectionSettings.from_environment(os.environ)
    target, configuration = _configuration(arguments, interpreter)
    proxy = configuration.value(arguments, "proxy")
    if arguments.given("no-proxy-env") or proxy == "":
        for name in [name for name in os.environ if name.lower() in _PROXY_VARIABLES]:
            del os.environ[name]
    files = [
        file
        for option in ("requirement", "constraint", "build-constraint")
        for file in configuration.values(arguments, option)
    ]
    check_requirements(files, os.environ)
    sources = _sources(arguments, configuration)
    torch = _torch(arguments, configuration)
    network_settings = _network_settings(arguments, configuration, proxy)
    proof = evidence(arguments, configuration, interpreter.pip_version())
    ours = proof.kind == "document" and proof.path is None
    endpoint = Endpoint.open()
    served: list[tuple[Journal, FileTable]] = []

    with contextlib.ExitStack() as until_pip_ends:

        def serve() -> None:
            # Loading the server takes as long as pip needs to its first request, so they go side by side.
            from variant_index.clients.pip.tags import target_platforms
            from variant_index.shim.journal import Journal
            from variant_index.shim.server import ShimServer
            from variant_index.upstream.cache import DiskCache
            from variant_index.upstream.network import Network

            journal = Journal()
            cache = None if configuration.flag(arguments, "no-cache-dir") else DiskCache.of_user()
            network = Network(*network_settings, cache=cache)
            tags = _tags(arguments, configuration, interpreter, target)
            machine = _machine(detection, journal, target_platforms(arguments, configuration))
            server = ShimServer(sources, network, machine, tags, journal, torch=torch, endpoint=endpoint)
            until_pip_ends.enter_context(server)
            served.append((journal, server.files))

        settings = child_settings(
            os.environ,
            configuration,
            index_url=endpoint.index_url,
            proxy=proxy,
            isolated=arguments.isolated,
            replaced=_patience(arguments, configuration, detection),
        )
        with _pip_files(settings, proof) as (environment, proof):
            passed = arguments.passed_with("--report", str(proof.path)) if ours else arguments.passed
            status = run_client([*pip_command(interpreter.executable), *passed], environment, serve)
            journal, linked = served[0]
            chosen = taken(proof, journal.chosen(), linked.chosen_in) if status == 0 else []
    local = any(not source.url.startswith("http") for source in sources)
    named = bool(chosen) or local or (proof.kind == "none" and bool(linked.offered()))
    return _report(arguments, configuration, journal, status, chosen, named=named)


@contextlib.contextmanager
def _pip_files(settings: ChildSettings, proof: Evidence) -> Iterator[tuple[Mapping[str, str], Evidence]]:
    """Make the files that pip reads and writes for us: a configuration, a report."""
    wanted = proof.kind == "document" and proof.path is None  # a report that the user did not ask for
    if settings.configuration is None and not wanted:
        yield settings.environment, proof
        return
    import tempfile

    with tempfile.TemporaryDirectory(prefix="variant-pip-") as folder:
        environment = settings.environment
        if settings.configuration is not None:
            file = Path(folder, "pip.conf")
            file.write_text(settings.configuration)
            environment = {**environment, "PIP_CONFIG_FILE": str(file)}
        yield environment, replace(proof, path=Path(folder, "report.json")) if wanted else proof


def _report(
    arguments: PipArguments,
    configuration: PipConfiguration,
    journal: Journal,
    status: int,
    chosen: Sequence[Chosen],
    *,
    named: bool,
) -> int:
    """Say what was chosen and what went wrong, and return the exit status.

    `named` says whether a document of pip's names addresses of the shim: those of chosen wheels, and of the
    files of sources that are folders.
    """
    from variant_index.clients.pip.report import exit_status, report_lines

    quiet = configuration.flag(arguments, "quiet")
    hints = journal.hints if status != 0 else ()
    for line in report_lines(chosen, (*journal.warnings, *hints), journal.failures, quiet=quiet):
        _say(line)
    records = arguments.command == "lock" or configuration.value(arguments, "report") is not None
    if records and named:
        document = "lock file" if arguments.command == "lock" else "report"
        _say(f"warning: the {document} names addresses of the shim, which are gone now; keep only its hashes")
    return exit_status(status, failed=bool(journal.failures))


def _configuration(arguments: PipArguments, interpreter: Interpreter) -> tuple[Interpreter, PipConfiguration]:
    """Return the interpreter that pip installs for, and pip's configuration there."""
    from variant_index.clients.pip.configuration import read_configuration
    from variant_index.clients.pip.interpreter import InterpreterError, interpreter_at

    configuration = read_configuration(os.environ, interpreter.prefix(), isolated=arguments.isolated)
    place = configuration.value(arguments, "python")
    if place is None:
        return interpreter, configuration
    target = interpreter_at(place)
    if target is None:
        raise InterpreterError(f"--python {printable(place)}: no Python there")
    return target, read_configuration(os.environ, target.prefix(), isolated=arguments.isolated)


def _network_settings(
    arguments: PipArguments, configuration: PipConfiguration, proxy: str | None
) -> tuple[str | None, str | None, tuple[str, ...], float]:
    """Return what `Network` takes; checked before pip starts, so that it is said once and by us."""
    from variant_index.clients.pip.configuration import PipConfigurationError

    # pip, through requests, obeys these two variables as well.
    certificates = configuration.value(arguments, "cert") or next(
        filter(None, map(os.environ.get, ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"))), None
    )
    if certificates is not None and not Path(certificates).exists():
        raise PipConfigurationError(f"certificates {printable(certificates)}: no such file")
    hosts = configuration.values(arguments, "trusted-host")
    return certificates, proxy or None, hosts, configuration.timeout(arguments)


def _sources(arguments: PipArguments, configuration: PipConfiguration) -> list[Source]:
    """Return the sources in pip's order; an index or a find-links location may be a folder."""
    from variant_index.upstream.source import Source

    indexes = configuration.index_urls(arguments)
    return [
        *(Source(Path(url).absolute().as_uri() if Path(url).is_dir() else url) for url in indexes),
        *map(Source.find_links, configuration.values(arguments, "find-links")),
    ]


def _torch(arguments: PipArguments, configuration: PipConfiguration) -> TorchSettings:
    """Return where the torch family comes from: PyTorch's index, unless the command line names another."""
    from variant_index.torch_index.settings import torch_settings

    settings = torch_settings(os.environ, own_index=arguments.given("index-url"))
    return replace(settings, source=None) if configuration.flag(arguments, "no-index") else settings


def _patience(
    arguments: PipArguments, configuration: PipConfiguration, detection: DetectionSettings
) -> dict[str, str]:
    """Return the option that makes pip wait longer; none where the user chose a time.

    The first page with variants waits for the GPU drivers; pip's own limit would end before their time
    does, and pip would ask again.
    """
    if configuration.value(arguments, "timeout", "default-timeout") or detection.machine is not None:
        return {}
    return {"timeout": f"{detection.timeout + _BESIDE_DETECTION:g}"}


def _machine(
    detection: DetectionSettings, journal: Journal, platforms: Sequence[str]
) -> Callable[[], MachineProfile]:
    return lambda: detection.profile(lambda line: journal.warn([line]), platforms)


def _tags(
    arguments: PipArguments, configuration: PipConfiguration, interpreter: Interpreter, target: Interpreter
) -> Callable[[], TargetTags]:
    any_python = configuration.flag(arguments, "ignore-requires-python")

    def tags() -> TargetTags:
        from variant_index.clients.pip.run import pip_command
        from variant_index.clients.pip.tags import target_options, target_tags, target_version
        from variant_index.shim.target import tags_of

        options = target_options(arguments, configuration)
        if options:
            version = target_version(arguments, configuration) or tags_of(target.executable).python_version
            pip = pip_command(interpreter.executable)
            pip += [] if target is interpreter else ["--python", target.executable]
            found = target_tags(pip, options, os.environ, version)
        else:
            found = tags_of(target.executable)
        return found.for_any_python() if any_python else found

    return tags


def _say(line: str) -> None:
    """Write one line to stderr; what cannot be written there is lost."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        print(f"variant-pip: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
