"""Documents as they are published: torch 2.10 on every machine, and `requires`/`plugin-api` in variantlib."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.making import document
from tests.torch_variant_provider.conftest import clean_environment
from torch_variant_provider.amd.properties import supported_properties as of_amd
from torch_variant_provider.facts import Fact, Knowledge
from torch_variant_provider.nvidia.properties import supported_properties as of_nvidia
from torch_variant_provider.overrides import nvidia_overrides
from torch_variant_provider.plugin import AmdPlugin, NvidiaPlugin
from variant_index.model.document import VariantsDocument
from variant_index.selection.ordering import rank_labels

LOWER, SM = "cuda_version_lower_bound", "sm_arch"


def reals(*numbers: int) -> list[str]:
    return [f"{number}_real" for number in numbers]


TORCH: dict[str, dict[str, dict[str, list[str]]]] = {
    "cuda12.6": {
        "nvidia": {LOWER: ["12.0"], SM: reals(50, 60, 70, 75, 80, 86, 90)},
        "priority": {"order": ["third"]},
    },
    "cuda12.8": {
        "nvidia": {LOWER: ["12.0"], SM: reals(70, 75, 80, 86, 90, 100, 120)},
        "priority": {"order": ["second"]},
    },
    "cuda13.0": {
        "nvidia": {LOWER: ["13.0"], SM: [*reals(75, 80, 86, 90, 100, 120), "120_virtual"]},
        "priority": {"order": ["first"]},
    },
    "rocm7.0": {"amd": {"rocm_version": ["7.0"], "gfx_arch": ["gfx90a", "gfx942", "gfx1100"]}},
    "rocm7.1": {"amd": {"rocm_version": ["7.1"], "gfx_arch": ["gfx90a", "gfx942", "gfx1100", "gfx1201"]}},
    "xpu": {"intel": {"device_ip": ["12.55.8", "12.60.7", "20.1.0", "20.4.4"]}},
    "null": {},
}
NAMESPACES = ["nvidia", "intel", "amd", "priority"]
PROVIDERS: dict[str, Any] = {
    "intel": {
        "requires": ["intel-variant-provider>=0.0.2,<1.0.0"],
        "plugin-api": "intel_variant_provider.plugin:IntelVariantPlugin",
    },
    "priority": {"static-properties": {"order": ["first", "second", "third"]}},
}
TORCH_DOCUMENT = VariantsDocument.model_validate(document(TORCH, NAMESPACES, PROVIDERS))

OLD, NEW = ("12.0", "12.4", "12.8"), ("13.0", "13.1")
MIDDLE = ("7.5", "8.0", "8.6", "8.9", "9.0", "10.0")
CELLS = [
    *(("11.8", sm, "null") for sm in ("5.0", "6.1", "7.0", *MIDDLE, "11.0", "12.0", "12.1")),
    *((cuda, sm, "cuda12.6") for cuda in (*OLD, *NEW) for sm in ("5.0", "6.1")),
    *((cuda, "7.0", "cuda12.8") for cuda in (*OLD, *NEW)),
    *((cuda, sm, "cuda12.8") for cuda in OLD for sm in (*MIDDLE, "12.0", "12.1")),
    *((cuda, sm, "cuda13.0") for cuda in NEW for sm in (*MIDDLE, "12.0", "12.1")),
    *((cuda, "11.0", "null") for cuda in OLD),
]


@pytest.mark.parametrize(("cuda", "sm", "label"), CELLS)
def test_torch_on_every_machine(cuda: str, sm: str, label: str) -> None:
    forced = {"NV_PROVIDER_FORCE_DRIVER_VERSION": cuda, "NV_VARIANT_PROVIDER_FORCE_SM_ARCH": sm}
    supported = {"nvidia": of_nvidia(nvidia_overrides(forced))}
    assert rank_labels(TORCH_DOCUMENT, supported)[0] == label


@pytest.mark.parametrize(
    ("gfx", "driver", "label"),
    [
        ("gfx942", "6.14.14", "rocm7.1"),
        ("gfx942", "6.10.5", "rocm7.0"),  # 6.3: AMD supports two releases newer
        ("gfx1201", "6.14.14", "rocm7.1"),
        ("gfx1100", "in-tree", "rocm7.1"),
        ("gfx1031", "6.14.14", "null"),
        ("gfx942", "6.2.4", "null"),
    ],
)
def test_torch_on_amd(gfx: str, driver: str, label: str) -> None:
    known = Knowledge({"gfx_arch": Fact((gfx,), "test"), "kernel_driver": Fact(driver, "test")}, [])
    assert rank_labels(TORCH_DOCUMENT, {"amd": of_amd(known)})[0] == label


def test_published_vocabulary_is_announced() -> None:
    """Every property of these documents is one that the plugins can answer."""
    for plugin in (NvidiaPlugin, AmdPlugin):
        announced = {config.name: set(config.values) for config in plugin.get_all_configs()}
        for properties in TORCH.values():
            for feature, values in properties.get(plugin.namespace, {}).items():
                assert set(values) <= announced[feature]


OUR_PROVIDERS: dict[str, Any] = {
    "nvidia": {
        "requires": ["torch-variant-provider"],
        "plugin-api": "torch_variant_provider.plugin:NvidiaPlugin",
    },
    "amd": {"requires": ["torch-variant-provider"], "plugin-api": "torch_variant_provider.plugin:AmdPlugin"},
    "intel": {
        "requires": ["torch-variant-provider"],
        "plugin-api": "torch_variant_provider.plugin:IntelPlugin",
    },
}

RANK = """
import json, sys
from variantlib.api import get_variants_by_priority
ranked = get_variants_by_priority(variants_json=json.load(open(sys.argv[1])))
print(json.dumps([variant.label for variant in ranked]))
"""

BAD_PLUGIN = """
print("chatter while it is imported")
class Plugin:
    namespace = "bad"
    @classmethod
    def get_all_configs(cls): raise RuntimeError("no hardware")
    get_supported_configs = get_all_configs
