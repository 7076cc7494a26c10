"""The filter and order of variants within one release (PEP 825, "Variant ordering")."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING

from variant_index.model.properties import ABI_DEPENDENCY, NULL_LABEL, Properties

if TYPE_CHECKING:
    from variant_index.model.document import VariantsDocument

__all__ = ["END", "Priorities", "SortKey", "priorities", "rank_labels", "sort_key"]

SortKey = tuple[int, ...]
"""The best position of each feature, ascending, then an end mark; the lower key is preferred."""

Priorities = Mapping[str, Mapping[str, Mapping[str, int]]]
"""Every supported namespace -> feature -> value, with its position: values are counted through in order
of namespaces, then features, then values, so positions compare as PEP 825's triples do."""

END = sys.maxsize
"""Sorts after every position, so that of two keys with an equal beginning the longer one is preferred."""


def priorities(document: VariantsDocument, supported: Properties) -> Priorities:
    """Place every value the machine supports in the document's order of namespaces.

    A static provider's values are supported everywhere, in its own order. Any other namespace is
    answered by `supported` and by nothing else, so an unknown namespace, an installer's builtin (other than
    `abi_dependency`) and an optional provider (off by default) support nothing.

    Args:
        document: the release's variants document; without a `providers` table (plain PEP 825) every
            namespace is looked up in `supported`.
        supported: namespace -> feature -> values, features in order, best value first.
    """
    placed: dict[str, Mapping[str, Mapping[str, int]]] = {}
    position = count()
    for namespace in document.default_priorities.namespace:
        provider = document.providers[namespace] if document.providers is not None else None
        features: Mapping[str, Sequence[str]]
        if provider is None:
            features = supported.get(namespace, {})
        elif provider.optional or (provider.shape == "builtin" and provider.builtin != ABI_DEPENDENCY):
            continue
        elif provider.static_properties is not None:
            order = provider.feature_order or list(provider.static_properties)
            features = {feature: provider.static_properties[feature] for feature in order}
        else:
            features = supported.get(namespace, {})
        placed[namespace] = {
            feature: {value: next(position) for value in dict.fromkeys(values)}
            for feature, values in features.items()
        }
    return placed


def sort_key(properties: Properties, placed: Priorities) -> SortKey | None:
    """Return a variant's sort key, or None when the machine does not support it.

    A variant is compatible when each of its features has at least one supported value; the best of
    them gives the feature's position.
    """
    key: list[int] = []
    for namespace, features in properties.items():
        known = placed.get(namespace)
        if known is None:
            return None
        for feature, values in features.items():
            positions = known.get(feature)
            if positions is None:
                return None
            found = [positions[value] for value in values if value in positions]
            if not found:
                return None
            key.append(min(found) if len(found) > 1 else found[0])
    key.sort()
    key.append(END)
    return tuple(key)


def rank_labels(document: VariantsDocument, supported: Properties) -> list[str]:
    """Return the labels the machine supports, the most preferred first.

    The null variant, where there is one, comes last; equal keys are ordered by label.
    """
    placed = priorities(document, supported)
    keys = {
        label: key
        for label, properties in document.variants.items()
        if (key := sort_key(properties, placed)) is not None
    }
    return sorted(keys, key=lambda label: (keys[label], label == NULL_LABEL, label))
