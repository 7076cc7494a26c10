"""`variant-index machine`."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.torch_variant_provider.conftest import clean_environment
from variant_index.model.machine import parse_profile


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from variant_index.cli import main; raise SystemExit(main())", *arguments],
        env={**clean_environment(), **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_json_is_the_contract() -> None:
    done = run("machine", "--json", NV_PROVIDER_FORCE_DRIVER_VERSION="12.8")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert list(document) == ["properties", "feature_order", "facts", "notes"]
    assert document["feature_order"] == {"nvidia": ["cuda_version_lower_bound", "cuda_version_upper_bound"]}
    parse_profile(done.stdout.encode(), "test")


def test_table() -> None:
    done = run(
        "machine",
        NV_VARIANT_PROVIDER_FORCE_SM_ARCH="bad",
        AMD_VARIANT_PROVIDER_FORCE_ROCM_VERSION="6.4",
    )
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["amd", "rocm_version", "6.4", "AMD_VARIANT_PROVIDER_FORCE_ROCM_VERSION"] in rows
    assert "note: NV_VARIANT_PROVIDER_FORCE_SM_ARCH: 'bad'" in done.stdout
    assert done.stderr == ""


def test_a_machine_without_gpu() -> None:
    done = run("machine")
    assert done.stdout.startswith("No GPU driver was found.\n")


def test_bad_usage() -> None:
    assert run("machine", "--timeout", "0").returncode == 2
    assert "Examples:" in run("machine", "--help").stdout
