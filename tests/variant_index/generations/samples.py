"""Documents in the shapes that indexes publish, small."""

from __future__ import annotations

from typing import Any

__all__ = ["NVIDIA_API", "SCHEMAS", "old", "plugin"]

SCHEMAS = "https://variants-schema.wheelnext.dev/"

NVIDIA_API = "nvidia_variant_provider.plugin:NvidiaVariantPlugin"

_LINUX = "platform_system == 'Linux'"


def plugin(
    requirement: str = "nvidia-variant-provider>=0.0.1,<1.0.0", api: str = NVIDIA_API
) -> dict[str, Any]:
    """Return a provider that is asked at install time, without any key that differs between drafts."""
    return {"requires": [requirement], "plugin-api": api}


def old(
    variants: dict[str, Any],
    providers: dict[str, Any],
    *,
    schema: str = "v0.0.3.json",
    namespaces: list[str] | None = None,
    feature: Any = None,
    values: Any = None,
    static: Any = None,
) -> dict[str, Any]:
    """Return a document of PEP 817; `values` is `default-priorities.property`, `static` static-properties."""
    priorities: dict[str, Any] = {"namespace": list(providers) if namespaces is None else namespaces}
    if feature is not None:
        priorities["feature"] = feature
    if values is not None:
        priorities["property"] = values
    return {
        "$schema": SCHEMAS + schema,
        "default-priorities": priorities,
        "providers": providers,
        "variants": variants,
        **({} if static is None else {"static-properties": static}),
    }
