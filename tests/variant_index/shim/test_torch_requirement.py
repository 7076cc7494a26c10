"""Which torch METADATA asks for, in the target interpreter."""

from __future__ import annotations

import pytest
from packaging.specifiers import SpecifierSet

from variant_index.shim.torch_requirement import torch_requirement


@pytest.mark.parametrize(
    ("requires", "asked"),
    [
        ([], ""),
        (["torchvision==1"], ""),
        (["torch (==2.0.1)"], "==2.0.1"),
        (["torch>=2; os_name == 'none'", "torch<3; os_name != 'none'"], ">=2"),
        (["torch>=2; extra == 'x'"], ""),
        (["torch>=2; os_name ~= 'none'", "torch<3"], "<3"),
        (["torch>=2; nonsense"], None),
    ],
)
def test_the_target_decides(requires: list[str], asked: str | None) -> None:
    metadata = "".join(f"Requires-Dist: {one}\n" for one in requires).encode()
    expected = None if asked is None else SpecifierSet(asked)
    assert torch_requirement(metadata, lambda: {"os_name": "none"}) == expected
