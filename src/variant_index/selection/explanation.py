"""Why a variant fits or does not, in words a user of the machine understands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from variant_index.model.properties import Properties
from variant_index.selection.ordering import Priorities

if TYPE_CHECKING:
    from variant_index.model.document import VariantsDocument

__all__ = ["explain_match", "explain_mismatch"]

_VENDOR = {"nvidia": "NVIDIA GPU or driver", "amd": "AMD GPU"}


def explain_match(properties: Properties, placed: Priorities) -> str:
    """Return what made a compatible variant rank where it does: its best supported values."""
    if not properties:
        return "no hardware needed"
    best = []
    for namespace, features in properties.items():
        for feature, values in features.items():
            positions = placed[namespace][feature]
            value = min((value for value in values if value in positions), key=positions.__getitem__)
            best.append((positions[value], _fits(namespace, feature, value)))
    return ", ".join(text for _, text in sorted(best))


def explain_mismatch(properties: Properties, document: VariantsDocument, placed: Priorities) -> str | None:
    """Return the first reason, in priority order, why the machine cannot run a variant; None if it can."""
    order = document.default_priorities.namespace
    for namespace in sorted(properties, key=order.index):
        provider = document.providers[namespace] if document.providers is not None else None
        for feature, values in properties[namespace].items():
            supported = placed.get(namespace, {}).get(feature, {})
            if any(value in supported for value in values):
                continue
            if provider is not None and provider.optional:
                return f"provider of {namespace} is optional and not enabled"
            if provider is not None and provider.shape == "builtin":
                return f"provider of {namespace} is built into other installers only"
            if not placed.get(namespace):
                if namespace in _VENDOR:
                    return f"needs {_needs(namespace, feature, values)}, no {_VENDOR[namespace]} found"
                return f"no provider here answers for namespace {namespace}"
            return f"needs {_needs(namespace, feature, values)}, {_has(namespace, feature, list(supported))}"
    return None


def _cuda_lower(values: Sequence[str]) -> str:
    return f"CUDA ≥ {_or(values)}"


def _cuda_upper(values: Sequence[str]) -> str:
    return f"a CUDA driver below {_or(values)}"


def _sm(values: Sequence[str]) -> str:
    return f"compute capability {_or(_capabilities(values))}"


_NEEDS: dict[tuple[str, str], Callable[[Sequence[str]], str]] = {
    ("nvidia", "cuda_version_lower_bound"): _cuda_lower,
    ("nvidia", "cuda_version_upper_bound"): _cuda_upper,
    ("nvidia", "sm_arch"): _sm,
    ("amd", "gfx_arch"): lambda values: f"GPU {_or(values)}",
    ("amd", "rocm_version"): lambda values: f"ROCm {_or(values)}",
}


def _needs(namespace: str, feature: str, values: Sequence[str]) -> str:
    words = _NEEDS.get((namespace, feature))
    return words(values) if words else f"{namespace} :: {feature} = {_or(values)}"


def _has(namespace: str, feature: str, supported: Sequence[str]) -> str:
    if not supported:
        return f"this machine has no {namespace} :: {feature}"
    if (namespace, feature) == ("nvidia", "cuda_version_lower_bound"):
        return f"driver supports {supported[0]}"
    if (namespace, feature) == ("nvidia", "cuda_version_upper_bound"):
        return "driver is newer"
    if (namespace, feature) == ("nvidia", "sm_arch"):
        real = [value for value in supported if value.endswith("_real")]
        return f"GPU has {_capabilities(real[:1] or supported[:1])[0]}"
    return f"this machine has {_few(supported)}"


def _fits(namespace: str, feature: str, value: str) -> str:
    if (namespace, feature) == ("nvidia", "sm_arch"):
        number, _, kind = value.partition("_")
        how = "compiled for" if kind == "real" else "can be compiled for"
        return f"{how} compute capability {_dotted(number)}"
    return f"{_needs(namespace, feature, [value])} fits"


def _capabilities(values: Sequence[str]) -> list[str]:
    return [
        _dotted(number) + (" or newer" if kind == "virtual" else "")
        for number, _, kind in (value.partition("_") for value in values)
    ]


def _dotted(capability: str) -> str:
    return (
        f"{capability[:-1]}.{capability[-1]}" if capability.isdigit() and len(capability) > 1 else capability
    )


def _or(values: Sequence[str]) -> str:
    return " or ".join(values) if len(values) <= 2 else f"one of {_few(values)}"


def _few(values: Sequence[str], limit: int = 8) -> str:
    shown = ", ".join(values[:limit])
    return shown if len(values) <= limit else f"{shown} and {len(values) - limit} more"
