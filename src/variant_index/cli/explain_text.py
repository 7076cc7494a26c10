"""The text of `variant-index explain`: one project as tables that people read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from variant_index.cli.messages import coloured
from variant_index.errors import printable

if TYPE_CHECKING:
    from variant_index.model.explain_report import ExplainReport

__all__ = ["explanation_text"]

_SHOWN_NEWER: Final = 5


def explanation_text(report: ExplainReport) -> str:
    """Return the text for one project; ends with a line break."""
    if report.ignored is not None:
        return f"{report.name} is not installed: {report.ignored}.\n"
    if report.error is not None:
        return f"{report.name}: no answer: {report.error}\n"
    return "".join(
        f"{line}\n"
        for line in (
            *_release(report),
            *_source(report),
            *_newer(report),
            *_platforms(report),
            *_markers(report),
            *_hidden(report),
            *_notes(report),
        )
    )


def _release(report: ExplainReport) -> Iterable[str]:
    if report.version is None:
        if report.source is None:
            yield f"No source that was asked has project {report.name}."
        elif not report.newer:
            yield f"There is no release of {report.name}."
        else:
            matches = any(not one.reason.startswith("does not match") for one in report.newer)
            what = "that matches {} can be installed here" if matches else "matches {}"
            yield f"No release of {report.name} {what.format(printable(report.requirement))}."
        return
    yield f"{report.name} {report.version}"
    yield ""
    from variant_index.shim.version_choice import HELD_BACK

    held = next((one.reason for one in report.candidates if one.reason.startswith(HELD_BACK)), "")
    rows = [
        (
            "*" if one.rank == 1 else " ",
            str(one.rank or "-"),
            one.label or "(none)",
            HELD_BACK.rstrip(": ") if held and one.reason == held else one.reason,
            printable(one.filename),
        )
        for one in report.candidates
    ]
    table = _columns([(" ", "rank", "label", "verdict", "file"), *rows])
    if report.selected is not None:
        table[1] = coloured(table[1], "green", bold=True)
    yield from table
    if report.selected is not None:
        return
    if held:
        pin = f"{report.name}=={report.version}"
        yield f"{held[0].upper()}{held[1:]}."
        yield f"Installers take this release only where it is pinned: {pin}"
    else:
        yield "Nothing of this release can be installed here."


def _source(report: ExplainReport) -> Iterable[str]:
    if report.source is not None:
        yield ""
        yield f"From {printable(report.source.url)}: {report.source.reason}."
    if report.places:
        yield f"Asked for as {printable(report.requirement)} in {', '.join(report.places)}."


def _newer(report: ExplainReport) -> Iterable[str]:
    newer = report.newer
    if not newer:
        return
    yield ""
    yield "Newer releases that were passed over:" if report.version is not None else "Its releases:"
    shown = newer[:_SHOWN_NEWER]
    yield from _columns([("  " + one.version, one.reason) for one in shown])
    if len(newer) > len(shown):
        yield f"  and {len(newer) - len(shown)} more"


def _platforms(report: ExplainReport) -> Iterable[str]:
    if len(report.platforms) < 2:
        return
    yield ""
    yield "The wheel of this release for this hardware, by platform:"
    yield from _columns(
        [
            (
                "  " + printable(one.tags),
                "-" if one.label is None else one.label or "(none)",
                printable(one.filename or "none fits"),
            )
            for one in report.platforms
        ]
    )


def _markers(report: ExplainReport) -> Iterable[str]:
    if not report.markers:
        return
    yield ""
    yield "Its requirements with variant markers, and what installers see of them:"
    yield from _columns(
        [
            ("  " + printable(one.requirement, 200), "->", printable(one.becomes or "(dropped)", 200))
            for one in report.markers
        ]
    )


def _hidden(report: ExplainReport) -> Iterable[str]:
    if not report.hidden:
        return
    yield ""
    yield "Wheels that installers do not see, because their variant markers cannot be decided:"
    yield from _columns([("  " + printable(one.filename), one.reason) for one in report.hidden])


def _notes(report: ExplainReport) -> Iterable[str]:
    if report.notes:
        yield ""
    for note in report.notes:
        yield f"Note: {note}"


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
