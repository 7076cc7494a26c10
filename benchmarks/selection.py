"""Parse, filter and order one document: ours against variantlib's `get_variants_by_priority`."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

from benchmarks.figure import Figure, interleaved
from variant_index.model.document import SCHEMA_URL, parse_document
from variant_index.selection.ordering import rank_labels

__all__ = ["document", "measure"]

SIZES = (10, 100, 1000, 10_000)

_BOUNDS = [f"{major}.{minor}" for major in (13, 12, 11) for minor in range(9, -1, -1)]
_CAPABILITIES = [f"{major}{minor}_real" for major in (12, 10, 9, 8, 7) for minor in range(9, -1, -1)]
_LEVELS = ["v4", "v3", "v2", "v1"]


def measure() -> Iterator[Figure]:
    """Yield one figure for each size; the provider's answer is in the document as static properties."""
    from variantlib.api import get_variants_by_priority
    from variantlib.variants_json import VariantsJson

    for size in SIZES:
        data = json.dumps(document(size)).encode()

        def ours(data: bytes = data) -> list[str]:
            return rank_labels(parse_document(data, "benchmark"), {})

        def peer(data: bytes = data) -> list[str]:
            ranked = get_variants_by_priority(variants_json=VariantsJson(json.loads(data)))
            return [variant.label for variant in ranked]

        assert [*ours(), "null"] == peer(), "both must choose alike"
        a, b = interleaved(ours, peer, runs=5 if size > 1000 else 11, calls=max(1, 1000 // size))
        yield Figure(f"parse, filter, order {size} variants", 15, faster=True, ours=a, peer=b)


def document(size: int) -> dict[str, object]:
    """Return a document of this many variants, nine values each, about half of them supported."""
    choice = random.Random(size)
    return {
        "$schema": SCHEMA_URL,
        "default-priorities": {"namespace": ["nvidia", "x86_64"]},
        "providers": {
            "nvidia": {
                "static-properties": {"lower": _BOUNDS[5:], "sm": [f"8{n}_real" for n in range(9, -1, -1)]},
                "feature-order": ["lower", "sm"],
            },
            "x86_64": {"static-properties": {"level": _LEVELS[1:]}},
        },
        "variants": {
            f"v{number}": {
                "nvidia": {
                    "lower": [choice.choice(_BOUNDS)],
                    "sm": sorted(choice.sample(_CAPABILITIES, 6)),
                },
                "x86_64": {"level": sorted(choice.sample(_LEVELS, 2))},
            }
            for number in range(size)
        },
    }
