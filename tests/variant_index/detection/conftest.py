"""A machine without anything that forces or fakes hardware, and one with a stand-in NVML."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.torch_variant_provider.conftest import build_library, clean_environment


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in set(os.environ) - set(clean_environment()):
        monkeypatch.delenv(name)
    return monkeypatch


@pytest.fixture
def nvml(clean: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    folder = build_library("fake_nvml.c", tmp_path / "nvml", "libnvidia-ml.so.1")
    clean.setenv("LD_LIBRARY_PATH", str(folder))
    clean.setenv("FAKE_GPUS", "9.0")
    return clean
