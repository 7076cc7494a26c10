from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from variant_index.model.schemas import MODELS, main, schema_text

_COMMITTED = Path(__file__).parents[1] / "schemas"


@pytest.mark.parametrize("name", MODELS)
def test_committed_schemas_are_those_of_the_models(name: str) -> None:
    committed = (_COMMITTED / f"{name}.schema.json").read_text(encoding="utf-8")
    assert committed == schema_text(name), "run: python -m variant_index.model.schemas schemas"


def test_no_schema_is_left_over(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "variant_index.model.schemas", tmp_path], check=True)
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert written == {path.name: path.read_bytes() for path in _COMMITTED.iterdir()}


def test_a_folder_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err


@pytest.mark.parametrize("name", MODELS)
def test_every_field_is_described(name: str) -> None:
    schema: dict[str, Any] = json.loads(schema_text(name))
    assert schema["title"]
    for part in (schema, *schema.get("$defs", {}).values()):
        assert part["description"]
        assert [field for field, about in part["properties"].items() if "description" not in about] == []


def test_the_document_schema_says_what_the_reader_refuses() -> None:
    schema = json.loads(schema_text("variants-document"))
    assert schema["additionalProperties"] is False
    assert schema["properties"]["variants"]["additionalProperties"] is False
    assert "null" not in json.dumps(schema["$defs"])
    assert schema["required"] == ["$schema", "default-priorities", "variants"]
