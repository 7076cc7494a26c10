"""`python -m torch_variant_provider [--json]`: what this machine can run, and where that is known from."""

from __future__ import annotations

import sys

from torch_variant_provider.report import examine

__all__ = ["UNANSWERED", "main"]

UNANSWERED = 3
"""Exit status when a driver is evidently there but did not say what it supports."""

_USAGE = """\
usage: python -m torch_variant_provider [--json]

Show what this machine can run and where each fact came from.

  --json      print a machine profile
  -h, --help  print this text

exit status: 0 done, 2 wrong usage, 3 a driver is there but did not say what it supports
"""


def main(arguments: list[str]) -> int:
    """Run the command; `arguments` without the program's name. Returns the exit status."""
    if arguments in (["-h"], ["--help"]):
        sys.stdout.write(_USAGE)
        return 0
    if arguments not in ([], ["--json"]):
        sys.stderr.write(_USAGE)
        return 2
    report = examine()
    if arguments:
        import json

        for warning in report.warnings:
            sys.stderr.write(f"{warning}\n")
        sys.stdout.write(json.dumps(report.profile(), indent=2) + "\n")
    else:
        from torch_variant_provider.table import profile_table

        sys.stdout.write(profile_table(report.facts, report.properties, report.notes))
    return UNANSWERED if report.unanswered else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
