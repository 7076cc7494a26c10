from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[4]
TABLE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def test_every_threat_has_tests_that_exist() -> None:
    rows = [line for line in TABLE.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 15
    for row in rows:
        named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", row)
        assert named, row
        for path, test in named:
            module = ast.parse((ROOT / "tests" / "variant_index" / path).read_text(encoding="utf-8"))
            defined = {node.name for node in module.body if isinstance(node, ast.FunctionDef)}
            assert test in defined, f"{path}::{test}"


def test_every_attack_is_in_the_table() -> None:
    for path in Path(__file__).parent.glob("test_*.py"):
        if path == Path(__file__):
            continue
        assert f"shim/threats/{path.name}" in TABLE
