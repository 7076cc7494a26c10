"""`variant-pip`: the user's own pip behind the shim, arguments and exit status unchanged.

Only what every run needs is imported at the top: this starts whenever someone types `variant-pip list`.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping, Sequence

from variant_index.errors import InputError, VariantIndexError

__all__ = ["main"]

_PREFACE = """\
variant-pip is the active environment's own pip; install, download, wheel, index and lock know wheel variants:
of every release that has them pip gets the build that this machine (or VARIANT_INDEX_MACHINE) can run, and a
line says which and why. The only new option is --trust-provider (`variant-index providers`). pip's own help:
"""


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
    from variant_index.cli.pip_behind_shim import run_behind_shim

    return end_like(run_behind_shim(parsed, interpreter, settings, trusted, _say))


def _say(line: str) -> None:
    """Write one line to stderr; what cannot be written there is lost."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        print(f"variant-pip: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
