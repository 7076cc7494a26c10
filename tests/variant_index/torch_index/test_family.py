from __future__ import annotations

import pytest
from packaging.version import Version

from variant_index.model.filename import canonical_name
from variant_index.torch_index.family import FAMILY, is_backend_free, torch_release


def test_names_are_normal() -> None:
    assert {canonical_name(name) for name in FAMILY} == FAMILY


@pytest.mark.parametrize(
    "name", ["numpy", "requests", "filelock", "nvidia-cublas-cu12", "setuptools", "torchmetrics"]
)
def test_ordinary_names_are_not_of_the_family(name: str) -> None:
    assert name not in FAMILY


@pytest.mark.parametrize(
    ("name", "version", "torch"),
    [
        ("torch", "2.9.0+cu126", "2.9.0"),
        ("torchaudio", "2.9.1", "2.9.1"),
        ("torchvision", "0.24.0+cpu", "2.9.0"),
        ("torchvision", "0.24.1", "2.9.1"),
        ("torchvision", "0.25.0.dev20251001+cu130", "2.10.0.dev20251001"),
        ("torchvision", "0.22.0+966da7e", "2.7.0"),
        ("torchvision", "0.14.1", "1.13.1"),
        ("torchvision", "0.15.1+cu118", "2.0.0"),
        ("torchaudio", "0.13.1+cu117", "1.13.1"),
        ("torchvision", "0.5.0", None),
        ("torchvision", "1.0", None),
        ("torchao", "0.14.0", None),
        ("triton", "3.5.0", None),
    ],
)
def test_which_torch_a_release_belongs_to(name: str, version: str, torch: str | None) -> None:
    assert torch_release(name, Version(version)) == (None if torch is None else Version(torch))


def test_triton_is_not_tied_to_a_backend() -> None:
    assert is_backend_free("triton")
    assert is_backend_free("pytorch-triton-rocm")
    assert not is_backend_free("torch")
    assert not is_backend_free("triton-lang")
