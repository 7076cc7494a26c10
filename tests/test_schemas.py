from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from tests.making import document, make_wheel
from tests.variant_index.publish.family import published_file
from variant_index.model.build_report import BuildReport
from variant_index.model.document import parse_document
from variant_index.model.explain_report import ExplainReport
from variant_index.model.label_report import LabelReport
from variant_index.model.machine import parse_profile
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


def _output(*arguments: str | Path) -> bytes:
    environment = {**os.environ, "NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION": "12.8"}
    command = [sys.executable, "-m", "variant_index.cli", *arguments, "--json"]
    return subprocess.run(command, env=environment, capture_output=True, check=True).stdout


def test_real_outputs_are_valid(tmp_path: Path) -> None:
    variants = {"cu128": {"nvidia": {"cuda_version_lower_bound": ["12.8"]}}}
    make_wheel(tmp_path / "wheels", "x-1-py3-none-any-cu128.whl", variant_json=document(variants))
    plain = make_wheel(tmp_path / "wheels", "x-1-py3-none-any.whl")
    wanted = "nvidia :: cuda_version_lower_bound :: 12.8"
    label = LabelReport.model_validate_json(
        _output("label", plain, "--property", wanted, "--out", tmp_path / "labelled")
    )
    assert (label.wheels[0].label, label.wheels[0].properties) == ("f839a2dd", [wanted])
    build = TypeAdapter(BuildReport).validate_json(
        _output("build", tmp_path / "wheels", "--out", tmp_path / "out")
    )
    assert build.releases[0].sidecar == "x-1-variants.json"
    parse_document(published_file(tmp_path / "out", "x-1-variants.json").read_bytes(), "sidecar", strict=True)
    profile = parse_profile(_output("machine"), "machine")
    assert profile.properties["nvidia"]["cuda_version_lower_bound"][0] == "12.8"
    index = (tmp_path / "out" / "simple").as_uri()
    explain = ExplainReport.model_validate_json(_output("explain", "x", "--index-url", index))
    assert explain.selected is not None
    assert explain.selected.label == "cu128"
