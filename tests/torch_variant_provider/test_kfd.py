"""AMD's kernel interface, on trees in a temporary folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from torch_variant_provider.amd import kfd
from torch_variant_provider.amd.detect import detect

CPU = "cpu_cores_count 64\nsimd_count 0\ngfx_target_version 0\nvendor_id 0\n"


def gpu(target: int | None, simds: int = 304) -> str:
    lines = [f"cpu_cores_count 0\nsimd_count {simds}\nmem_banks_count 1\nmax_engine_clk_fcompute 2100"]
    lines += [] if target is None else [f"gfx_target_version {target}"]
    return "\n".join([*lines, "vendor_id 4098", "unique_id 18446744073709551615", ""])


def tree(root: Path, *nodes: str | None, module: str = "") -> str:
    for number, text in enumerate(nodes):
        node = root / f"sys/class/kfd/kfd/topology/nodes/{number}"
        node.mkdir(parents=True)
        if text is not None:
            (node / "properties").write_text(text)
    if module:
        (root / "sys/module/amdgpu").mkdir(parents=True)
        (root / "sys/module/amdgpu/version").write_text(module)
    return str(root)


def test_a_server_with_two_kinds_of_gpu(tmp_path: Path) -> None:
    root = tree(tmp_path, CPU, CPU, gpu(90402), gpu(90010), gpu(90402), module="6.12.12\n")
    facts = detect({}, root).facts
    assert (facts["gfx_arch"].value, facts["gfx_arch"].source) == (("gfx942", "gfx90a"), "KFD")
    assert facts["kernel_driver"].value == "6.12.12"


def test_other_vendors_nodes_are_none_of_amd(tmp_path: Path) -> None:
    other = gpu(110000).replace("vendor_id 4098", "vendor_id 4318")
    assert kfd.read(tree(tmp_path, CPU, other, gpu(90402))).values == {"gfx_arch": ("gfx942",)}


def test_partitions_are_one_architecture(tmp_path: Path) -> None:
    found = kfd.read(tree(tmp_path, CPU, *[gpu(90402)] * 64))
    assert found.values == {"gfx_arch": ("gfx942",)}


def test_a_masked_node_hides_no_other(tmp_path: Path) -> None:
    found = kfd.read(tree(tmp_path, CPU, None, gpu(110000)))
    assert found.values == {"gfx_arch": ("gfx1100",)}
    assert "node 1 may not be read" in found.notes[0]


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file whose reading fails")
def test_a_node_that_opens_but_may_not_be_read(tmp_path: Path) -> None:
    """As the nodes of other containers do: the kernel refuses the read, not the opening."""
    root = tree(tmp_path, None, gpu(110000))
    (tmp_path / "sys/class/kfd/kfd/topology/nodes/0/properties").symlink_to("/proc/self/mem")
    found = kfd.read(root)
    assert found.values == {"gfx_arch": ("gfx1100",)}
    assert "node 0 may not be read" in found.notes[0]


def test_a_node_that_is_a_pipe(tmp_path: Path) -> None:
    root = tree(tmp_path, None, gpu(110000))
    os.mkfifo(tmp_path / "sys/class/kfd/kfd/topology/nodes/0/properties")
    assert kfd.read(root).values == {"gfx_arch": ("gfx1100",)}


def test_a_node_that_is_a_folder(tmp_path: Path) -> None:
    root = tree(tmp_path, None, gpu(110000))
    (tmp_path / "sys/class/kfd/kfd/topology/nodes/0/properties").mkdir()
    assert kfd.read(root).values == {"gfx_arch": ("gfx1100",)}


def test_an_old_kernel_says_so(tmp_path: Path) -> None:
    found = kfd.read(tree(tmp_path, CPU, gpu(None)))
    assert found.values == {}
    assert "does not name the architecture" in found.warnings[0]
    assert found.notes == []


def test_a_tree_without_its_link(tmp_path: Path) -> None:
    tree(tmp_path, CPU, gpu(90402))
    (tmp_path / "sys/devices/virtual").mkdir(parents=True)
    (tmp_path / "sys/class/kfd").rename(tmp_path / "sys/devices/virtual/kfd")
    assert kfd.read(str(tmp_path)).values == {"gfx_arch": ("gfx942",)}


@pytest.mark.parametrize(
    "text", ["", "\0" * 100, "simd_count many\n", "simd_count 4", "gfx_target_version 90402", "x" * 99999]
)
def test_odd_files_are_no_gpu(tmp_path: Path, text: str) -> None:
    assert kfd.read(tree(tmp_path, text, gpu(110501))).values == {"gfx_arch": ("gfx1151",)}


def test_an_unknown_number_hides_no_other(tmp_path: Path) -> None:
    found = kfd.read(tree(tmp_path, gpu(129999), gpu(120001)))
    assert found.values == {"gfx_arch": ("gfx1201",)}
    assert "129999" in found.warnings[0]


def test_a_module_without_gpu_is_no_gpu(tmp_path: Path) -> None:
    """NVIDIA hosts may have amdgpu loaded."""
    facts = detect({}, tree(tmp_path, CPU, module="6.12.12\n")).facts
    assert "gfx_arch" not in facts


def test_the_kernels_own_module(tmp_path: Path) -> None:
    assert detect({}, tree(tmp_path, gpu(120001))).facts["kernel_driver"].value == "in-tree"


def test_forced_architecture_keeps_the_driver(tmp_path: Path) -> None:
    root = tree(tmp_path, gpu(120001), module="6.14.14")
    facts = detect({"AMD_VARIANT_PROVIDER_FORCE_GFX_ARCH": "gfx942"}, root).facts
    assert (facts["gfx_arch"].value, facts["kernel_driver"].value) == (("gfx942",), "6.14.14")


def test_detection_switched_off(tmp_path: Path) -> None:
    root = tree(tmp_path, gpu(120001), module="6.14.14")
    assert detect({"ROCM_BOOTSTRAP_DISABLE_DETECTION": "1"}, root).facts == {}
