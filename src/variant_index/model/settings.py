"""Package settings: the `[variant]` table of a TOML file, with the names the variants document uses."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from variant_index.errors import InputError, printable
from variant_index.model.document import SCHEMA_URL, DefaultPriorities, Provider, VariantsDocument
from variant_index.model.properties import Property, collect_properties
from variant_index.model.validation import first_rule

__all__ = [
    "DEFAULT_PROVIDERS",
    "SettingsError",
    "VariantSettings",
    "load_settings",
    "parse_settings",
    "parse_toml",
    "read_settings_file",
    "uv_answers_for",
]

_MAX_SETTINGS_BYTES = 1 << 20

_Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$")]

DEFAULT_PROVIDERS: dict[str, Provider] = {
    # uv answers for nvidia itself when these two match its built-in provider, which calls itself 0.0.1.
    "nvidia": Provider.model_validate(
        {
            "requires": ["nvidia-variant-provider>=0.0.1,<1.0.0"],
            "plugin-api": "nvidia_variant_provider.plugin:NvidiaVariantPlugin",
        }
    ),
    # Our own distribution: amd-variant-provider, the name others publish, is not registered on PyPI.
    "amd": Provider.model_validate(
        {"requires": ["torch-variant-provider"], "plugin-api": "torch_variant_provider.plugin:AmdPlugin"}
    ),
}
"""The providers of namespaces that need no settings."""


class SettingsError(InputError):
    """A settings file breaks a rule, or lacks a namespace that a property needs."""


class VariantSettings(BaseModel):
    """The publisher's order of namespaces and the provider of each.

    Both parts may be left out: namespaces default to those of `providers`, in the order written there, or
    to nvidia and amd; the providers of these two default to `DEFAULT_PROVIDERS`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)

    default_priorities: DefaultPriorities = Field(alias="default-priorities")
    providers: dict[_Name, Provider]

    @classmethod
    def default(cls) -> VariantSettings:
        """Return the settings of a package that has none: nvidia before amd, with their usual providers."""
        return cls.model_validate({})

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, content: Any) -> Any:
        if not isinstance(content, dict):
            return content
        filled = dict(content)
        providers = filled.setdefault("providers", {})
        known = providers if isinstance(providers, dict) else {}
        priorities = filled.setdefault(
            "default-priorities", {"namespace": list(known) or list(DEFAULT_PROVIDERS)}
        )
        named = priorities.get("namespace") if isinstance(priorities, dict) else None
        if isinstance(named, list) and known is providers:
            defaults = {ns: provider for ns, provider in DEFAULT_PROVIDERS.items() if ns in named}
            filled["providers"] = {**defaults, **providers}
        return filled

    @model_validator(mode="after")
    def _same_namespaces(self) -> VariantSettings:
        named = self.default_priorities.namespace
        for namespace in named:
            if namespace not in self.providers:
                raise ValueError(f"providers.{namespace} is missing: default-priorities names {namespace}")
        for namespace in self.providers:
            if namespace not in named:
                raise ValueError(f"default-priorities.namespace does not name {namespace}, a provider does")
        return self

    def document(self, label: str, properties: Iterable[Property]) -> VariantsDocument:
        """Return the document of one variant.

        It carries every provider whatever the properties are, so that the documents of one release merge.

        Raises:
            SettingsError: a property's namespace has no provider here.
        """
        items = sorted(set(properties))
        for item in items:
            if item.namespace not in self.providers:
                raise SettingsError(
                    f"property '{item}': namespace {item.namespace} has no provider; "
                    f"add a table [variant.providers.{item.namespace}] to the settings file"
                )
        return VariantsDocument(
            schema_url=SCHEMA_URL,
            default_priorities=self.default_priorities,
            providers={ns: self.providers[ns] for ns in self.default_priorities.namespace},
            variants={label: collect_properties(items)},
        )

    def notices(self) -> list[str]:
        """Return what is legal but probably not meant, one line each."""
        nvidia = self.providers.get("nvidia")
        if nvidia is None or nvidia.shape == "static" or uv_answers_for(nvidia):
            return []
        return [
            "providers.nvidia: uv's built-in provider does not match and uv will choose no nvidia variant; "
            f'use requires = ["{_default_nvidia_requirement()}"] and '
            f'plugin-api = "{DEFAULT_PROVIDERS["nvidia"].plugin_api}"'
        ]


def load_settings(path: Path) -> VariantSettings:
    """Read the `[variant]` table of a TOML file, for example of `pyproject.toml`.

    Raises:
        SettingsError: the file cannot be read, is not TOML, has no such table, or the table breaks a rule.
    """
    return parse_settings(read_settings_file(path), str(path))


def read_settings_file(path: Path) -> bytes:
    """Return a TOML file's bytes, at most one more than `parse_toml` takes.

    Raises:
        SettingsError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_SETTINGS_BYTES + 1)
    except OSError as error:
        raise SettingsError(f"{printable(str(path))}: {error.strerror or 'cannot be read'}") from None
    return data


def parse_settings(data: bytes, source: str) -> VariantSettings:
    """Read the `[variant]` table of TOML text; `source` is named in errors. See `load_settings`."""
    content = parse_toml(data, source)
    shown = printable(source)
    if "variant" not in content:
        raise SettingsError(f"{shown}: has no [variant] table")
    try:
        return VariantSettings.model_validate(content["variant"])
    except ValidationError as error:
        raise SettingsError(f"{shown}: in [variant]: {first_rule(error, VariantSettings)}") from None


def parse_toml(data: bytes, source: str) -> dict[str, Any]:
    """Return the content of TOML text; `source` is named in errors.

    Raises:
        SettingsError: it is too large, not UTF-8 or not TOML.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    shown = printable(source)
    if len(data) > _MAX_SETTINGS_BYTES:
        raise SettingsError(f"{shown}: larger than {_MAX_SETTINGS_BYTES} bytes")
    try:
        content = tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise SettingsError(f"{shown}: not UTF-8") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingsError(f"{shown}: not TOML: {printable(str(error))}") from None
    return content


def _default_nvidia_requirement() -> str:
    requires = DEFAULT_PROVIDERS["nvidia"].requires
    assert requires is not None
    return requires[0]


def uv_answers_for(provider: Provider) -> bool:
    """Tell whether uv 0.13.8 takes its built-in nvidia provider for this one (its matching rules)."""
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    if provider.requires is None or len(provider.requires) != 1:
        return False
    try:
        requirement = Requirement(provider.requires[0])
    except InvalidRequirement:
        return False
    return (
        canonicalize_name(requirement.name) == "nvidia-variant-provider"
        and not requirement.extras
        and requirement.url is None
        and requirement.marker is None
        and requirement.specifier.contains("0.0.1")
        and provider.plugin_api == DEFAULT_PROVIDERS["nvidia"].plugin_api
        and not provider.optional
    )
