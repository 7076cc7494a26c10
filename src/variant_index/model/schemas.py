"""The JSON schemas of every document we write: `python -m variant_index.model.schemas OUTDIR`."""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from variant_index.model.build_report import BuildReport
from variant_index.model.check_report import CheckReport
from variant_index.model.config_report import ConfigReport
from variant_index.model.convert_report import ConvertReport
from variant_index.model.document import VariantsDocument
from variant_index.model.edit_report import EditReport
from variant_index.model.explain_report import ExplainListReport, ExplainReport
from variant_index.model.label_report import LabelReport
from variant_index.model.machine import MachineProfile
from variant_index.model.provenance_report import ProvenanceReport
from variant_index.model.providers_report import ProvidersReport
from variant_index.model.repack_report import RepackRecord, RepackReport

__all__ = ["MODELS", "schema_text"]

MODELS: dict[str, tuple[str, type[object]]] = {
    "variants-document": ("A release's *-variants.json and a wheel's variant.json", VariantsDocument),
    "machine-profile": ("What `variant-index machine --json` prints and --machine reads", MachineProfile),
    "explain-report": ("What `variant-index explain --json` prints for one requirement", ExplainReport),
    "explain-list-report": ("What `variant-index explain --json` prints for several", ExplainListReport),
    "config-report": ("What `variant-index config --json` prints", ConfigReport),
    "providers-report": ("What `variant-index providers --json` prints", ProvidersReport),
    "provenance-report": ("What `variant-index provenance --json` prints", ProvenanceReport),
    "repack-report": ("What `variant-index repack --json` prints", RepackReport),
    "repack-record": ("A line of the repack.jsonl that `variant-index repack` keeps", RepackRecord),
    "label-report": ("What `variant-index label --json` prints", LabelReport),
    "check-report": ("What `variant-index check --json` prints", CheckReport),
    "build-report": ("What `variant-index build --json` and `add --json` print", BuildReport),
    "edit-report": ("What `variant-index remove --json` and `yank --json` print", EditReport),
    "convert-report": ("What `variant-index convert --json` prints", ConvertReport),
}
"""Schema name -> title and model; `NAME.schema.json` is the file."""

# These are read as well as written, so their schemas say what we accept; a key is left out, never null.
_INPUTS: tuple[type[object], ...] = (VariantsDocument, MachineProfile)

_ATTRIBUTE = re.compile(r"^    (\w+): (.+(?:\n {8,}.+)*)", re.MULTILINE)


class _Generator(GenerateJsonSchema):
    """Takes the descriptions of fields from the `Attributes:` section of the class."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False  # a title made from the key would only repeat it

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        result = super().dict_schema(schema)
        if "patternProperties" in result:
            result["additionalProperties"] = False
        return result

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        cls: type[BaseModel] = schema["cls"]
        return _described(
            super().model_schema(schema),
            cls,
            {name: field.alias or name for name, field in cls.model_fields.items()},
        )

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        return _described(
            super().dataclass_schema(schema), schema["cls"], {name: name for name in schema["fields"]}
        )


def _described(result: JsonSchemaValue, cls: type[object], keys: Mapping[str, str]) -> JsonSchemaValue:
    """Add what the class says about itself and its fields; `keys` are the fields' names in JSON."""
    summary, _, attributes = inspect.cleandoc(cls.__doc__ or "").partition("\n\nAttributes:\n")
    result["description"] = " ".join(summary.split())
    for name, text in _ATTRIBUTE.findall(attributes):
        result["properties"][keys[name]]["description"] = " ".join(text.split())
    return result


class _InputGenerator(_Generator):
    """Leaves out the null of optional fields: it stands for a missing key in Python only."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        result = super().default_schema(schema)
        if result.get("default", ...) is None:
            del result["default"]
        return result


def schema_text(name: str) -> str:
    """Return the text of the schema with this name; equal models give equal text.

    Raises:
        KeyError: `MODELS` has no such name.
    """
    title, model = MODELS[name]
    mode: Literal["validation", "serialization"] = "validation" if model in _INPUTS else "serialization"
    generator = _InputGenerator if model in _INPUTS else _Generator
    schema: dict[str, Any] = {
        "$schema": GenerateJsonSchema.schema_dialect,
        "$id": f"{name}.schema.json",
        **TypeAdapter(model).json_schema(mode=mode, schema_generator=generator),
        "title": title,
    }
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Write every schema into the folder given as the only argument; return the exit status."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m variant_index.model.schemas OUTDIR\n")
        return 2
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    for name in MODELS:
        (folder / f"{name}.schema.json").write_text(schema_text(name), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
