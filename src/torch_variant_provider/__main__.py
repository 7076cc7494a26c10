"""`python -m torch_variant_provider`: what this machine can run, and where each fact came from."""

from __future__ import annotations

import os
import sys

from torch_variant_provider.deadline import end_within
from torch_variant_provider.report import examine

__all__ = ["UNANSWERED", "WARNING", "main"]

UNANSWERED = 3
"""Exit status when a driver is evidently there but did not say what it supports."""

WARNING = "warning: "
"""How a warning's line on standard error begins; what drivers print there begins otherwise."""

_USAGE = """\
usage: python -m torch_variant_provider [--json] [--timeout SECONDS]
       python -m torch_variant_provider --compatible

Show what this machine can run and where each fact came from.

  --json             print a machine profile
  --timeout SECONDS  how long all sources together may take; by default each has a limit of its own
  --compatible       print a folder: on a host's PYTHONPATH its modules answer documents that name
                     nvidia-variant-provider, amd-variant-provider or intel-variant-provider
  -h, --help         print this text

exit status: 0 done, 2 wrong usage, 3 a driver is there but did not say what it supports
"""


def main(arguments: list[str]) -> int:
    """Run the command; `arguments` without the program's name. Returns the exit status."""
    if arguments in (["-h"], ["--help"]):
        sys.stdout.write(_USAGE)
        return 0
    if arguments == ["--compatible"]:
        sys.stdout.write(os.path.join(os.path.dirname(os.path.abspath(__file__)), "compatible") + "\n")  # noqa: PTH100, PTH118, PTH120
        return 0
    try:
        as_json, seconds = _parse(arguments)
    except ValueError:
        sys.stderr.write(_USAGE)
        return 2
    end_within(seconds)
    report = examine()
    for warning in report.warnings:
        sys.stderr.write(f"{WARNING}{warning}\n")
    if as_json:
        import json

        sys.stdout.write(json.dumps(report.profile(), indent=2) + "\n")
    else:
        from torch_variant_provider.table import profile_table

        notes = [note for note in report.notes if note not in report.warnings]
        if not report.facts:
            sys.stdout.write("No GPU driver was found.\n\n")
        sys.stdout.write(profile_table(report.facts, report.properties, notes))
    return UNANSWERED if report.unanswered else 0


def _parse(arguments: list[str]) -> tuple[bool, float | None]:
    """Return whether JSON is wanted, and the seconds; raises ValueError for wrong usage."""
    as_json, seconds = False, None
    left = iter(arguments)
    for argument in left:
        if argument == "--json":
            as_json = True
        elif argument == "--timeout":
            seconds = float(next(left, ""))
            if not 0 < seconds < 1e6:
                raise ValueError(argument)
        else:
            raise ValueError(argument)
    return as_json, seconds


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
