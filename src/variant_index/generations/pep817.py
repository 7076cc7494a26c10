"""Reads and writes the documents of PEP 817: schemas v0.0.2, v0.0.3, and the bare one before them.

Their keys changed from draft to draft, and publishers mixed them, so one reader takes them all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from variant_index.errors import printable
from variant_index.generations.content import Content, Notice, place
from variant_index.generations.plugin_order import keeps_feature_order, keeps_value_order
from variant_index.model.document import DocumentError, Provider
from variant_index.model.validation import first_rule

__all__ = ["read_pep817", "write_pep817"]

_ABI_DEPENDENCY = "abi_dependency"
"""The namespace that PEP 817's installers answer for themselves; it has no provider."""

_LABEL = re.compile(r"[0-9a-z._]{1,16}", re.ASCII)

_Lists = Mapping[str, Sequence[str]]


def _by_namespace(depth: int) -> BeforeValidator:
    """Accept the first drafts' lists of `namespace :: feature [:: value]` for nested tables."""

    def nested(content: Any) -> Any:
        if not isinstance(content, list):
            return {} if content is None else content
        table: dict[str, Any] = {}
        for text in content:
            parts = [part.strip() for part in text.split("::")] if isinstance(text, str) else []
            if len(parts) != depth:
                raise ValueError(f"needs items of {depth} parts joined by '::'")
            inner = table
            for part in parts[:-2]:
                inner = inner.setdefault(part, {})
            inner.setdefault(parts[-2], []).append(parts[-1])
        return table

    return BeforeValidator(nested)


def _listed(content: Any) -> Any:
    return [content] if isinstance(content, str) else content


_Values = Annotated[list[str], BeforeValidator(_listed)]


