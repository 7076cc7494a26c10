"""What a variants document of any generation says, and what a step of its conversion could not keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from variant_index.errors import printable
from variant_index.model.document import Provider

__all__ = ["Content", "Notice", "place"]


class Notice(NamedTuple):
    """One thing that the converted document does not say as the original did.

    Attributes:
        path: the key in the original document, `providers.nvidia.enable-if`; printable.
        message: what became of it, and what follows; printable.
    """

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


@dataclass(frozen=True)
class Content:
    """A document, free of its generation's spelling.

    Attributes:
        namespaces: the publisher's order; every namespace that a variant uses is among them.
        providers: how to learn what a machine supports, for the namespaces where the document says so.
        variants: label -> namespace -> feature -> values. Nothing here is checked against PEP 825's
            alphabets: the writer of a generation does that.
    """

    namespaces: Sequence[str]
    providers: Mapping[str, Provider]
    variants: Mapping[str, Mapping[str, Mapping[str, Sequence[str]]]]

    def without(self, namespaces: Mapping[str, str]) -> tuple[Content, list[Notice]]:
        """Leave out namespaces, and with them the variants that use one.

        Args:
            namespaces: name -> why it is left out.
        """
        notices: list[Notice] = []
        kept: dict[str, Any] = {}
        unused = dict.fromkeys(name for name in self.namespaces if name in namespaces)
        for label, properties in self.variants.items():
            missing = [name for name in properties if name in namespaces]
            if missing:
                why = "; ".join(f"{printable(name, 60)}: {namespaces[name]}" for name in missing[:3])
                notices.append(Notice(place("variants", label), f"left out: {why}"))
                for name in missing:
                    unused.pop(name, None)
            else:
                kept[label] = properties
        notices += [
            Notice(
                place("default-priorities", "namespace"),
                f"{printable(name, 60)} left out: {namespaces[name]}",
            )
            for name in unused
        ]
        left = Content(
            [name for name in self.namespaces if name not in namespaces],
            {name: provider for name, provider in self.providers.items() if name not in namespaces},
            kept,
        )
        return left, notices


def place(*keys: str) -> str:
    """Return the path of a key, printable."""
    return ".".join(printable(key, 60) for key in keys)
