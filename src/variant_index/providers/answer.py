"""What a provider answered, checked as if an enemy had written it; pure."""

from __future__ import annotations

import json
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from variant_index.errors import printable
from variant_index.model.machine import Fact, MachineProfile
from variant_index.providers.failure import ProviderFailure
from variant_index.providers.remembered import TrustedProvider

__all__ = ["MAX_ANSWER_BYTES", "NO_ANSWER", "SOURCE", "parse_answer", "without_answer"]

MAX_ANSWER_BYTES: Final = 1 << 20
"""A longer answer is none."""

SOURCE: Final = "trusted provider"
"""Where facts that name a provider come from."""

NO_ANSWER: Final = "trusted provider, gave no answer"
"""The same for one that failed."""

_FACT: Final = "provider"
_MAX_FEATURES: Final = 256
_MAX_VALUES: Final = 10_000


class _Feature(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$", max_length=200)]
    values: Annotated[
        list[Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.]+$", max_length=200)]],
        Field(min_length=1, max_length=_MAX_VALUES),
    ]
    multi_value: bool


_ANSWER: Final = TypeAdapter(dict[str, Annotated[list[_Feature], Field(max_length=_MAX_FEATURES)]])


def parse_answer(data: bytes, provider: TrustedProvider) -> MachineProfile:
    """Return what the provider says this machine supports.

    A fact for each of its namespaces names the provider, also where it supports nothing.

    Args:
        data: namespace -> features, best first, as JSON.
        provider: who answered.

    Raises:
        ProviderFailure: the answer is too long, of another shape, or about a namespace that is not trusted.
    """
    if len(data) > MAX_ANSWER_BYTES:
        raise ProviderFailure("its answer is too large")
    try:
        answer = _ANSWER.validate_python(json.loads(data))
    except (ValidationError, ValueError, RecursionError):
        raise ProviderFailure("its answer does not list properties") from None
    for namespace in answer:
        if namespace not in provider.namespaces:
            raise ProviderFailure(f"it answers for {printable(namespace, 60)}, which it is not trusted for")
    properties: dict[str, dict[str, list[str]]] = {}
    for namespace, features in answer.items():
        for feature in features:
            known = properties.setdefault(namespace, {})
            if feature.name in known or len(set(feature.values)) != len(feature.values):
                raise ProviderFailure(f"it lists {feature.name} or a value of it twice")
            known[feature.name] = feature.values
    return MachineProfile(
        properties=properties,
        feature_order={namespace: list(features) for namespace, features in properties.items()},
        facts=_facts(provider, SOURCE),
    )


def without_answer(provider: TrustedProvider, why: str) -> MachineProfile:
    """Return the profile of a provider that failed: nothing supported, and a note that says why.

    Args:
        provider: the one that failed.
        why: one printable line.
    """
    namespaces = ", ".join(provider.namespaces)
    note = (
        f"provider {provider} gave no answer for {namespaces}: {why}; builds for {namespaces} are not chosen "
        f"(`variant-index providers forget {provider.name}` stops asking it)"
    )
    return MachineProfile(properties={}, feature_order={}, facts=_facts(provider, NO_ANSWER), notes=[note])


def _facts(provider: TrustedProvider, source: str) -> dict[str, dict[str, Fact]]:
    return {namespace: {_FACT: Fact(value=str(provider), source=source)} for namespace in provider.namespaces}
