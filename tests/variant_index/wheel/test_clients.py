"""Real tools take what labelling writes."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.making import make_wheel
from variant_index.model.properties import Property
from variant_index.model.settings import VariantSettings
from variant_index.wheel.relabel import label_wheel, unlabel_wheel

SCRIPTS = Path(sysconfig.get_path("scripts"))


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    ours = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "UV_", "NV_"))}
    ours.update(PIP_CONFIG_FILE=os.devnull, UV_NO_CONFIG="1", UV_OFFLINE="1", **environment)
    return subprocess.run(
        [str(word) for word in command], env=ours, capture_output=True, text=True, timeout=120
    )


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    source = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl")
    return label_wheel(
        source,
        [Property("nvidia", "cuda_version_lower_bound", "12.8")],
        label="cu128",
        settings=VariantSettings.default(),
        out=tmp_path / "labelled",
        rename="renamed",
    )


def test_variantlib_reads_the_variant(labelled: Path) -> None:
    done = run(SCRIPTS / "variantlib", "analyze-wheel", "-i", labelled)
    assert done.returncode == 0, done.stderr
    assert "Variant: `cu128`" in done.stdout
    assert "nvidia :: cuda_version_lower_bound :: 12.8" in done.stdout


@pytest.mark.parametrize(("driver", "installs"), [("12.8", True), ("12.4", False)])
def test_uv_installs_the_variant_where_it_fits(
    labelled: Path, tmp_path: Path, driver: str, installs: bool
) -> None:
    venv = tmp_path / "venv"
    assert run(SCRIPTS / "uv", "venv", "--python", sys.executable, venv).returncode == 0
    done = run(
        *(SCRIPTS / "uv", "pip", "install", "--python", venv, "--no-index"),
        *("--preview-features", "wheel-variants", labelled),
        NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION=driver,
        UV_CACHE_DIR=str(tmp_path / "cache"),
    )
    assert (done.returncode == 0) == installs, done.stderr
    if not installs:
        assert "unsupported wheel variants" in done.stderr


def test_pip_installs_the_renamed_default_wheel(labelled: Path, tmp_path: Path) -> None:
    plain = unlabel_wheel(labelled, tmp_path / "plain")
    target = tmp_path / "site"
    done = run(sys.executable, "-m", "pip", "install", "--no-index", "--target", target, plain)
    assert done.returncode == 0, done.stderr
    assert "Successfully installed renamed-1.0" in done.stdout
    names = {path.name for path in target.iterdir()}
    assert {"demo.py", "renamed-1.0.dist-info"} <= names
    shown = run(sys.executable, "-m", "pip", "list", "--path", target, "--format", "freeze")
    assert shown.stdout.strip() == "renamed==1.0"
