"""A cold provider query, against the least that such a query can take.

Every process is a fresh interpreter. The modules are compiled beforehand, in a copy in a temporary
folder, because an installer compiles what it installs and this machine may be told not to write
bytecode: what is measured is a warm installation.
"""

from __future__ import annotations

import compileall
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from benchmarks.figure import Figure, interleaved

__all__ = ["measure"]

_RUNS = 41
_SOURCES = Path(__file__).parents[1]
_FAKES = _SOURCES / "tests" / "torch_variant_provider"

_NOTHING = "import ctypes"
_QUERY = "from torch_variant_provider.plugin import NvidiaPlugin as p; p.get_supported_configs()"
_AMD_QUERY = (
    "import os; from torch_variant_provider.amd.detect import detect;"
    "from torch_variant_provider.amd.properties import supported_properties as s;"
    "s(detect(os.environ, os.environ['BENCHMARK_ROOT']))"
)
_BARE_NVML = """
import pynvml as n
n.nvmlInit()
n.nvmlSystemGetCudaDriverVersion_v2()
n.nvmlSystemGetDriverVersion()
for i in range(n.nvmlDeviceGetCount()):
    n.nvmlDeviceGetCudaComputeCapability(n.nvmlDeviceGetHandleByIndex(i))
n.nvmlShutdown()
"""
_PUBLISHED = "nvidia_variant_provider.plugin"
_PUBLISHED_QUERY = f"from {_PUBLISHED} import NvidiaVariantPlugin as p; p.get_supported_configs()"

_NO_DRIVER = "query, no driver, to Python and ctypes"
_EIGHT = "query, NVML with 8 GPUs, to nvidia-ml-py"
_PEER = "the same, to nvidia-variant-provider"
_NODES = "query, KFD with 65 nodes, to no driver"


def measure() -> Iterator[Figure]:
    """Yield the provider's figures; those that need a C compiler or the peer are skipped without."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        packages = _compiled(folder / "packages")
        bare = {"PYTHONPATH": str(packages), "LD_LIBRARY_PATH": ""}
        yield _figure(_NO_DRIVER, 1.3, (_QUERY, bare), (_NOTHING, bare))
        yield from _nvml(folder, bare)
        empty, full = _kfd(folder / "empty", 0), _kfd(folder / "full", 65)
        yield _figure(
            _NODES,
            1.5,
            (_AMD_QUERY, {**bare, "BENCHMARK_ROOT": full}),
            (_AMD_QUERY, {**bare, "BENCHMARK_ROOT": empty}),
        )


def _nvml(folder: Path, bare: Mapping[str, str]) -> Iterator[Figure]:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or sys.platform == "win32":
        for name, target in ((_EIGHT, 1.15), (_PEER, 0.85)):
            yield Figure(name, target, faster=False, skipped="no C compiler for a stand-in NVML")
        return
    library = folder / "libnvidia-ml.so.1"
    command = [compiler, "-shared", "-fPIC", "-O1", f"-Wl,-soname,{library.name}", "-o", str(library)]
    subprocess.run([*command, str(_FAKES / "fake_nvml.c")], check=True)
    gpus = {**bare, "LD_LIBRARY_PATH": str(folder), "FAKE_GPUS": ",".join(["9.0"] * 8)}
    yield _figure(_EIGHT, 1.15, (_QUERY, gpus), (_BARE_NVML, gpus))
    if importlib.util.find_spec("nvidia_variant_provider") is None:
        yield Figure(
            _PEER,
            0.85,
            faster=False,
            skipped="not installed (PyPI has a placeholder); elsewhere it took 1.31x of nvidia-ml-py",
        )
        return
    yield _figure(_PEER, 0.85, (_QUERY, gpus), (_PUBLISHED_QUERY, gpus))


def _figure(
    name: str, target: float, ours: tuple[str, Mapping[str, str]], peer: tuple[str, Mapping[str, str]]
) -> Figure:
    a, b = interleaved(partial(_run, *ours), partial(_run, *peer), runs=_RUNS)
    return Figure(name, target, faster=False, ours=a, peer=b)


def _run(code: str, variables: Mapping[str, str]) -> None:
    _python(["-c", code], variables)


def _python(arguments: Sequence[str], variables: Mapping[str, str]) -> None:
    kept = ("PATH", "HOME", "SYSTEMROOT", "TEMP", "TMP")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    subprocess.run(
        [sys.executable, *arguments],
        env={**environment, **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )


def _compiled(folder: Path) -> Path:
    """Copy the provider and NVIDIA's binding, with bytecode beside them."""
    import pynvml

    import torch_variant_provider

    shutil.copytree(Path(torch_variant_provider.__file__).parent, folder / "torch_variant_provider")
    shutil.copy(pynvml.__file__, folder)
    compileall.compile_dir(folder, quiet=2)
    return folder


def _kfd(root: Path, nodes: int) -> str:
    """Write the kernel's tree of a machine with this many nodes, the first of them a CPU."""
    properties = (
        "cpu_cores_count 0\nsimd_count 304\nmem_banks_count 1\ncaches_count 206\nio_links_count 8\n"
        "max_waves_per_simd 8\nlds_size_in_kb 64\nwave_front_size 64\narray_count 32\nsimd_per_cu 4\n"
        "gfx_target_version 90402\nvendor_id 4098\ndevice_id 29857\nunique_id 1234567890123456789\n"
        "max_engine_clk_fcompute 2100\nlocal_mem_size 0\nfw_version 155\ncapability 671588992\nnum_xcc 8\n"
    )
    root.mkdir()
    for number in range(nodes):
        node = root / f"sys/class/kfd/kfd/topology/nodes/{number}"
        node.mkdir(parents=True)
        text = properties if number else "cpu_cores_count 96\nsimd_count 0\ngfx_target_version 0\n"
        (node / "properties").write_text(text)
    return str(root)
