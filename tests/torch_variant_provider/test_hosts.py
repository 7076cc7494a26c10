"""The plugins in their hosts: what they import, and variantlib's own loader."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.torch_variant_provider.conftest import clean_environment

HEAVY = {
    "pydantic",
    "click",
    "dataclasses",
    "re",
    "typing",
    "json",
    "subprocess",
    "packaging",
    "enum",
    "pathlib",
    "logging",
    "ctypes",
    "threading",
    "pynvml",
    "variant_index",
    "importlib.metadata",
}

QUERY = (
    "from torch_variant_provider.plugin import AmdPlugin, NvidiaPlugin;"
    "NvidiaPlugin.get_supported_configs(); AmdPlugin.get_supported_configs();"
    "NvidiaPlugin.get_all_configs(); AmdPlugin.get_all_configs()"
)
FORCED = {
    "NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION": "12.8",
    "NV_VARIANT_PROVIDER_FORCE_SM_ARCH": "9.0",
    "AMD_VARIANT_PROVIDER_FORCE_GFX_ARCH": "gfx942",
    "AMD_VARIANT_PROVIDER_FORCE_ROCM_VERSION": "6.4",
}


def run(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**clean_environment(), **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_forced_queries_import_next_to_nothing() -> None:
    code = f"import sys; before = set(sys.modules); {QUERY}; print(*sorted(set(sys.modules) - before))"
    done = run(code, **FORCED)
    loaded = done.stdout.split()
    assert "torch_variant_provider.plugin" in loaded
    assert not set(loaded) & HEAVY
    assert {name.partition(".")[0] for name in loaded} <= {"__future__", "torch_variant_provider"}


def test_a_machine_without_driver_loads_no_binding() -> None:
    """On this machine, so the files looked for are those of the system; no library is loaded."""
    code = f"import sys; before = set(sys.modules); {QUERY}; print(*sorted(set(sys.modules) - before))"
    done = run(code, PATH="/nowhere")
    if "did not" in done.stderr or "NVML" in done.stderr:
        pytest.skip("this machine has a driver")
    loaded = done.stdout.split()
    assert "torch_variant_provider.nvidia.nvml" in loaded
    assert not set(loaded) & HEAVY


def test_variantlib_loads_the_entry_points(nvml_folder: Path) -> None:
    """The host reads JSON from the plugins' standard output: a driver that prints must not spoil it."""
    pytest.importorskip("variantlib")
    code = (
        "import json\n"
        "from variantlib.plugins.loader import EntryPointPluginLoader\n"
        "with EntryPointPluginLoader() as loader:\n"
        "    found = {}\n"
        "    for name, get in ('all', loader.get_all_configs), ('supported', loader.get_supported_configs):\n"
        "        found[name] = {n: {c.name: c.values for c in p.configs} for n, p in get().items()}\n"
        "print(json.dumps(found))"
    )
    done = run(
        code,
        LD_LIBRARY_PATH=str(nvml_folder),
        FAKE_GPUS="9.0,handle15",
        FAKE_PRINT='{"chatter": 1}',
        AMD_VARIANT_PROVIDER_FORCE_GFX_ARCH="gfx942",
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found["supported"]) == {"nvidia", "amd"}
    assert list(found["supported"]["nvidia"]) == [
        "cuda_version_lower_bound",
        "cuda_version_upper_bound",
        "sm_arch",
    ]
    assert found["supported"]["amd"] == {"gfx_arch": ["gfx942"]}
    for namespace, features in found["supported"].items():
        for feature, values in features.items():
            assert set(values) <= set(found["all"][namespace][feature])


def test_variantlib_survives_a_crashing_driver(nvml_folder: Path) -> None:
    pytest.importorskip("variantlib")
    code = (
        "from variantlib.plugins.loader import EntryPointPluginLoader\n"
        "with EntryPointPluginLoader() as loader:\n"
        "    print(*loader.get_supported_configs())"
    )
    done = run(
        code,
        LD_LIBRARY_PATH=str(nvml_folder),
        FAKE_ABORT="init",
        AMD_VARIANT_PROVIDER_FORCE_GFX_ARCH="gfx942",
    )
    assert done.stdout == "amd\n", done.stderr


def test_what_is_announced_is_the_same_everywhere(nvml_folder: Path) -> None:
    code = (
        "from torch_variant_provider import plugin as p\n"
        "for one in p.NvidiaPlugin, p.AmdPlugin, p.IntelPlugin:\n"
        "    print([(c.name, c.values, c.multi_value) for c in one.get_all_configs()])"
    )
    plain = run(code)
    assert plain.stdout.count("\n") == 3
    assert run(code, LD_LIBRARY_PATH=str(nvml_folder), FAKE_GPUS="9.0", **FORCED).stdout == plain.stdout


def test_protocol_attributes() -> None:
    from torch_variant_provider.plugin import AmdPlugin, IntelPlugin, NvidiaPlugin

    for plugin, namespace in ((NvidiaPlugin, "nvidia"), (AmdPlugin, "amd"), (IntelPlugin, "intel")):
        assert plugin.namespace == namespace
        assert plugin.is_aot_plugin is False
        assert plugin.all_properties_compatible is False


def test_a_broken_source_raises_nothing() -> None:
    done = run(
        "import torch_variant_provider.nvidia.properties as p\n"
        "p.supported_properties = None\n"
        "from torch_variant_provider.plugin import NvidiaPlugin\n"
        "print(NvidiaPlugin.get_supported_configs())"
    )
    assert done.stdout == "[]\n"
    assert "detection failed" in done.stderr


def test_a_host_without_standard_error() -> None:
    done = run(
        "import sys; sys.stderr = None\n"
        "from torch_variant_provider.plugin import NvidiaPlugin\n"
        "print(NvidiaPlugin.get_supported_configs())",
        NV_VARIANT_PROVIDER_FORCE_SM_ARCH="bad",
    )
    assert done.stdout == "[]\n"