"""


def ranked_by_variantlib(path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("variantlib")
    return subprocess.run(
        [sys.executable, "-c", RANK, str(path)],
        env={**clean_environment(), **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("forced", "first"),
    [
        (
            {"NV_PROVIDER_FORCE_DRIVER_VERSION": "13.0", "NV_VARIANT_PROVIDER_FORCE_SM_ARCH": "9.0"},
            "cuda13.0",
        ),
        (
            {"NV_PROVIDER_FORCE_DRIVER_VERSION": "12.4", "NV_VARIANT_PROVIDER_FORCE_SM_ARCH": "7.0"},
            "cuda12.8",
        ),
        (
            {
                "AMD_VARIANT_PROVIDER_FORCE_GFX_ARCH": "gfx942",
                "AMD_VARIANT_PROVIDER_FORCE_ROCM_VERSION": "7.1",
            },
            "rocm7.1",
        ),
        ({"INTEL_VARIANT_PROVIDER_FORCE_DEVICE_IP": "20.2.0"}, "xpu"),
        ({}, "null"),
    ],
)
def test_named_in_a_document_variantlib_asks_us(tmp_path: Path, forced: dict[str, str], first: str) -> None:
    path = tmp_path / "torch-2.10.0-variants.json"
    path.write_text(json.dumps(document(TORCH, NAMESPACES, {**PROVIDERS, **OUR_PROVIDERS})))
    done = ranked_by_variantlib(path, **forced)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0] == first


@pytest.mark.parametrize(
    ("forced", "first"),
    [
        (
            {"NV_PROVIDER_FORCE_DRIVER_VERSION": "13.0", "NV_VARIANT_PROVIDER_FORCE_SM_ARCH": "9.0"},
            "cuda13.0",
        ),
        (
            {
                "AMD_VARIANT_PROVIDER_FORCE_GFX_ARCH": "gfx942",
                "AMD_VARIANT_PROVIDER_FORCE_ROCM_VERSION": "7.1",
            },
            "rocm7.1",
        ),
        ({"INTEL_VARIANT_PROVIDER_FORCE_DEVICE_IP": "20.2.0"}, "xpu"),
    ],
)
def test_documents_that_name_the_vendors_packages(tmp_path: Path, forced: dict[str, str], first: str) -> None:
    """Exactly as torch, XGBoost and CuPy publish them: the host imports the vendors' names."""
    path = tmp_path / "torch-2.10.0-variants.json"
    path.write_text(json.dumps(document(TORCH, NAMESPACES, PROVIDERS)))
    assert {one.plugin_api for one in (TORCH_DOCUMENT.providers or {}).values() if one.plugin_api} == {
        "nvidia_variant_provider.plugin:NvidiaVariantPlugin",
        "amd_variant_provider.plugin:AMDVariantPlugin",
        "intel_variant_provider.plugin:IntelVariantPlugin",
    }
    command = [sys.executable, "-m", "torch_variant_provider", "--compatible"]
    folder = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    done = ranked_by_variantlib(path, PYTHONPATH=folder, **forced)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0] == first
    assert ranked_by_variantlib(path, **forced).returncode != 0  # only where it is asked for


def test_variantlib_and_we_order_alike(tmp_path: Path) -> None:
    path = tmp_path / "variants.json"
    whole = document(TORCH, NAMESPACES, {**PROVIDERS, **OUR_PROVIDERS})
    path.write_text(json.dumps(whole))
    forced = {"NV_PROVIDER_FORCE_DRIVER_VERSION": "13.1", "NV_VARIANT_PROVIDER_FORCE_SM_ARCH": "8.6,12.0"}
    done = ranked_by_variantlib(path, **forced)
    supported = {"nvidia": of_nvidia(nvidia_overrides(forced))}
    ours = rank_labels(VariantsDocument.model_validate(whole), supported)
    assert [label for label in json.loads(done.stdout) if label != "null"] == [
        label for label in ours if label != "null"
    ]


def test_a_bad_plugin_beside_ours_is_not_of_our_making(tmp_path: Path) -> None:
    """It fails the host's whole query; without it, or with one of ours in any state, the query works."""
    (tmp_path / "bad_plugin.py").write_text(BAD_PLUGIN)
    variants = {**TORCH, "bad": {"bad": {"f": ["v"]}}}
    bad = {"requires": ["bad-plugin"], "plugin-api": "bad_plugin:Plugin"}
    whole = document(variants, [*NAMESPACES, "bad"], {**PROVIDERS, **OUR_PROVIDERS, "bad": bad})
    path = tmp_path / "variants.json"
    path.write_text(json.dumps(whole))
    folder = {"PYTHONPATH": os.fspath(tmp_path)}
    done = ranked_by_variantlib(path, NV_PROVIDER_FORCE_DRIVER_VERSION="13.0", **folder)
    assert done.returncode != 0
    assert "torch_variant_provider" not in done.stderr.splitlines()[-1]
