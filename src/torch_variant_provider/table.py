"""A machine profile as a table for people."""

from __future__ import annotations

__all__ = ["profile_table"]

_SHOWN = 6  # values of a longer list, before its last one


def profile_table(
    facts: dict[str, dict[str, tuple[str | list[str], str]]],
    properties: dict[str, dict[str, list[str]]],
    notes: list[str],
) -> str:
    """Return facts, then properties with long lists cut, then notes; each line ends with a line break.

    Args:
        facts: namespace -> fact name -> its value and where it came from.
        properties: namespace -> feature -> supported values, best first.
        notes: what could not be found out and why, one line each.
    """
    fact_rows: list[tuple[str, ...]] = [("FACT", "VALUE", "FROM")]
    for namespace, found in facts.items():
        for name, (value, source) in found.items():
            text = value if isinstance(value, str) else ", ".join(value) or "none"
            fact_rows.append((f"{namespace} {name}", text, source))
    property_rows: list[tuple[str, ...]] = [("PROPERTY", "VALUES, BEST FIRST")]
    for namespace, features in properties.items():
        property_rows += [
            (f"{namespace} :: {feature}", _abbreviated(values)) for feature, values in features.items()
        ]
    blocks = [
        _columns(fact_rows) if len(fact_rows) > 1 else [],
        _columns(property_rows) if len(property_rows) > 1 else [],
        [f"note: {note}" for note in notes],
    ]
    return "\n".join("".join(f"{line}\n" for line in block) for block in blocks if block)


def _abbreviated(values: list[str]) -> str:
    if len(values) <= _SHOWN + 2:
        return ", ".join(values)
    return f"{', '.join(values[:_SHOWN])} ... {values[-1]} ({len(values)} values)"


def _columns(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
