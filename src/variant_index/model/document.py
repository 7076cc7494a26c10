"""The variants document: a release's `*-variants.json` and a wheel's `variant.json` (PEP 825 v0.1.1).

The `providers` table is that of schema v0.2.0 (PEP 850 draft) as uv and variantlib read it. Both
documents have one structure; in a wheel `variants` holds exactly the label of the file name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, Strict, StringConstraints, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from variant_index.errors import InputError, printable
from variant_index.model.properties import NULL_LABEL
from variant_index.model.validation import first_rule

__all__ = [
    "MAX_DOCUMENT_BYTES",
    "SCHEMA_URL",
    "DefaultPriorities",
    "DocumentError",
    "Provider",
    "VariantsDocument",
    "parse_document",
    "write_document",
]

SCHEMA_URL = "https://variants-schema.wheelnext.dev/peps/850/v0.2.0.json"
"""The `$schema` we write: the form with providers, which both uv and variantlib read."""

MAX_DOCUMENT_BYTES = 1 << 20
"""Whoever fetches or unpacks a document refuses a larger one (torch's are about 5 KB)."""

_SCHEMA_WITH_PROVIDERS = "/peps/850/v0.2.0.json"

_SCHEMA_VERSION = re.compile(r"/v(\d{1,6})\.\d{1,6}\.\d{1,6}\.json\Z", re.ASCII)

_Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$")]
_Value = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.]+$")]
_Label = Annotated[str, StringConstraints(pattern=r"^[0-9a-z_.]+$")]
_Requirement = Annotated[str, StringConstraints(pattern=r"^[!-~ ]+$", max_length=1000)]
_ObjectReference = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.]+( *: *[A-Za-z0-9_.]+)?$")]
# A tuple is smaller than a list and soon left alone by the garbage collector, which is a quarter of the
# time it takes to read ten thousand variants.
_Values = Annotated[
    tuple[_Value, ...], Strict(False), Field(min_length=1, json_schema_extra={"uniqueItems": True})
]
_Features = Annotated[dict[_Name, _Values], Field(min_length=1)]


class DocumentError(InputError):
    """A variants document breaks a rule."""

    def __init__(self, message: str, rule: str = "VAR004") -> None:
        super().__init__(message)
        self.rule = rule


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


def _broken(rule: str, message: str) -> PydanticCustomError:
    """Return the error of a validator, with the rule's code as its type."""
    return PydanticCustomError(rule, message)


def _require_unique(items: Sequence[str], what: str) -> None:
    if len(set(items)) != len(items):
        raise _broken("VAR009", f"{what} are listed twice")


