"""The entry point of `variant-index`: dispatch, and the one place where errors become exit codes."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from variant_index.cli.overview import overview

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line.

    Args:
        arguments: without the program's name; None for those of this process.

    Returns:
        The exit status: 0 done, 1 the answer is "no", 2 usage or bad input, 3 upstream or network failure.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if arguments in (["--help"], ["-h"]):
        sys.stdout.write(overview())
        return 0
    if arguments == ["--version"]:
        from variant_index import __version__

        sys.stdout.write(f"variant-index {__version__}\n")
        return 0
    from variant_index.cli.group import run

    return run(arguments)