class _Open(BaseModel):
    """PEP 817: readers ignore the keys they do not know. We say which ones."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    def unknown(self, *keys: str) -> list[Notice]:
        return [Notice(place(*keys, name), "unknown key, dropped") for name in self.model_extra or ()]


class _Priorities(_Open):
    namespace: list[str] = []
    feature: Annotated[dict[str, list[str]], _by_namespace(2)] = {}
    property: Annotated[dict[str, dict[str, list[str]]], _by_namespace(3)] = {}


class _Provider(_Open):
    requires: list[str] | None = None
    plugin_api: str | None = Field(default=None, alias="plugin-api")
    enable_if: str | None = Field(default=None, alias="enable-if")
    optional: bool | None = None
    plugin_use: Literal["none", "build", "all"] | None = Field(default=None, alias="plugin-use")
    install_time: bool | None = Field(default=None, alias="install-time")
    # Written by the drafts between v0.0.3 and v0.2.0, under the name of the former.
    static_properties: dict[str, list[str]] | None = Field(default=None, alias="static-properties")
    feature_order: list[str] | None = Field(default=None, alias="feature-order")

    @property
    def is_static(self) -> bool:
        return (
            self.plugin_use in ("none", "build")
            or self.install_time is False
            or self.static_properties is not None
        )


class _Document(_Open):
    schema_url: str | None = Field(default=None, alias="$schema")
    priorities: _Priorities = Field(default=_Priorities(), alias="default-priorities")
    providers: dict[str, _Provider] = {}
    static_properties: dict[str, dict[str, list[str]]] | None = Field(default=None, alias="static-properties")
    variants: dict[str, dict[str, dict[str, _Values]]]


def read_pep817(
    content: Any, source: str, generation: Literal["0.0.2", "0.0.3"]
) -> tuple[Content, list[Notice]]:
    """Read a document of PEP 817's drafts.

    Args:
        content: the parsed JSON.
        source: the file or URL, named in errors.
        generation: the schema it follows; in v0.0.2 the order of a static provider's values is the list
            of its values.

    Returns:
        what it says, and a notice for each thing that the newer form has no place for.

    Raises:
        DocumentError: one line that names `source` and the first rule broken.
    """
    try:
        old = _Document.model_validate(content)
    except ValidationError as error:
        raise DocumentError(f"{printable(source)}: {first_rule(error)}") from None
    notices = [*old.unknown(), *old.priorities.unknown("default-priorities")]
    used = _used(old.variants)
    providers: dict[str, Provider] = {}
    for namespace, entry in old.providers.items():
        reading = _ProviderReader(namespace, entry, old, generation, used.get(namespace, {}))
        provider = reading.read()
        notices += reading.notices
        if provider is not None:
            providers[namespace] = provider
    for namespace in old.static_properties or {}:
        entry = old.providers.get(namespace, _Provider())
        if not entry.is_static or entry.static_properties is not None:
            notices.append(
                Notice(place("static-properties", namespace), "dropped: its provider has them from elsewhere")
            )
    namespaces = dict.fromkeys(old.priorities.namespace)
    for namespace in used:
        if namespace not in namespaces:
            namespaces[namespace] = None
            if namespace != _ABI_DEPENDENCY:
                message = f"does not list {printable(namespace)}, which variants use; it comes last"
                notices.append(Notice(place("default-priorities", "namespace"), message))
    for namespace in list(providers):
        if namespace not in namespaces:
            del providers[namespace]
            notices.append(Notice(place("providers", namespace), "dropped: no variant uses its namespace"))
    variants = {
        label: {
            namespace: {feature: sorted(set(values)) for feature, values in features.items()}
            for namespace, features in properties.items()
            if features
        }
        for label, properties in old.variants.items()
    }
    return Content(list(namespaces), providers, variants), notices


def _used(
    variants: Mapping[str, Mapping[str, Mapping[str, Iterable[str]]]],
) -> dict[str, dict[str, set[str]]]:
    used: dict[str, dict[str, set[str]]] = {}
    for properties in variants.values():
        for namespace, features in properties.items():
            for feature, values in features.items():
                used.setdefault(namespace, {}).setdefault(feature, set()).update(values)
    return used


class _ProviderReader:
    """Turns one provider of the old form, with what the rest of the document says of it, into the new."""

    def __init__(
        self,
        namespace: str,
        entry: _Provider,
        document: _Document,
        generation: Literal["0.0.2", "0.0.3"],
        used: Mapping[str, set[str]],
    ) -> None:
        self._namespace = namespace
        self._entry = entry
        self._document = document
        self._generation = generation
        self._used = used
        self._features = document.priorities.feature.get(namespace, [])
        self._values = document.priorities.property.get(namespace, {})
        self.notices = entry.unknown("providers", namespace)

    def read(self) -> Provider | None:
        """Return the provider, None when the document does not say how to ask it."""
        content = self._static() if self._entry.is_static else self._plugin()
        if content is None:
            if self._namespace != _ABI_DEPENDENCY:
                lacks = "no values are listed for it" if self._entry.is_static else "it requires no plugin"
                self.notices.append(Notice(place("providers", self._namespace), f"cannot be used: {lacks}"))
            return None
        if self._entry.enable_if is not None:
            consequence = (
                "its values now count as supported everywhere"
                if self._entry.is_static
                else "the plugin itself must report nothing on other platforms"
            )
            self._note("enable-if", f"dropped, there are no conditions any more: {consequence}")
        if self._entry.optional:
            content["optional"] = True
        try:
            return Provider.model_validate(content)
        except ValidationError as error:
            self.notices.append(
                Notice(place("providers", self._namespace), f"cannot be used: {first_rule(error)}")
            )
            return None

    def _note(self, key: str, message: str) -> None:
        self.notices.append(Notice(place("providers", self._namespace, key), message))

    def _static(self) -> dict[str, Any] | None:
        for key, value in (("requires", self._entry.requires), ("plugin-api", self._entry.plugin_api)):
            if value:
                self._note(key, "dropped: only builds use the plugin of a provider with fixed values")
        listed = self._listed()
        features = {feature: values for feature, values in listed.items() if values}
        if not features:
            return None
        order = _reordered(list(features), [*(self._entry.feature_order or []), *features])
        order = _reordered(order, self._features)
        content: dict[str, Any] = {
            "static-properties": {
                feature: _reordered(list(dict.fromkeys(features[feature])), self._values.get(feature, []))
                for feature in order
            }
        }
        if len(order) > 1:
            content["feature-order"] = order
        return content

    def _listed(self) -> _Lists:
        """Return the fixed values, from where the document's draft has them."""
        if self._entry.static_properties is not None:
            return self._entry.static_properties
        listed = (self._document.static_properties or {}).get(self._namespace)
        if listed is not None:
            return listed
        if self._generation != "0.0.2" and any(self._values.values()):
            # torch 2.10 is published so: v0.0.2's way under the name of v0.0.3.
            self.notices.append(
                Notice(
                    place("default-priorities", "property", self._namespace),
                    f"taken as the provider's values, as v0.0.2 has it: static-properties."
                    f"{printable(self._namespace, 60)} is missing",
                )
            )
        return self._values

    def _plugin(self) -> dict[str, Any] | None:
        if not self._entry.requires:
            return None
        content: dict[str, Any] = {"requires": [text.strip() for text in self._entry.requires]}
        if self._entry.plugin_api is not None:
            content["plugin-api"] = "".join(self._entry.plugin_api.split())
        if self._features and not keeps_feature_order(self._namespace, self._features, self._used):
            self._lost_order(place("default-priorities", "feature", self._namespace))
        for feature, values in self._values.items():
            used = self._used.get(feature, set())
            if values and not keeps_value_order(self._namespace, feature, values, used):
                self._lost_order(place("default-priorities", "property", self._namespace, feature))
        return content

    def _lost_order(self, path: str) -> None:
        self.notices.append(Notice(path, "dropped: the order that the plugin reports decides"))


