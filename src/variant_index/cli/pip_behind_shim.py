"""pip behind a shim of its own: what it was told is taken over, and what it took is said."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from variant_index.cli.domain_settings import detection_settings
from variant_index.cli.pip_upstream import PipUpstream, pip_upstream
from variant_index.clients.pip.arguments import FILES, PipArguments
from variant_index.clients.pip.configuration import PipConfiguration, read_configuration
from variant_index.clients.pip.document import PrintedDocument, rewrite_document
from variant_index.clients.pip.environment import child_settings
from variant_index.clients.pip.interpreter import Interpreter, InterpreterError, interpreter_at
from variant_index.clients.pip.led import lead
from variant_index.clients.pip.requirements import Requirements, read_requirements
from variant_index.clients.pip.run import pip_command
from variant_index.clients.pip.sources import PipSources, pip_sources
from variant_index.clients.pip.taken import Evidence, evidence, taken
from variant_index.clients.process import run_client
from variant_index.configuration.effective import Configuration
from variant_index.configuration.effective import read_configuration as read_settings
from variant_index.errors import VariantIndexError, printable
from variant_index.shim.endpoint import Endpoint

if TYPE_CHECKING:
    from variant_index.detection import DetectionSettings
    from variant_index.selection.choice import TargetTags
    from variant_index.shim.file_table import FileTable
    from variant_index.shim.journal import Journal
    from variant_index.shim.present import Chosen

__all__ = ["patience", "run_behind_shim"]

_ONE_AFTER_ANOTHER = 4
"""So many answers of an index, each of which may take the user's time limit, make one page."""

_LOCK_NOTE = (
    "note: the lock file names the builds for machines like this one; uv installs from it, while pip does not"
    " read the file names of variants"
)

_PROXY_VARIABLES = frozenset({"http_proxy", "https_proxy", "all_proxy"})
_SETTINGS = ("torch-index", "torch-backends", "allow-unhashed", "prefer", "route", "merge")


@dataclass(frozen=True)
class _Command:
    """What the user told pip, and us.

    Attributes:
        arguments: pip's.
        interpreter: whose pip runs.
        target: what it installs for.
        configuration: pip's.
        settled: our settings.
        detection: how the machine is examined.
        files: `requirement`, `constraint`, `build-constraint` -> the files named.
        requirements: these, read.
        sources: where pip would look.
        proxy: through which; None for what the environment says.
    """

    arguments: PipArguments
    interpreter: Interpreter
    target: Interpreter
    configuration: PipConfiguration
    settled: Configuration
    detection: DetectionSettings
    files: Mapping[str, Sequence[str]]
    requirements: Requirements
    sources: PipSources
    proxy: str | None


@dataclass(frozen=True)
class _Serving:
    """A shim while pip runs, and what is known from it afterwards.

    Attributes:
        journal: what happened.
        files: what was linked.
        relays: whether files of a source, and not chosen wheels alone, are linked through the shim.
    """

    journal: Journal
    files: FileTable
    relays: bool


def run_behind_shim(
    arguments: PipArguments,
    interpreter: Interpreter,
    given: Mapping[str, object] | None,
    trusted: Sequence[str],
    say: Callable[[str], None],
) -> int:
    """Take over pip's sources, run it, and say what was chosen.

    Args:
        arguments: of a command that needs an index.
        interpreter: whose pip runs.
        given: our own settings that a command line gave.
        trusted: the values of `--trust-provider`.
        say: prints one line for the user.

    Returns:
        pip's exit status, negative for a signal; 3 where pip ended well although an index could not be read.

    Raises:
        VariantIndexError: something cannot be taken over; where pip runs already, it is ended first.
    """
    command = _read_command(arguments, interpreter, given, say)
    if trusted:
        _trust(command, trusted, say)
    # Before pip starts, which would say on its own what is wrong with these.
    upstream = pip_upstream(
        arguments,
        command.configuration,
        command.sources,
        command.settled,
        python=interpreter.executable,
        proxy=command.proxy,
    )
    endpoint = Endpoint.open()
    proof = evidence(arguments, command.configuration, interpreter.pip_version(), command.target.prefix)
    serving: list[_Serving] = []
    with contextlib.ExitStack() as until_pip_ends:

        def serve() -> None:
            serving.append(until_pip_ends.enter_context(_serving(command, upstream, endpoint)))

        @cache
        def folder() -> Path:
            return Path(until_pip_ends.enter_context(tempfile.TemporaryDirectory(prefix="variant-pip-")))

        words, environment, found = _child(command, endpoint, proof, folder)
        printed = PrintedDocument(lambda: serving[0].files)
        # Loading the server takes as long as pip needs to its first request, so they go side by side.
        status = run_client(words, environment, serve, printed.pass_on if found.kind == "printed" else None)
        (shim,) = serving
        chosen: Sequence[Chosen] = ()
        if status == 0:
            chosen = taken(found, shim.journal.chosen(), shim.files.chosen_in, printed.text)
    if status != 0:
        for hint in _hash_hints(command, shim.files.offered()):
            shim.journal.hint(hint)
    if arguments.command == "lock" and chosen:
        say(_LOCK_NOTE)
    return _report(command, shim, status, chosen, say, named=_names_shim(shim, proof, printed))


