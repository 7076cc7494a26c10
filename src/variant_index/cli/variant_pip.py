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

from variant_index.errors import InputError, VariantIndexError, printable

if TYPE_CHECKING:
    from variant_index.clients.pip.arguments import PipArguments
    from variant_index.clients.pip.configuration import PipConfiguration
    from variant_index.clients.pip.environment import ChildSettings
    from variant_index.clients.pip.interpreter import Interpreter
    from variant_index.clients.pip.requirements import Requirements
    from variant_index.clients.pip.taken import Evidence
    from variant_index.detection import DetectionSettings
    from variant_index.model.machine import MachineProfile
    from variant_index.selection.choice import TargetTags
    from variant_index.shim.file_table import FileTable
    from variant_index.shim.journal import Journal
    from variant_index.shim.present import Chosen

__all__ = ["main"]

_PREFACE = """\
variant-pip is the active environment's own pip; install, download, wheel, index and lock know wheel variants:
of every release that has them pip gets the build that this machine (or VARIANT_INDEX_MACHINE) can run, and a
line says which and why. The only new option is --trust-provider (`variant-index providers`). pip's own help:
"""

_BESIDE_DETECTION = 15.0
"""Seconds that everything else may take besides detection: pip's own limit."""

_LOCK_NOTE = (
    "note: the lock file names the builds for machines like this one; uv installs from it, while pip does not"
    " read the file names of variants"
)

_PROXY_VARIABLES = frozenset({"http_proxy", "https_proxy", "all_proxy"})
_SETTINGS = ("torch-index", "torch-backends", "allow-unhashed", "prefer", "route", "merge")


def main(arguments: Sequence[str] | None = None, settings: Mapping[str, object] | None = None) -> int:
    """Run pip.

    Args:
        arguments: pip's, without the program's name; None for those of this process.
        settings: our own settings that a command line gave, as `read_configuration` takes them.

    Returns:
        pip's exit status; 2 or 3 where it could not be started; 3 where pip ended well although an index
        could not be read. For commands that need no index this process becomes pip and does not return.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        return _run(arguments, settings)
    except VariantIndexError as error:
        _say(f"error: {error}")
        return error.exit_code
    except OSError as error:
        _say(f"error: {error.filename}: {error.strerror}" if error.filename else f"error: {error}")
        return 2
    except KeyboardInterrupt:
        return 130


def _run(arguments: Sequence[str], settings: Mapping[str, object] | None) -> int:
    from variant_index.clients.pip.arguments import parse_arguments
    from variant_index.clients.pip.interpreter import find_interpreter
    from variant_index.clients.pip.run import become_pip
    from variant_index.clients.process import end_like

    trusted: list[str] = []
    if any(argument.startswith("--trust-provider") for argument in arguments):
        from variant_index.cli.trust_option import take_requests

        trusted, arguments = take_requests(arguments)
    parsed = parse_arguments(arguments)
    interpreter = find_interpreter(os.environ)
    if parsed.given("verbose") and interpreter.executable != sys.executable:
        _say(f"runs the pip of {interpreter.executable} ({interpreter.origin})")
    if not parsed.needs_index:
        if trusted:
            raise InputError("--trust-provider goes with install, download, wheel, index and lock only")
        # A shell that completes pip's words runs it without arguments.
        asked_for_help = list(arguments) in ([], ["-h"], ["--help"], ["help"])
        if asked_for_help and "PIP_AUTO_COMPLETE" not in os.environ:
            sys.stdout.write(_PREFACE)
        become_pip(interpreter.executable, arguments)
    return end_like(_run_behind_shim(parsed, interpreter, settings, trusted))


def _run_behind_shim(
    arguments: PipArguments,
    interpreter: Interpreter,
    given: Mapping[str, object] | None,
    trusted: Sequence[str] = (),
) -> int:
    """Take over pip's sources, run it, and say what was chosen."""
    from variant_index.cli.domain_settings import detection_settings
    from variant_index.cli.pip_upstream import pip_upstream
    from variant_index.clients.pip.arguments import FILES
    from variant_index.clients.pip.document import PrintedDocument, rewrite_document
    from variant_index.clients.pip.environment import child_settings
    from variant_index.clients.pip.led import lead
    from variant_index.clients.pip.requirements import read_requirements
    from variant_index.clients.pip.run import pip_command
    from variant_index.clients.pip.sources import pip_sources
    from variant_index.clients.pip.taken import evidence, taken
    from variant_index.clients.process import run_client
    from variant_index.configuration.effective import read_configuration
    from variant_index.shim.endpoint import Endpoint

    settled = read_configuration(os.environ, Path.cwd(), given, keys=_SETTINGS)
    for line in settled.warnings:
        _say(f"warning: {line}")
    for line in settled.notes:
        _say(f"note: {line}")
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
    found = pip_sources(configuration, arguments, requirements.sources)
    if trusted:
        from variant_index.cli.trust_option import pip_variables, trust_providers

        trust_providers(
            trusted,
            lambda: pip_variables(arguments, configuration, found),
            lambda kind, line: _say(f"{kind}: {line}"),
            enabled=detection.providers.enabled,
        )
    upstream = pip_upstream(
        arguments, configuration, found, settled, python=interpreter.executable, proxy=proxy
    )
    proof = evidence(arguments, configuration, interpreter.pip_version(), target.prefix)
    ours = proof.kind == "document" and proof.path is None
    endpoint = Endpoint.open()
    served: list[tuple[Journal, FileTable]] = []

    with contextlib.ExitStack() as until_pip_ends:

        def serve() -> None:
            # Loading the server takes as long as pip needs to its first request, so they go side by side.
            from variant_index.cli.extension_settings import extension_settings
            from variant_index.clients.pip.expected import expected_pages
            from variant_index.clients.pip.tags import target_platforms
            from variant_index.clients.pip.wishes import pip_wishes
            from variant_index.shim.journal import Journal
            from variant_index.shim.server import ShimServer

            journal = Journal()
            wishes = pip_wishes(arguments, configuration, requirements, files, os.environ)
            extensions = extension_settings(settled, lambda: target.executable, wishes)
            tags = _tags(arguments, configuration, interpreter, target)
            machine = _machine(detection, journal, target_platforms(arguments, configuration))
            server = ShimServer(
                upstream.sources,
                upstream.network(),
                machine,
                tags,
                journal,
                torch=upstream.torch,
                endpoint=endpoint,
                routing=upstream.routing,
                extensions=extensions,
                expected=expected_pages(
                    arguments,
                    wishes,
                    None if extensions.environment is None else extensions.environment.versions,
                    interpreter.pip_version(),
                ),
            )
            until_pip_ends.enter_context(server)
            served.append((journal, server.files))

        def folder() -> Path:
            import tempfile

            made = tempfile.TemporaryDirectory(prefix="variant-pip-")
            return Path(until_pip_ends.enter_context(made))

        led = lead(requirements, arguments, configuration, endpoint.index_url, folder)
        settings = child_settings(
            os.environ,
            configuration,
            index_url=endpoint.index_url,
            proxy=proxy,
            isolated=arguments.isolated,
            replaced={**_patience(arguments, configuration, detection), **led.settings},
        )
        with _pip_files(settings, proof) as (environment, proof):
            report = ("--report", str(proof.path)) if ours else ()
            command = [*pip_command(interpreter.executable), *led.arguments.passed_with(*report)]
            printed = PrintedDocument(lambda: served[0][1])
            passed_on = printed.pass_on if proof.kind == "printed" else None
            status = run_client(command, environment, serve, passed_on)
            journal, linked = served[0]
            chosen = taken(proof, journal.chosen(), linked.chosen_in, printed.text) if status == 0 else []
    if status != 0:
        for hint in _hash_hints(requirements, files, target, linked.offered()):
            journal.hint(hint)
    named = bool(linked.offered()) or upstream.has_links_through_the_shim
    if proof.kind == "printed":
        named = printed.names_shim
    elif proof.kind == "document" and proof.path is not None and not ours:
        text = rewrite_document(proof.path, linked.with_upstream_links)
        named = text is not None and linked.names_in(text)
    if arguments.command == "lock" and chosen:
        _say(_LOCK_NOTE)
    return _report(arguments, configuration, journal, status, chosen, named=named)


