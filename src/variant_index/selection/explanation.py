"""Why a variant fits or does not, in words a user of the machine understands."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from variant_index.errors import printable
from variant_index.model.properties import ABI_DEPENDENCY, Properties
from variant_index.selection.ordering import Priorities

if TYPE_CHECKING:
    from variant_index.model.document import VariantsDocument

__all__ = ["NEWEST_CUDA", "explain_match", "explain_mismatch"]

_CAPABILITY = re.compile(r"(\d+)(\d[a-z]?)_(real|virtual)", re.ASCII)
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)

NEWEST_CUDA = "30.20"
"""The newest CUDA version that machines list: a newer driver says no more than this one."""

_CUDA_BOUNDS = ("cuda_version_lower_bound", "cuda_version_upper_bound")
_VENDORS = {"nvidia": "NVIDIA driver or GPU", "amd": "AMD GPU", "intel": "Intel GPU"}


class _Words(NamedTuple):
    """How one feature is spoken of.

    Attributes:
        needs: what a variant that lists these values asks for.
        has: what a machine that supports these values (best first) offers.
        unknown: what to say when the vendor is there and this feature is not.
    """

    needs: Callable[[Sequence[str]], str]
    has: Callable[[Sequence[str]], str]
    unknown: str


def explain_match(properties: Properties, placed: Priorities) -> str:
    """Return what made a compatible variant rank where it does: its best supported values.

    Args:
        properties: the variant's; `sort_key` must have accepted them.
        placed: the supported values (see `priorities`).
    """
    if not properties:
        return "needs no particular hardware"
    best = []
    for namespace, features in properties.items():
        for feature, values in features.items():
            positions = placed[namespace][feature]
            position, value = min((positions[value], value) for value in values if value in positions)
            text = _needs(namespace, feature, [value])
            if (namespace, feature) in _WORDS:
                text = f"{text} ({_WORDS[namespace, feature].has(list(positions))})"
            best.append((position, text))
    return printable(", ".join(text for _, text in sorted(best)))


def explain_mismatch(properties: Properties, document: VariantsDocument, placed: Priorities) -> str | None:
    """Return the first reason, in priority order, why the machine cannot run a variant; None if it can.

    Args:
        properties: the variant's.
        document: the document the variant is in.
        placed: the supported values (see `priorities`).
    """
    order = document.default_priorities.namespace
    for namespace in sorted(properties, key=order.index):
        for feature, values in properties[namespace].items():
            supported = placed.get(namespace, {}).get(feature, {})
            if not any(value in supported for value in values):
                return printable(_obstacle(namespace, feature, values, document, placed))
    return None


def _obstacle(
    namespace: str, feature: str, values: Sequence[str], document: VariantsDocument, placed: Priorities
) -> str:
    if namespace == ABI_DEPENDENCY:
        built = f"is built for {feature.replace('_', '-')} {_either(values)}"
        versions = list(placed.get(namespace, {}).get(feature, {}))
        return f"{built}, and there is {versions[0] if versions else 'none'}"
    provider = document.providers[namespace] if document.providers is not None else None
    needs = f"needs {_needs(namespace, feature, values)}"
    if provider is not None and provider.optional:
        return f"{needs}, the provider of namespace {namespace} is optional and not enabled"
    if provider is not None and provider.shape == "builtin":
        return f"{needs}, the provider of namespace {namespace} is built into other installers only"
    if provider is not None and provider.shape == "static":
        return f"{needs}, which is not among the static properties of the release"
    features = placed.get(namespace)
    words = _WORDS.get((namespace, feature))
    if not features:
        if namespace in _VENDORS:
            return f"{needs}, no {_VENDORS[namespace]} found"
        return f"{needs}, no provider here answers for namespace {namespace}"
    if words is None:
        supported = list(features.get(feature, {}))
        return f"{needs}, this machine has {_all(supported) if supported else 'none'}"
    if namespace == "nvidia" and feature in _CUDA_BOUNDS:
        # The driver's own version says more than the list of all versions above it, where there is one.
        feature = next((bound for bound in _CUDA_BOUNDS if features.get(bound)), feature)
    if not features.get(feature):
        return f"{needs}, {words.unknown}"
    return f"{needs}, {_WORDS[namespace, feature].has(list(features[feature]))}"


def _supported_cuda(versions: Sequence[str]) -> str:
    newest = versions[0]
    return f"driver supports {newest} or newer" if newest == NEWEST_CUDA else f"driver supports {newest}"


def _needs(namespace: str, feature: str, values: Sequence[str]) -> str:
    words = _WORDS.get((namespace, feature))
    if namespace == ABI_DEPENDENCY:
        return f"{feature.replace('_', '-')} {_either(values)}"
    return words.needs(values) if words else f"{namespace} :: {feature} = {_either(values)}"


def _capabilities(values: Sequence[str]) -> str:
    return _either(
        ("≥ " if value.endswith("_virtual") else "") + _capability(value)
        for value in sorted(values, key=_numbers)
    )


def _capability(value: str) -> str:
    match = _CAPABILITY.fullmatch(value)
    return f"{match[1]}.{match[2]}" if match else value


def _numbers(value: str) -> tuple[list[int], str]:
    return [int(number) for number in _NUMBER.findall(value)], value


def _either(values: Iterable[str], word: str = "or", limit: int = 8) -> str:
    shown = list(values)
    if len(shown) == 1:
        return shown[0]
    if len(shown) > limit:
        return f"{', '.join(shown[:limit])} {word} {len(shown) - limit} others"
    return f"{', '.join(shown[:-1])} {word} {shown[-1]}"


def _all(values: Iterable[str]) -> str:
    return _either(values, "and")


_WORDS: dict[tuple[str, str], _Words] = {
    ("nvidia", "cuda_version_lower_bound"): _Words(
        lambda values: f"CUDA ≥ {min(values, key=_numbers)}",
        _supported_cuda,
        "the driver's CUDA version is not known",
    ),
    ("nvidia", "cuda_version_upper_bound"): _Words(
        lambda values: f"CUDA < {max(values, key=_numbers)}",
        lambda supported: f"driver is below {supported[-1]}",
        "the driver's CUDA version is not known",
    ),
    ("nvidia", "sm_arch"): _Words(
        lambda values: f"compute capability {_capabilities(values)}",
        lambda supported: f"GPU has {_capability(supported[0])}",
        "no GPU's compute capability is known",
    ),
    ("amd", "gfx_arch"): _Words(
        lambda values: f"GPU {_either(values)}",
        lambda supported: f"this machine has {_all(supported)}",
        "no GPU's architecture is known",
    ),
    ("amd", "rocm_version"): _Words(
        lambda values: f"ROCm {_either(sorted(values, key=_numbers))}",
        lambda supported: f"driver supports {_all(supported)}",
        "the driver's ROCm versions are not known",
    ),
    ("intel", "device_ip"): _Words(
        lambda values: f"an Intel GPU with device IP {_either(values)}",
        lambda supported: f"this machine has {_all(supported)}",
        "no GPU's device IP is known",
    ),
    ("x86_64", "level"): _Words(
        lambda values: f"an x86-64-{min(values, key=_numbers)} CPU",
        lambda supported: f"this one is x86-64-{supported[0]}",
        "the CPU's level is not known",
    ),
    ("aarch64", "version"): _Words(
        lambda values: f"an Armv{min(values, key=_numbers)} CPU",
        lambda supported: f"this one is Armv{supported[0]}",
        "the CPU's version is not known",
    ),
}
