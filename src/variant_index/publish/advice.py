"""Warnings about a release that is valid but will not do what its publisher expects.

What uv accepts was measured with uv 0.13.8: it has its own providers for some namespaces and uses
one only when the document's `providers` entry matches it exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from packaging.requirements import InvalidRequirement, Requirement

from variant_index.errors import printable
from variant_index.model.filename import canonical_name
from variant_index.model.properties import each_property
from variant_index.publish.default_wheel import uncovered
from variant_index.publish.release import Release

if TYPE_CHECKING:
    from variant_index.model.document import Provider, VariantsDocument

__all__ = ["advise"]


class _Vendored(NamedTuple):
    """A provider inside uv: the requirement it stands for, the version it claims, the APIs it answers to."""

    requirement: str
    version: str
    plugin_apis: tuple[str | None, ...]


_VENDORED = {
    "nvidia": _Vendored(
        "nvidia-variant-provider", "0.0.1", ("nvidia_variant_provider.plugin:NvidiaVariantPlugin",)
    ),
    "x86_64": _Vendored("x86-64-variant-provider", "0.2.1", (None, "x86_64_variant_provider")),
    "aarch64": _Vendored("aarch64-variant-provider", "0.2.0", (None, "aarch64_variant_provider")),
    "tpu": _Vendored("tpu-variant-provider", "0.1.0", ("tpu_variant_provider.plugin:TpuVariantPlugin",)),
}

_KNOWN_PROVIDERS = frozenset(
    {
        *(vendored.requirement for vendored in _VENDORED.values()),
        "amd-variant-provider",
        "intel-variant-provider",
        "provider-variant-x86-64",
        "torch-variant-provider",
    }
)


def advise(release: Release) -> tuple[str, ...]:
    """Return the warnings about one release, one printable line each, in a fixed order."""
    warnings = [f"{wheel.name}: {notice}" for wheel in release.wheels for notice in wheel.notices]
    if release.document is not None:
        warnings += _default_wheel(release)
        warnings += _providers(release.document)
        warnings += _twins(release.document)
    return tuple(f"{release.title}: {printable(warning, 400)}" for warning in warnings)


def _default_wheel(release: Release) -> list[str]:
    missing = uncovered(release)
    if not missing:
        return []
    shown = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
    return [
        f"no plain wheel for {shown}: installers without variant support find nothing there, or an "
        "older release; add plain wheels or make them with --default-from LABEL"
    ]


def _providers(document: VariantsDocument) -> list[str]:
    used = {item.namespace for properties in document.variants.values() for item in each_property(properties)}
    if document.providers is None:
        if not used:
            return []
        return [
            "the wheels name no providers, so installers can choose only variants without properties; "
            "label them with variant-index label, which adds the providers"
        ]
    warnings = []
    for namespace in document.default_priorities.namespace:
        if namespace in used:
            warnings += _provider(namespace, document.providers[namespace])
    return warnings


def _provider(namespace: str, provider: Provider) -> list[str]:
    if provider.optional:
        return [f"the provider of {namespace} is optional, so installers do not ask it by default"]
    if provider.shape == "builtin":
        return [f"no known installer has a builtin provider for {namespace}; its variants are never chosen"]
    if provider.requires is None:
        return []
    if (vendored := _VENDORED.get(namespace)) is not None:
        if (problem := _not_vendored(provider, vendored)) is not None:
            return [
                f"uv will not use its own {namespace} provider ({problem}) and so installs no {namespace} "
                f"variant; {_remedy(vendored)}"
            ]
        return []
    names = [_requirement_name(requirement) for requirement in provider.requires]
    if not _KNOWN_PROVIDERS.intersection(names):
        return [
            f"the provider of {namespace} is {', '.join(provider.requires)}, which is no published provider "
            "we know; its variants are chosen only where one is installed by hand"
        ]
    return []


def _remedy(vendored: _Vendored) -> str:
    major = int(vendored.version.partition(".")[0])
    return f"requires {vendored.requirement}>={vendored.version},<{major + 1}.0.0 keeps it in use"


def _not_vendored(provider: Provider, vendored: _Vendored) -> str | None:
    """Return which condition of uv's an entry misses, None when uv uses its own provider."""
    requires = provider.requires or []
    if len(requires) != 1:
        return "it needs exactly one entry in requires"
    try:
        requirement = Requirement(requires[0])
    except InvalidRequirement:
        return f"{requires[0]!r} is not a requirement"
    if canonical_name(requirement.name) != vendored.requirement:
        return f"requires names {requirement.name}, not {vendored.requirement}"
    if requirement.extras or requirement.marker is not None or requirement.url is not None:
        return "requires has extras, a marker or an address"
    if not requirement.specifier.contains(vendored.version):
        return f"requires {requires[0]} shuts out {vendored.version}, which uv's provides"
    if provider.plugin_api not in vendored.plugin_apis:
        return f"plugin-api is {provider.plugin_api or 'missing'}"
    return None


def _requirement_name(requirement: str) -> str:
    try:
        return canonical_name(Requirement(requirement).name)
    except InvalidRequirement:
        return ""


def _twins(document: VariantsDocument) -> list[str]:
    by_properties: dict[frozenset[tuple[str, str, str]], list[str]] = {}
    for label, properties in sorted(document.variants.items()):
        by_properties.setdefault(frozenset(each_property(properties)), []).append(label)
    return [
        f"labels {', '.join(labels)} have the same properties, so the first is chosen wherever it has a wheel"
        for labels in by_properties.values()
        if len(labels) > 1
    ]