class Provider(_Strict):
    """How to learn which values of a namespace a machine supports; exactly one shape is present.

    Attributes:
        requires: plugin shape: the requirements that bring the plugin.
        plugin_api: plugin shape: where the plugin is, `module:attribute`; without it, the first
            requirement's name with `-` turned into `_`.
        static_properties: static shape: feature -> values that count as supported everywhere, best first.
        feature_order: static shape: its features, most important first; needed for more than one.
        builtin: builtin shape: the name of logic that an installer has itself.
        optional: whether an installer asks the provider only on the user's request.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": [shape]} for shape in ("requires", "static-properties", "builtin")]
        }
    )

    requires: Annotated[list[_Requirement], Field(min_length=1)] | None = None
    plugin_api: _ObjectReference | None = Field(default=None, alias="plugin-api")
    static_properties: _Features | None = Field(default=None, alias="static-properties")
    feature_order: list[_Name] | None = Field(default=None, alias="feature-order")
    builtin: str | None = None
    optional: bool = False

    @property
    def shape(self) -> Literal["plugin", "static", "builtin"]:
        """Which of the three published shapes this is (a build provider never reaches an index)."""
        if self.static_properties is not None:
            return "static"
        return "plugin" if self.requires is not None else "builtin"

    @model_validator(mode="before")
    @classmethod
    def _published(cls, data: Any) -> Any:
        if isinstance(data, dict) and "build-requires" in data:
            raise ValueError("build-requires is for pyproject.toml only; publish static-properties")
        return data

    @model_validator(mode="after")
    def _one_shape(self) -> Provider:
        shapes = [self.requires, self.static_properties, self.builtin]
        if sum(shape is not None for shape in shapes) != 1:
            raise ValueError("needs exactly one of requires, static-properties and builtin")
        if self.plugin_api is not None and self.requires is None:
            raise ValueError("plugin-api goes with requires")
        if self.static_properties is None:
            if self.feature_order is not None:
                raise ValueError("feature-order goes with static-properties")
            return self
        for feature, values in self.static_properties.items():
            _require_unique(values, f"values of {feature}")
        if self.feature_order is None:
            if len(self.static_properties) > 1:
                raise ValueError("feature-order is needed for more than one static feature")
        elif sorted(self.feature_order) != sorted(self.static_properties):
            raise ValueError("feature-order must name every static feature once")
        return self


class DefaultPriorities(_Strict):
    """The publisher's order.

    Attributes:
        namespace: every namespace that a variant uses, most important first.
    """

    namespace: Annotated[list[_Name], Field(min_length=1, json_schema_extra={"uniqueItems": True})]

    @model_validator(mode="after")
    def _unique(self) -> DefaultPriorities:
        _require_unique(self.namespace, "namespaces")
        return self


class VariantsDocument(_Strict):
    """Labels and their properties, with the order of namespaces and the providers to ask.

    Attributes:
        schema_url: which schema the document follows.
        default_priorities: the order of namespaces.
        providers: namespace -> how to learn what a machine supports; the same namespaces as in
            `default-priorities`. Absent in documents of plain PEP 825.
        variants: label -> namespace -> feature -> values, one of which a machine must support. `null`
            is the variant without properties.
    """

    schema_url: str = Field(alias="$schema")
    default_priorities: DefaultPriorities = Field(alias="default-priorities")
    providers: dict[_Name, Provider] | None = None
    variants: dict[_Label, dict[_Name, _Features]] = Field(
        json_schema_extra={"properties": {NULL_LABEL: {"maxProperties": 0}}}
    )

    @model_validator(mode="after")
    def _consistent(self) -> VariantsDocument:
        version = _SCHEMA_VERSION.search(self.schema_url)
        if version and int(version[1]) > 0:
            raise _broken("VAR010", f"$schema: major version {version[1]} is not known (0 is)")
        known = set(self.default_priorities.namespace)
        if self.providers is not None and set(self.providers) != known:
            raise _broken(
                "VAR008",
                "providers must name the namespaces of default-priorities.namespace, no more, no less",
            )
        for label, properties in self.variants.items():
            if not properties.keys() <= known:
                missing = min(properties.keys() - known)
                raise _broken(
                    "VAR008", f"variants.{label}: namespace {missing} is not in default-priorities.namespace"
                )
            for namespace, features in properties.items():
                for feature, values in features.items():
                    # Spelled out: with ten thousand variants a call for each feature would show.
                    if len(values) > 1 and len(set(values)) != len(values):
                        place = f"variants.{label}.{namespace}.{feature}"
                        raise _broken("VAR009", f"{place}: values are listed twice")
        if self.variants.get(NULL_LABEL):
            raise _broken("VAR006", "variants.null: the null variant has no properties")
        return self


def parse_document(data: bytes, source: str, *, strict: bool = False) -> VariantsDocument:
    """Read a variants document.

    Args:
        data: the JSON text.
        source: the file or URL, named in errors.
        strict: refuse what uv or variantlib would not read as we do, as publishers must: duplicate
            keys, nulls, a `$schema` that promises providers without them.

    Raises:
        DocumentError: one line that names `source` and the first rule broken.
    """
    try:
        document = VariantsDocument.model_validate_json(data)
    except ValidationError as error:
        raise DocumentError(
            f"{printable(source)}: {first_rule(error, VariantsDocument)}", _rule(error)
        ) from None
    if strict and (disputed := _disputed(document, data)):
        problem, rule = disputed
        raise DocumentError(f"{printable(source)}: {printable(problem, 300)}", rule)
    return document


def write_document(document: VariantsDocument) -> bytes:
    """Return the document as JSON text.

    Labels, namespaces, features and values are sorted, so equal content gives equal bytes.
    """
    content = document.model_dump(by_alias=True, exclude_defaults=True, exclude={"variants"})
    content["variants"] = {
        label: {
            namespace: {feature: sorted(values) for feature, values in sorted(features.items())}
            for namespace, features in sorted(properties.items())
        }
        for label, properties in sorted(document.variants.items())
    }
    if document.providers is not None:
        content["providers"] = {ns: content["providers"][ns] for ns in document.default_priorities.namespace}
        for provider in content["providers"].values():
            if order := provider.get("feature-order"):
                static = provider["static-properties"]
                provider["static-properties"] = {feature: static[feature] for feature in order}
    return (json.dumps(content, indent=2) + "\n").encode()


def _rule(error: ValidationError) -> str:
    kind = error.errors(include_url=False, include_context=False, include_input=False)[0]["type"]
    return {"json_invalid": "VAR003"}.get(kind, kind if kind.startswith("VAR") else "VAR004")


def _disputed(document: VariantsDocument, data: bytes) -> tuple[str, str] | None:
    """Return what readers of the document would disagree on and the rule's code, None without any."""
    if document.providers is None and document.schema_url.endswith(_SCHEMA_WITH_PROVIDERS):
        return "$schema is the one with providers, but there are no providers", "VAR008"
    problems: list[tuple[str, str]] = []

    def note(pairs: list[tuple[str, Any]]) -> bool:
        seen: set[str] = set()
        for key, value in pairs:
            if key in seen:
                problems.append((f"key '{printable(key)}' appears twice in one object", "VAR009"))
            elif value is None:
                problems.append((f"key '{printable(key)}' is null; leave it out", "VAR004"))
            seen.add(key)
        return True

    json.loads(data, object_pairs_hook=note)
    return problems[0] if problems else None
