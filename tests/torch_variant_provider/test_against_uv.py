"""Forced machines choose the same variant as uv's own NVIDIA provider does."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import http.server
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.loopback import serving
from tests.making import document, make_wheel
from tests.torch_variant_provider.conftest import clean_environment
from torch_variant_provider.nvidia.properties import supported_properties
from torch_variant_provider.overrides import nvidia_overrides
from variant_index.model.document import VariantsDocument
from variant_index.selection.ordering import rank_labels

LOWER, UPPER, SM = "cuda_version_lower_bound", "cuda_version_upper_bound", "sm_arch"

VARIANTS: dict[str, dict[str, dict[str, list[str]]]] = {
    "null": {},
    "cu118": {"nvidia": {LOWER: ["11.8"], UPPER: ["12.0"]}},
    "cu12": {"nvidia": {LOWER: ["12"]}},
    "cu126": {"nvidia": {LOWER: ["12.6"], SM: ["50_real", "75_real", "80_real", "90_real", "90_virtual"]}},
    "cu128": {"nvidia": {LOWER: ["12.8"], SM: ["75_real", "80_real", "90_real", "100_real", "120_real"]}},
    "cu129": {"nvidia": {LOWER: ["12.9"], SM: ["120_real", "120_virtual"]}},
    "cu130": {"nvidia": {LOWER: ["13.0"], UPPER: ["14.0"], SM: ["75_real", "86_real", "120_real"]}},
    "cu14": {"nvidia": {LOWER: ["14"]}},
    "upto115": {"nvidia": {UPPER: ["11.5"]}},
}

MACHINES = [
    *(
        ("9.0", cuda)
        for cuda in ("1.0", "11.0", "11.4", "11.5", "11.8", "12.0", "12.5", "12.8", "13.3", "15.20")
    ),
    *((sm, "12.9") for sm in ("5.0", "7.0", "7.5", "8.6", "8.9", "10.0", "10.3", "12.0", "12.1")),
    *((sm, "13.0") for sm in ("6.1", "7.5", "8.0", "8.9", "12.1")),
]


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


@contextlib.contextmanager
def serve(place: Path, whole: dict[str, Any]) -> Iterator[str]:
    """Serve one wheel for each label of a document, and yield the index's address."""
    folder = place / "fam"
    for label, properties in whole["variants"].items():
        make_wheel(
            folder,
            f"fam-1.0-py3-none-any-{label}.whl",
            variant_json={**whole, "variants": {label: properties}},
        )
    (folder / "fam-1.0-variants.json").write_text(json.dumps(whole))
    links = "".join(
        f'<a href="{path.name}#sha256={hashlib.sha256(path.read_bytes()).hexdigest()}">{path.name}</a>\n'
        for path in sorted(folder.iterdir())
    )
    (folder / "index.html").write_text(f"<!DOCTYPE html><html><body>{links}</body></html>")
    handler = functools.partial(QuietHandler, directory=str(folder.parent))
    with serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)) as server:
        yield f"http://127.0.0.1:{server.server_port}/"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve(tmp_path_factory.mktemp("index"), document(VARIANTS, ["nvidia"])) as address:
        yield address


def chosen_by_uv(index: str, target: Path, environ: dict[str, str]) -> str:
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if uv is None:
        pytest.skip("uv is not installed")
    done = subprocess.run(
        [
            *(uv, "pip", "install", "--no-config", "--preview-features", "wheel-variants", "--no-cache"),
            *("--index-url", index, "--python", sys.executable, "--target", str(target), "fam"),
        ],
        env={**clean_environment(), **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    name = (target / "fam.py").read_text().split("'")[1]
    return name.removesuffix(".whl").rpartition("-")[2]


@pytest.mark.parametrize(("sm", "cuda"), MACHINES)
def test_the_same_choice(index: str, tmp_path: Path, sm: str, cuda: str) -> None:
    environ = {
        "NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION": cuda,
        "NV_VARIANT_PROVIDER_FORCE_SM_ARCH": sm,
    }
    supported = {"nvidia": supported_properties(nvidia_overrides(environ))}
    ours = rank_labels(VariantsDocument.model_validate(document(VARIANTS, ["nvidia"])), supported)[0]
    assert chosen_by_uv(index, tmp_path / "target", environ) == ours
