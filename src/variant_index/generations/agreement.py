"""Whether a wheel's own variant document says what its release's does (PEP 825, "Index-level metadata")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from variant_index.errors import printable
from variant_index.generations.convert import read_content
from variant_index.model.properties import NULL_LABEL, Properties, each_property

if TYPE_CHECKING:
    from variant_index.generations.content import Content
    from variant_index.model.document import Provider, VariantsDocument

__all__ = ["disagreement"]

_OLD = ("0.0.2", "0.0.3")


def disagreement(own: bytes, label: str, release: VariantsDocument, source: str) -> str | None:
    """Say in what a wheel's `variant.json` differs from its release's document, None when in nothing.

    Compared is what decides a choice: the label, its properties, the order of namespaces (equal, or one
    the beginning of the other), and which values the publisher calls supported everywhere. Which plugin
    answers for a namespace is not: whoever runs an index may relax that requirement.

    A wheel of PEP 817's generations is compared with a document of any: there the variant without properties
    may be called `00000000`, and a release's document that was brought up to date may lack namespaces that
    nobody can answer for, so only the order of those that both name counts, and providers do not.

    Args:
        own: the wheel's `variant.json`.
        label: the label in the wheel's name, which is among the release's.
        release: the release's document.
        source: the wheel, named in errors.

    Returns:
        What differs, to follow the wheel's name; printable.

    Raises:
        DocumentError: `own` is no variants document.
    """
    generation, content = read_content(own, source)
    if len(content.variants) != 1:
        return f"describes {len(content.variants)} variants, not the one of its name"
    ((own_label, properties),) = content.variants.items()
    if own_label != label and (generation not in _OLD or label != NULL_LABEL or properties):
        return f"describes label {printable(own_label, 60)}, not the {label} of its name"
    if (difference := _properties(properties, release.variants[label])) is not None:
        return difference
    first, second = content.namespaces, release.default_priorities.namespace
    if generation in _OLD:
        first = [name for name in first if name in second]
        second = [name for name in second if name in first]
    if any(one != other for one, other in zip(first, second, strict=False)):
        return f"orders namespaces as {printable(', '.join(content.namespaces), 200)}"
    return None if generation in _OLD else _providers(content, release, properties)


def _properties(own: Properties, others: Properties) -> str | None:
    mine, theirs = set(each_property(own)), set(each_property(others))
    for more, fewer, has in ((mine, theirs, "has"), (theirs, mine, "does not have")):
        if left := sorted(more - fewer):
            rest = f" and {len(left) - 1} more" if len(left) > 1 else ""
            return f"{has} {printable(str(left[0]), 200)}{rest}"
    return None


def _providers(own: Content, release: VariantsDocument, properties: Properties) -> str | None:
    for namespace in properties:
        mine, theirs = own.providers.get(namespace), (release.providers or {}).get(namespace)
        if mine is not None and theirs is not None and _fixed(mine) != _fixed(theirs):
            return f"has another provider for {namespace}"
    return None


def _fixed(provider: Provider) -> tuple[object, ...]:
    return provider.shape, provider.static_properties, provider.feature_order, provider.optional