def _read_command(
    arguments: PipArguments,
    interpreter: Interpreter,
    given: Mapping[str, object] | None,
    say: Callable[[str], None],
) -> _Command:
    settled = read_settings(os.environ, Path.cwd(), given, keys=_SETTINGS)
    for line in settled.warnings:
        say(f"warning: {line}")
    for line in settled.notes:
        say(f"note: {line}")
    detection = detection_settings(settled)
    target, configuration = _configuration(arguments, interpreter)
    proxy = configuration.value(arguments, "proxy")
    if arguments.given("no-proxy-env") or proxy == "":
        for name in [name for name in os.environ if name.lower() in _PROXY_VARIABLES]:
            del os.environ[name]
    # `pip index` alone reads no such files, whatever the configuration says.
    read = arguments.command != "index"
    files = {option: configuration.values(arguments, option) if read else () for option in FILES}
    requirements = read_requirements(
        [*files["constraint"], *files["requirement"]], os.environ, files["build-constraint"]
    )
    return _Command(
        arguments,
        interpreter,
        target,
        configuration,
        settled,
        detection,
        files,
        requirements,
        pip_sources(configuration, arguments, requirements.sources),
        proxy,
    )


def _configuration(arguments: PipArguments, interpreter: Interpreter) -> tuple[Interpreter, PipConfiguration]:
    """Return the interpreter that pip installs for, and pip's configuration there."""
    configuration = read_configuration(os.environ, interpreter.prefix(), isolated=arguments.isolated)
    place = configuration.value(arguments, "python")
    if place is None:
        return interpreter, configuration
    target = interpreter_at(place)
    if target is None:
        raise InterpreterError(f"--python {printable(place)}: no Python there")
    return target, read_configuration(os.environ, target.prefix(), isolated=arguments.isolated)


def _trust(command: _Command, trusted: Sequence[str], say: Callable[[str], None]) -> None:
    from variant_index.cli.trust_option import pip_variables, trust_providers

    trust_providers(
        trusted,
        lambda: pip_variables(command.arguments, command.configuration, command.sources),
        lambda kind, line: say(f"{kind}: {line}"),
        enabled=command.detection.providers.enabled,
    )


def _child(
    command: _Command, endpoint: Endpoint, proof: Evidence, folder: Callable[[], Path]
) -> tuple[list[str], Mapping[str, str], Evidence]:
    """Write the files that pip needs besides the user's.

    Returns:
        How to run pip, its environment, and where it will say what it took.
    """
    arguments, configuration = command.arguments, command.configuration
    led = lead(command.requirements, arguments, configuration, endpoint.index_url, folder)
    settings = child_settings(
        os.environ,
        configuration,
        index_url=endpoint.index_url,
        proxy=command.proxy,
        isolated=arguments.isolated,
        replaced={**patience(arguments, configuration, command.detection), **led.settings},
    )
    environment = settings.environment
    if settings.configuration is not None:
        file = folder() / "pip.conf"
        file.touch(0o600)  # as the user's own may be
        file.write_text(settings.configuration)
        environment = {**environment, "PIP_CONFIG_FILE": str(file)}
    report: Sequence[str] = ()
    if proof.kind == "document" and proof.path is None:  # a report that the user did not ask for
        proof = replace(proof, path=folder() / "report.json")
        report = ("--report", str(proof.path))
    words = [*pip_command(command.interpreter.executable), *led.arguments.passed_with(*report)]
    return words, environment, proof


def patience(
    arguments: PipArguments, configuration: PipConfiguration, detection: DetectionSettings
) -> dict[str, str]:
    """Return the option that makes pip wait longer for a page than for its index.

    A page with variants waits for a page, its variants documents and their wheels, and the first one for the
    GPU drivers as well; pip's own limit would end before that, and pip would ask again.
    """
    examined = 0 if detection.machine is not None else detection.longest
    return {"timeout": f"{examined + _ONE_AFTER_ANOTHER * configuration.timeout(arguments):g}"}


