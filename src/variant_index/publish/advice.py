"""What of a release is valid but will not do what its publisher expects, as findings (pure).

What uv accepts was measured with uv 0.13.8: it has its own providers for some namespaces and uses
one only when the document's `providers` entry matches it exactly.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING, NamedTuple

from packaging.requirements import InvalidRequirement, Requirement

from variant_index.errors import printable
from variant_index.model.document import SCHEMA_URL
from variant_index.model.filename import canonical_name
from variant_index.model.properties import each_property
from variant_index.model.rules import Finding
from variant_index.publish.combine import PLAIN_SCHEMA_URL
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


_FEATURES: dict[str, tuple[str, ...]] = {
    "nvidia": ("cuda_version_lower_bound", "cuda_version_upper_bound", "sm_arch"),
    "amd": ("rocm_version", "gfx_arch"),
    "intel": (),
    "x86_64": ("level",),
    "aarch64": ("version",),
    "tpu": ("present",),
}
"""Namespaces of hardware that providers are published for, with features they are known to report."""

_SCHEMAS = (
    PLAIN_SCHEMA_URL,
    SCHEMA_URL,
    "https://variants-schema.wheelnext.dev/v0.2.0.json",  # what variantlib 0.2.2 writes
)

_Broken = tuple[str, str]  # a rule's code and what breaks it


def advise(release: Release) -> tuple[Finding, ...]:
    """Return what is odd about one release, in a fixed order; its wheels have findings of their own."""
    if release.document is None:
        return ()
    found = [
        *_default_wheel(release),
        *_providers(release.document),
        *_spelling(release.document),
        *_twins(release.document),
        *_schemas(release),
    ]
    return tuple(Finding(code, f"{release.title}: {printable(problem, 400)}") for code, problem in found)


def _default_wheel(release: Release) -> list[_Broken]:
    missing = uncovered(release)
    if not missing:
        return []
    shown = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
    return [
        (
            "REL101",
            f"no plain wheel for {shown}: installers without variant support find nothing there, or an "
            "older release; add plain wheels or make them with --default-from LABEL",
        )
    ]


def _providers(document: VariantsDocument) -> list[_Broken]:
    used = {item.namespace for properties in document.variants.values() for item in each_property(properties)}
    if document.providers is None:
        if not used:
            return []
        return [
            (
                "REL102",
                "the wheels name no providers, so installers can choose only variants without properties; "
                "label them with variant-index label, which adds the providers",
            )
        ]
    warnings = []
    for namespace in document.default_priorities.namespace:
        if namespace in used:
            warnings += _provider(namespace, document.providers[namespace])
    return warnings


def _provider(namespace: str, provider: Provider) -> list[_Broken]:
    if provider.optional:
        return [
            ("REL105", f"the provider of {namespace} is optional, so installers do not ask it by default")
        ]
    if provider.shape == "builtin":
        problem = f"no known installer has a builtin provider for {namespace}; its variants are never chosen"
        return [("REL106", problem)]
    if provider.requires is None:
        if namespace not in _FEATURES:
            return []
        problem = (
            f"{namespace} is declared static, so its variants are installed without the hardware as well"
        )
        return [("REL109", problem)]
    if (vendored := _VENDORED.get(namespace)) is not None:
        if (missed := _not_vendored(provider, vendored)) is not None:
            return [
                (
                    "REL103",
                    f"uv will not use its own {namespace} provider ({missed}) and so installs no {namespace} "
                    f"variant; {_remedy(vendored)}",
                )
            ]
        return []
    names = [_requirement_name(requirement) for requirement in provider.requires]
    if not _KNOWN_PROVIDERS.intersection(names):
        return [
            (
                "REL104",
                f"the provider of {namespace} is {', '.join(provider.requires)}, which is no published "
                "provider we know; its variants are chosen only where one is installed by hand",
            )
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


def _twins(document: VariantsDocument) -> list[_Broken]:
    by_properties: dict[frozenset[tuple[str, str, str]], list[str]] = {}
    for label, properties in sorted(document.variants.items()):
        by_properties.setdefault(frozenset(each_property(properties)), []).append(label)
    return [
        (
            "REL107",
            f"labels {', '.join(labels)} have the same properties; the first is chosen where it has a wheel",
        )
        for labels in by_properties.values()
        if len(labels) > 1
    ]


def _spelling(document: VariantsDocument) -> list[_Broken]:
    """Look for names that are nearly ones we know: nobody ever reports those, and nobody complains."""
    found = []
    for namespace in document.default_priorities.namespace:
        if (meant := _meant(namespace, _FEATURES)) is not None:
            problem = f"namespace {namespace} looks like {meant}; no machine has properties of {namespace}"
            found.append(("REL108", problem))
    used = {
        (one.namespace, one.feature) for label in document.variants.values() for one in each_property(label)
    }
    for namespace, feature in sorted(used):
        if (meant := _meant(feature, _FEATURES.get(namespace, ()))) is not None:
            found.append(
                ("REL110", f"feature {namespace} :: {feature} looks like {meant}, which machines report")
            )
    return found


def _meant(name: str, known: Iterable[str]) -> str | None:
    if name in known:
        return None
    return next(iter(get_close_matches(name, known, n=1, cutoff=0.8)), None)


def _schemas(release: Release) -> list[_Broken]:
    schemas = sorted({wheel.document.schema_url for wheel in release.wheels if wheel.document is not None})
    unknown = [schema for schema in schemas if schema not in _SCHEMAS]
    found = [
        ("REL111", f"the variants schema {schema} is not one that installers know") for schema in unknown
    ]
    if schemas:
        found.append(("REL112", "the format of its variants is a draft (PEP 825), which may still change"))
    return found
