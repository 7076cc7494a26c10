from __future__ import annotations

import random

import pytest

from torch_variant_provider.amd import properties as amd
from torch_variant_provider.nvidia import properties as nvidia
from variant_index.generations.plugin_order import keeps_feature_order, keeps_value_order

PLUGINS = {"nvidia": nvidia, "amd": amd}
LOWER, UPPER, SM = "cuda_version_lower_bound", "cuda_version_upper_bound", "sm_arch"


@pytest.mark.parametrize("namespace", PLUGINS)
def test_the_order_is_that_of_our_provider(namespace: str) -> None:
    features = list(PLUGINS[namespace].FEATURES)
    assert keeps_feature_order(namespace, features, features)
    assert not keeps_feature_order(namespace, features[::-1], features)
    shuffle = random.Random(0)
    for feature, values in PLUGINS[namespace].all_properties().items():
        used = shuffle.sample(values, min(40, len(values)))
        assert keeps_value_order(namespace, feature, values, used) == (feature != "gfx_arch")
        assert not keeps_value_order(namespace, feature, values[::-1], used)


@pytest.mark.parametrize(
    ("wished", "used", "kept"),
    [
        ([LOWER], [LOWER, SM], True),
        ([LOWER, UPPER], [LOWER, SM], True),
        ([SM], [LOWER, SM], False),
        ([SM], [SM], True),
        ([SM, SM, LOWER], [SM], True),
        ([UPPER, LOWER], [LOWER, SM], True),
        ([LOWER], [LOWER, "cuda"], False),
        (["cuda"], [LOWER, SM], True),
    ],
)
def test_wishes_for_features(wished: list[str], used: list[str], kept: bool) -> None:
    assert keeps_feature_order("nvidia", wished, used) == kept


@pytest.mark.parametrize(
    ("wished", "used", "kept"),
    [
        (["12.8"], ["12.8", "12.6"], True),
        (["12.6"], ["12.8", "12.6"], False),
        (["12.6", "12.8", "12.6"], ["12.8", "12.6"], False),
        (["13.0", "12.8"], ["12.8", "12.6"], True),
        (["12", "12.0"], ["12", "12.0"], False),
        (["12.0", "12"], ["12", "12.0", "11.8"], True),
        (["12.8"], ["12.8", "newest"], False),
    ],
)
def test_wishes_for_values(wished: list[str], used: list[str], kept: bool) -> None:
    assert keeps_value_order("nvidia", LOWER, wished, used) == kept


def test_nobody_knows_other_plugins() -> None:
    gpus = ["gfx1100", "gfx942"]
    assert not keeps_value_order("amd", "gfx_arch", gpus, gpus), "the machine decides"
    assert not keeps_feature_order("x86_64", ["level"], ["level"])
    assert not keeps_value_order("x86_64", "level", ["v4"], ["v4"])
    assert not keeps_value_order("nvidia", "rocm_version", ["7.0"], ["7.0"])
    assert not keeps_value_order("nvidia", SM, ["sm_90"], ["sm_90"])
