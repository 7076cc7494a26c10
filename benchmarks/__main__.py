"""Measures every figure, prints a table or JSON, and exits 1 when a target is missed."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence

from benchmarks import detection, dry_run, publish, repack, selection, shim, splice, start_up
from benchmarks.figure import Figure

BENCHMARKS: dict[str, Callable[[], Iterator[Figure]]] = {
    "selection": selection.measure,
    "start-up": start_up.measure,
    "detection": detection.measure,
    "dry-run": dry_run.measure,
    "publish": publish.measure,
    "repack": repack.measure,
    "shim": shim.measure,
    "splice": splice.measure,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks asked for and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--only", choices=BENCHMARKS, action="append", help="run this one (repeatable)")
    options = parser.parse_args(arguments)
    figures: list[Figure] = []
    for name in options.only or BENCHMARKS:
        for figure in BENCHMARKS[name]():
            figures.append(figure)
            if not options.json:
                _print_line(figure, first=len(figures) == 1)
    if options.json:
        json.dump([_as_json(figure) for figure in figures], sys.stdout, indent=2)
        sys.stdout.write("\n")
    return int(any(figure.ok is False for figure in figures))


def _print_line(figure: Figure, *, first: bool) -> None:
    if first:
        print(f"{'figure':<46}{'ours':>11}{'peer':>11}{'ratio':>9}{'target':>10}  ok")
    if figure.ours is None or figure.peer is None:
        print(f"{figure.name:<46}skipped: {figure.skipped}", flush=True)
        return
    scale, unit = (1e3, "ms") if figure.unit == "s" else (1, figure.unit)
    numbers = (
        f"{figure.ours * scale:>8.2f} {unit}{figure.peer * scale:>8.1f} {unit}"
        f"{figure.ratio:>8.2f}x{figure.goal:>10}"
    )
    print(f"{figure.name:<46}{numbers}  {'yes' if figure.ok else 'NO'}", flush=True)


def _as_json(figure: Figure) -> dict[str, object]:
    return {
        "name": figure.name,
        "ours": figure.ours,
        "peer": figure.peer,
        "unit": figure.unit,
        "ratio": figure.ratio,
        "target": figure.goal,
        "ok": figure.ok,
        "skipped": figure.skipped,
    }


if __name__ == "__main__":
    raise SystemExit(main())
