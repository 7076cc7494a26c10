"""`python -m torch_variant_provider [--json]`: what this machine can run, and where that is known from."""

from __future__ import annotations

import sys

from torch_variant_provider.report import Report, examine

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
        sys.stdout.write(json.dumps(report.profile, indent=2) + "\n")
    else:
        sys.stdout.write(_table(report))
    return UNANSWERED if report.unanswered else 0


def _table(report: Report) -> str:
    facts = report.profile["facts"]
    properties = report.profile["properties"]
    notes = report.profile["notes"]
    assert isinstance(facts, dict)
    assert isinstance(properties, dict)
    assert isinstance(notes, list)
    facts_rows: list[tuple[str, ...]] = [("FACT", "VALUE", "SOURCE")]
    for namespace, found in facts.items():
        for name, fact in found.items():
            value = fact["value"]
            text = ", ".join(value) or "none" if isinstance(value, list) else value
            facts_rows.append((f"{namespace} {name}", text, fact["source"]))
    lines = _columns(facts_rows) if facts else ["no GPU driver was found"]
    rows: list[tuple[str, ...]] = [("PROPERTY", "VALUES, BEST FIRST")]
    for namespace, features in properties.items():
        for feature, values in features.items():
            more = f" ... {values[-1]} ({len(values)})" if len(values) > 8 else ""
            rows.append((f"{namespace} :: {feature}", ", ".join(values[: 6 if more else 8]) + more))
    if properties:
        lines += ["", *_columns(rows)]
    if notes:
        lines += ["", *(f"note: {note}" for note in notes)]
    return "".join(f"{line}\n" for line in lines)


def _columns(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
