"""Tables of docs/clients.md that tests measure."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

DOCUMENT = Path(__file__).parents[3] / "docs" / "clients.md"
NONE = "—"


def check_table(name: str, rows: Sequence[Sequence[str]]) -> None:
    """Compare a table with the one in the document; `VARIANT_INDEX_UPDATE_DOCS=1` writes it anew."""
    head, *others = rows
    lines = [head, ["---"] * len(head), *others]
    table = "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
    begin, end = f"<!-- measured: {name} -->\n", "<!-- end -->\n"
    before, _, rest = DOCUMENT.read_text().partition(begin)
    committed, _, after = rest.partition(end)
    assert rest
    if os.environ.get("VARIANT_INDEX_UPDATE_DOCS") == "1":
        DOCUMENT.write_text(f"{before}{begin}{table}{end}{after}")
    assert committed == table
