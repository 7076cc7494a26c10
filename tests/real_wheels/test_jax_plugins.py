"""The README's worked example: three GPU plugins of PyPI become three variants of one project."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

VERSION = "0.9.1"
PROJECT = "jax-gpu-plugin"
PROPERTIES = {
    "cuda12": ["nvidia :: cuda_version_lower_bound :: 12.0"],
    "cuda13": ["nvidia :: cuda_version_lower_bound :: 13.0"],
    "rocm7": ["amd :: rocm_version :: 7.0", "amd :: rocm_version :: 7.1", "amd :: rocm_version :: 7.2"],
}
NO_NVIDIA = {
    "NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION": "none",
    "NV_VARIANT_PROVIDER_FORCE_SM_ARCH": "none",
}
NO_AMD = {"AMD_VARIANT_PROVIDER_FORCE_ROCM_VERSION": "none", "AMD_VARIANT_PROVIDER_FORCE_GFX_ARCH": "none"}
MACHINES = {
    "cuda12": {**NO_AMD, "NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION": "12.8"},
    "cuda13": {**NO_AMD, "NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION": "13.1"},
    "rocm7": {
        **NO_NVIDIA,
        "AMD_VARIANT_PROVIDER_FORCE_ROCM_VERSION": "7.0",
        "AMD_VARIANT_PROVIDER_FORCE_GFX_ARCH": "gfx942",
    },
    "": {**NO_NVIDIA, **NO_AMD},
}

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("downloads")
    found = {}
    for backend in PROPERTIES:
        requirement = f"jax-{backend}-plugin=={VERSION}"
        options = ["--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(folder / backend)]
        done = subprocess.run(
            [sys.executable, "-m", "pip", "download", *options, requirement],
            capture_output=True,
            text=True,
            timeout=300,
        )
        if done.returncode != 0:
            pytest.skip(f"{requirement} is not to be had here: {done.stderr.strip().splitlines()[-1]}")
        (found[backend],) = (folder / backend).glob("*.whl")
    return found


def variant_index(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "variant_index.cli", *arguments], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def index_url(downloads: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("index")
    for backend, wheel in downloads.items():
        properties = [word for item in PROPERTIES[backend] for word in ("--property", item)]
        options = ["--rename", PROJECT, "--label", backend, "--out", str(folder / "wheels")]
        variant_index("label", str(wheel), *options, *properties)
    built = variant_index(
        "build", str(folder / "wheels"), "--out", str(folder / "site"), "--default-from", "cuda12", "--json"
    )
    (release,) = json.loads(built)["releases"]
    assert release["sidecar"] == f"jax_gpu_plugin-{VERSION}-variants.json"
    serve = [sys.executable, "-m", "variant_index.cli", "serve", str(folder / "site"), "--port", "0"]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.terminate()


@pytest.mark.parametrize("label", MACHINES, ids=[label or "no GPU" for label in MACHINES])
def test_each_machine_gets_its_wheel(
    label: str, index_url: str, downloads: Mapping[str, Path], tmp_path: Path
) -> None:
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True, timeout=120)
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    variables |= {"VIRTUAL_ENV": str(environment), "PIP_CONFIG_FILE": os.devnull, **MACHINES[label]}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "variant_index.cli.variant_pip",
            "install",
            "--no-deps",
            "--no-cache-dir",
            "--index-url",
            index_url,
            PROJECT,
        ],
        env=variables,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert f"{PROJECT} {VERSION}: {label or 'the default wheel'}" in done.stderr

    site_packages = next((environment / "lib").glob("python*/site-packages"))
    dist_info = site_packages / f"jax_gpu_plugin-{VERSION}.dist-info"
    assert (dist_info / "variant.json").exists() == bool(label)
    # The payload is that of the plugin it was made from: cuda12 is also where the default came from.
    module = re.sub(r"-.*", "", downloads[label or "cuda12"].name)
    assert (site_packages / module).is_dir()
    checked = subprocess.run(
        [str(environment / "bin" / "python"), "-m", "pip", "show", "--files", PROJECT],
        env=variables,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert f"Version: {VERSION}" in checked.stdout