def _reordered(items: list[str], first: Sequence[str]) -> list[str]:
    """Return `items`, those in `first` before the others, in its order."""
    positions = {item: position for position, item in reversed(list(enumerate(first)))}
    return sorted(items, key=lambda item: positions.get(item, len(first)))


def write_pep817(
    content: Content, generation: Literal["0.0.2", "0.0.3"]
) -> tuple[dict[str, Any], list[Notice]]:
    """Return the document in one of PEP 817's forms, and what that form has no place for."""
    missing = {
        namespace: "the document has no provider for it"
        for namespace in content.namespaces
        if namespace not in content.providers and namespace != _ABI_DEPENDENCY
    }
    missing.update(
        {
            namespace: f"v{generation} knows no providers built into installers"
            for namespace, provider in content.providers.items()
            if provider.shape == "builtin"
        }
    )
    content, notices = content.without(missing)
    variants = {}
    for label, properties in content.variants.items():
        if _LABEL.fullmatch(label):
            variants[label] = properties
        else:
            message = f"left out: v{generation} allows labels of 1 to 16 characters 0-9 a-z . _"
            notices.append(Notice(place("variants", label), message))
    providers: dict[str, Any] = {}
    static: dict[str, Any] = {}
    order: dict[str, list[str]] = {}
    for namespace in content.namespaces:
        if namespace not in content.providers:
            continue
        provider = content.providers[namespace]
        entry: dict[str, Any] = {"optional": True} if provider.optional else {}
        if provider.static_properties is not None:
            features = provider.feature_order or list(provider.static_properties)
            static[namespace] = {name: list(provider.static_properties[name]) for name in features}
            if len(features) > 1:
                order[namespace] = features
            entry |= {"plugin-use": "none"} if generation == "0.0.2" else {"install-time": False}
        else:
            entry["requires"] = provider.requires
            if provider.plugin_api is not None:
                entry["plugin-api"] = provider.plugin_api
        providers[namespace] = entry
    namespaces = [name for name in content.namespaces if name != _ABI_DEPENDENCY]
    priorities: dict[str, Any] = {"namespace": namespaces}
    if order:
        priorities["feature"] = order
    if static and generation == "0.0.2":
        priorities["property"] = static
    document: dict[str, Any] = {
        "$schema": f"https://variants-schema.wheelnext.dev/v{generation}.json",
        "default-priorities": priorities,
        "providers": providers,
        **({"static-properties": static} if static and generation == "0.0.3" else {}),
        "variants": {
            label: {
                namespace: {feature: sorted(values) for feature, values in sorted(features.items())}
                for namespace, features in sorted(properties.items())
            }
            for label, properties in sorted(variants.items())
        },
    }
    return document, notices
