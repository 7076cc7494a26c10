"""docs/configuration.md has the table of settings; `VARIANT_INDEX_UPDATE_DOCS=1` writes it anew."""

from __future__ import annotations

import os
from pathlib import Path

from variant_index.configuration.settings import SETTINGS, Setting

DOCS = Path(__file__).parents[3] / "docs" / "configuration.md"
BEGIN, END = "<!-- settings -->\n", "<!-- end of settings -->\n"


def default_of(setting: Setting) -> str:
    if setting.default_text:
        return setting.default_text
    if isinstance(setting.default, bool):
        return "yes" if setting.default else "no"
    if isinstance(setting.default, float):
        return f"{setting.default:g} s"
    return str(setting.default) if setting.default else "none"


def value_of(setting: Setting) -> str:
    if setting.choices:
        return ", ".join(f"`{choice}`" for choice in setting.choices)
    return {
        "flag": "true or false",
        "seconds": "seconds, 0.1 to 3600",
        "routes": f"table, `{setting.metavar}` each",
        "list": f"list of `{setting.metavar.removesuffix(',...')}`",
        "places": f"list of `{setting.metavar}`",
    }.get(setting.kind, f"`{setting.metavar}`").replace("|", " or ")


def table() -> str:
    rows = ["| key and variable | value | default | meaning | commands |", "|---|---|---|---|---|"]
    for one in SETTINGS:
        meaning = one.meaning + (" *Not in projects.*" if one.not_in_projects else "")
        names = f"`{one.key}` `{one.variable}`"
        rows.append(f"| {names} | {value_of(one)} | {default_of(one)} | {meaning} | {one.commands} |")
    return "\n".join(rows) + "\n"


def test_the_documentation_has_the_table() -> None:
    text = DOCS.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    found, _, after = rest.partition(END)
    if os.environ.get("VARIANT_INDEX_UPDATE_DOCS") == "1":
        DOCS.write_text(before + BEGIN + table() + END + after, encoding="utf-8")
        return
    assert found == table()
