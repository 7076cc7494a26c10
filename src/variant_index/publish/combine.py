"""Combines the variants documents of one release's wheels into its sidecar (PEP 825, "Index-level metadata").

The result, and the error, do not depend on the order of the wheels.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from variant_index.errors import InputError, printable
from variant_index.model.properties import each_property

if TYPE_CHECKING:
    from variant_index.model.document import Provider, VariantsDocument
    from variant_index.model.properties import Properties

__all__ = ["PLAIN_SCHEMA_URL", "CombineError", "combine", "difference"]

PLAIN_SCHEMA_URL = "https://variants-schema.wheelnext.dev/peps/825/v0.1.1.json"
"""The `$schema` of a document without providers; the other one demands them."""


class CombineError(InputError):
    """Two wheels of one release disagree about its variants."""

    def __init__(self, message: str, rule: str = "REL001") -> None:
        super().__init__(message)
        self.rule = rule


def combine(documents: Iterable[tuple[str, VariantsDocument]]) -> VariantsDocument:
    """Return the document of the whole release.

    Namespace lists must be equal or one the beginning of the other, and the longest counts. A label
    has the same properties and a namespace the same provider in every wheel. Documents with and
    without a `providers` table do not mix: installers check the table of the wheel they install.

    Args:
        documents: `(file name, its variant.json)`, at least one.

    Raises:
        CombineError: names the two wheels that disagree, and about what.
    """
    from variant_index.model.document import SCHEMA_URL, DefaultPriorities, VariantsDocument

    ordered = sorted(documents, key=lambda item: item[0])
    longest_from, longest = min(ordered, key=lambda item: -len(item[1].default_priorities.namespace))
    namespaces = longest.default_priorities.namespace
    labels: dict[str, tuple[str, Properties]] = {}
    providers: dict[str, tuple[str, Provider]] = {}
    for wheel, document in ordered:
        own = document.default_priorities.namespace
        if namespaces[: len(own)] != own:
            raise _disagree(
                longest_from,
                wheel,
                f"namespace order [{', '.join(namespaces)}] does not begin with [{', '.join(own)}]",
                "REL002",
            )
        if (document.providers is None) != (longest.providers is None):
            raise _disagree(longest_from, wheel, "only one of them has a providers table", "REL003")
        for label, properties in document.variants.items():
            first, known = labels.setdefault(label, (wheel, properties))
            if known is not properties and _as_set(known) != _as_set(properties):
                raise _disagree(first, wheel, f"label {label!r} has other properties in each", "REL001")
        for namespace, provider in (document.providers or {}).items():
            first, known_provider = providers.setdefault(namespace, (wheel, provider))
            if known_provider != provider:
                raise _disagree(
                    first, wheel, f"namespace {namespace!r} has another provider in each", "REL003"
                )
    return VariantsDocument(
        schema_url=PLAIN_SCHEMA_URL if longest.providers is None else SCHEMA_URL,
        default_priorities=DefaultPriorities(namespace=namespaces),
        providers=None if longest.providers is None else {name: providers[name][1] for name in namespaces},
        variants={
            label: {
                namespace: {feature: tuple(sorted(values)) for feature, values in sorted(features.items())}
                for namespace, features in sorted(properties.items())
            }
            for label, (_, properties) in sorted(labels.items())
        },
    )


def _disagree(first: str, second: str, what: str, rule: str) -> CombineError:
    names = " and ".join(printable(name) for name in sorted((first, second)))
    return CombineError(
        f"{names} disagree: {printable(what)}; label the wheels of a release with the same settings", rule
    )


def _as_set(properties: Properties) -> frozenset[tuple[str, str, str]]:
    return frozenset(each_property(properties))


def difference(ours: VariantsDocument | None, theirs: VariantsDocument) -> str | None:
    """Say how a sidecar brought along differs from the one made from the wheels; None when it does not.

    What cannot change a choice (the order of labels, of values, the draft's `$schema`) is no difference.
    """
    if ours is None:
        return "it describes variants, but no wheel of the release has a label"
    for label in sorted(ours.variants.keys() | theirs.variants.keys()):
        if label not in theirs.variants:
            return f"it misses label {printable(label)!r}, which wheels have"
        if label not in ours.variants:
            return f"label {printable(label)!r} is on no wheel"
        if _as_set(ours.variants[label]) != _as_set(theirs.variants[label]):
            return f"label {printable(label)!r} has other properties in the wheels"
    if ours.default_priorities != theirs.default_priorities:
        return "its order of namespaces is not that of the wheels"
    if ours.providers != theirs.providers:
        return "its providers are not those of the wheels"
    return None