def _hash_hints(
    requirements: Requirements,
    files: Mapping[str, Sequence[str]],
    target: Interpreter,
    offered: Sequence[Chosen],
) -> list[str]:
    """Say which choices pip had to refuse because only the hashes of other builds are pinned."""
    if not offered or not any("--hash" in file.text for file in requirements.files.values()):
        return []
    from variant_index.clients.pip.wanted import merge, pin_hints, requirement_lines
    from variant_index.shim.target import ask_target

    with contextlib.suppress(VariantIndexError):  # pip has said what is wrong with a line
        lines = requirement_lines(requirements, files["requirement"], files["constraint"], os.environ)
        wanted, _ = merge(lines, ask_target(target.executable).environment)
        return pin_hints(wanted, offered)
    return []


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
            file.touch(0o600)  # as the user's own may be
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

    `named` says whether a document of pip's names addresses of the shim.
    """
    from variant_index.clients.pip.report import exit_status, report_lines

    quiet = configuration.flag(arguments, "quiet")
    hints = journal.hints if status != 0 else ()
    warnings = (*journal.warnings, *hints)
    for line in report_lines(chosen, warnings, journal.failures, quiet=quiet, found_nothing=status == 1):
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


def _patience(
    arguments: PipArguments, configuration: PipConfiguration, detection: DetectionSettings
) -> dict[str, str]:
    """Return the option that makes pip wait longer; none where the user chose a time.

    The first page with variants waits for the GPU drivers; pip's own limit would end before their time
    does, and pip would ask again.
    """
    if configuration.value(arguments, "timeout", "default-timeout") or detection.machine is not None:
        return {}
    return {"timeout": f"{detection.longest + _BESIDE_DETECTION:g}"}


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