@contextlib.contextmanager
def _serving(command: _Command, upstream: PipUpstream, endpoint: Endpoint) -> Iterator[_Serving]:
    """Run the shim; certificates that cannot be used are an error."""
    from variant_index.cli.extension_settings import extension_settings
    from variant_index.clients.pip.expected import expected_pages
    from variant_index.clients.pip.formats import pip_formats
    from variant_index.clients.pip.tags import target_platforms
    from variant_index.clients.pip.wishes import pip_wishes
    from variant_index.shim.journal import Journal
    from variant_index.shim.server import ShimServer

    arguments, configuration = command.arguments, command.configuration
    journal = Journal()
    wishes = pip_wishes(arguments, configuration, command.requirements, command.files, os.environ)
    extensions = extension_settings(command.settled, lambda: command.target.executable, wishes)
    platforms = target_platforms(arguments, configuration)
    installed = None if extensions.environment is None else extensions.environment.versions
    with ShimServer(
        upstream.sources,
        upstream.network(),
        lambda: command.detection.profile(lambda line: journal.warn([line]), platforms),
        lambda: _tags(command),
        journal,
        torch=upstream.torch,
        endpoint=endpoint,
        routing=upstream.routing,
        extensions=extensions,
        built=pip_formats(arguments, configuration, command.requirements).sources_only,
        expected=expected_pages(arguments, wishes, installed, command.interpreter.pip_version()),
    ) as server:
        yield _Serving(journal, server.files, upstream.has_links_through_the_shim)


def _tags(command: _Command) -> TargetTags:
    from variant_index.clients.pip.tags import target_options, target_tags, target_version
    from variant_index.shim.target import tags_of

    arguments, configuration, target = command.arguments, command.configuration, command.target
    options = target_options(arguments, configuration)
    if options:
        version = target_version(arguments, configuration) or tags_of(target.executable).python_version
        pip = pip_command(command.interpreter.executable)
        pip += [] if target is command.interpreter else ["--python", target.executable]
        found = target_tags(pip, options, os.environ, version)
    else:
        found = tags_of(target.executable)
    return found.for_any_python() if configuration.flag(arguments, "ignore-requires-python") else found


def _hash_hints(command: _Command, offered: Sequence[Chosen]) -> list[str]:
    """Say which choices pip had to refuse because only the hashes of other builds are pinned."""
    requirements, files = command.requirements, command.files
    if not offered or not any("--hash" in file.text for file in requirements.files.values()):
        return []
    from variant_index.clients.pip.wanted import merge, pin_hints, requirement_lines
    from variant_index.shim.target import ask_target

    with contextlib.suppress(VariantIndexError):  # pip has said what is wrong with a line
        lines = requirement_lines(requirements, files["requirement"], files["constraint"], os.environ)
        wanted, _ = merge(lines, ask_target(command.target.executable).environment)
        return pin_hints(wanted, offered)
    return []


def _names_shim(shim: _Serving, proof: Evidence, printed: PrintedDocument) -> bool:
    """Lead the user's report or lock file past the shim, and tell whether one still names addresses of it."""
    if proof.kind == "printed":
        return printed.names_shim
    if proof.kind == "document" and proof.path is not None:
        text = rewrite_document(proof.path, shim.files.with_upstream_links)
        return text is not None and shim.files.names_in(text)
    return bool(shim.files.offered()) or shim.relays


def _report(
    command: _Command,
    shim: _Serving,
    status: int,
    chosen: Sequence[Chosen],
    say: Callable[[str], None],
    *,
    named: bool,
) -> int:
    """Say what was chosen and what went wrong, and return the exit status.

    `named` says whether a document of pip's names addresses of the shim.
    """
    from variant_index.clients.pip.report import exit_status, report_lines

    arguments, configuration, journal = command.arguments, command.configuration, shim.journal
    quiet = configuration.flag(arguments, "quiet")
    warnings = (*journal.warnings, *(journal.hints if status != 0 else ()))
    for line in report_lines(chosen, warnings, journal.failures, quiet=quiet, found_nothing=status == 1):
        say(line)
    records = arguments.command == "lock" or configuration.value(arguments, "report") is not None
    if records and named:
        document = "lock file" if arguments.command == "lock" else "report"
        say(f"warning: the {document} names addresses of the shim, which are gone now; keep only its hashes")
    return exit_status(status, failed=bool(journal.failures))
