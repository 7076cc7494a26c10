"""What the facts of several NVIDIA sources add up to when none tells the CUDA version."""

from __future__ import annotations

from pathlib import Path

from torch_variant_provider.facts import Fact, Knowledge
from torch_variant_provider.nvidia.detect import _settle_version


def settled(root: Path, gpu_source: str) -> Knowledge:
    facts = {
        "compute_capability": Fact(("8.7",), gpu_source),
        "kernel_driver": Fact("570.133.20", "NVML"),
    }
    knowledge = Knowledge(facts, [])
    _settle_version(knowledge, str(root))
    return knowledge


def test_the_driver_table_stands_in(tmp_path: Path) -> None:
    knowledge = settled(tmp_path, "NVML")
    assert knowledge.text("cuda_version") == "12.8"
    assert knowledge.unanswered is None


def test_numbers_of_tegra_drivers_tell_nothing(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "nv_tegra_release").touch()
    knowledge = settled(tmp_path, "NVML")
    assert knowledge.text("cuda_version") is None
    assert knowledge.unanswered is not None


def test_a_forced_gpu_is_no_driver_that_should_have_answered(tmp_path: Path) -> None:
    knowledge = settled(tmp_path, "NV_VARIANT_PROVIDER_FORCE_SM_ARCH")
    assert knowledge.text("cuda_version") is None
    assert knowledge.unanswered is None
