"""Stand-in driver libraries, and a fresh interpreter for each question."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

HERE = Path(__file__).parent


def build_library(source: str, folder: Path, soname: str, *options: str) -> Path:
    """Compile a stand-in library into `folder`; skip where there is no compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or sys.platform == "win32":
        pytest.skip("no C compiler: stand-in driver libraries cannot be built")
    folder.mkdir(parents=True, exist_ok=True)
    command = [compiler, "-shared", "-fPIC", "-fvisibility=hidden", f"-Wl,-soname,{soname}", *options]
    subprocess.run([*command, "-o", str(folder / soname), str(HERE / source)], check=True)
    return folder


def clean_environment() -> dict[str, str]:
    """Return this environment without anything that forces or fakes hardware."""
    forcing = (
        "NV_",
        "AMD_",
        "INTEL_",
        "X86_64_",
        "AARCH64_",
        "TPU_",
        "ROCM_",
        "UV_",
        "HSA_",
        "ZE_",
        "FAKE_",
        "LD_",
        "CUDA_",
        "HIP_",
        "VARIANT_INDEX_",
        "PYTHONUNBUFFERED",
    )
    return {name: value for name, value in os.environ.items() if not name.startswith(forcing)}


class Answer(NamedTuple):
    """What one fresh interpreter said."""

    features: dict[str, list[str]]
    stdout: str
    stderr: str


@pytest.fixture(scope="session")
def nvml_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_library("fake_nvml.c", tmp_path_factory.mktemp("nvml"), "libnvidia-ml.so.1")


@pytest.fixture(scope="session")
def old_nvml_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_library("fake_nvml.c", tmp_path_factory.mktemp("old-nvml"), "libnvidia-ml.so.1", "-DOLD")


@pytest.fixture(scope="session")
def cuda_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_library("fake_cuda.c", tmp_path_factory.mktemp("cuda"), "libcuda.so.1")


def write_program(folder: Path, name: str, script: str) -> Path:
    """Write a shell script into a folder for PATH."""
    if sys.platform == "win32":
        pytest.skip("stand-in programs are shell scripts")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)
    return folder


QUERY = """
import json, os, sys
from torch_variant_provider.plugin import AmdPlugin, NvidiaPlugin
plugin = {"nvidia": NvidiaPlugin, "amd": AmdPlugin}[sys.argv[1]]
configs = plugin.get_supported_configs()
with open(sys.argv[2], "w") as file:
    json.dump([[config.name, config.values, config.multi_value] for config in configs], file)
"""


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., Answer]:
    """Ask a plugin in a fresh interpreter: `ask("nvidia", FAKE_GPUS="9.0", ...)`."""

    def ask_plugin(vendor: str, *, seconds: float = 60, **variables: str | Path) -> Answer:
        answer = tmp_path / "answer.json"
        done = subprocess.run(
            [sys.executable, "-c", QUERY, vendor, str(answer)],
            env={**clean_environment(), **{name: str(value) for name, value in variables.items()}},
            capture_output=True,
            text=True,
            timeout=seconds,
        )
        assert done.returncode == 0, done.stderr
        configs: list[Any] = json.loads(answer.read_text())
        return Answer({name: values for name, values, _ in configs}, done.stdout, done.stderr)

    return ask_plugin
