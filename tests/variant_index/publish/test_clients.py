"""Real installers against an index that was built and served: plain ones, and uv's own variant support."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.loopback import serving
from tests.making import document, make_wheel
from tests.variant_index.publish.clients import installed_file, pip_install, uv_install
from tests.variant_index.publish.family import make_family, published_file
from torch_variant_provider.plugin import NvidiaPlugin
from variant_index.model.document import parse_document
from variant_index.publish.build import build_index
from variant_index.publish.serve import IndexServer
from variant_index.selection.ordering import rank_labels

PLAIN = "vdemo-2.0-py3-none-any.whl"
NOW = "2026-01-01T00:00:00Z"

_CUDA = "NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION"
_SM = "NV_VARIANT_PROVIDER_FORCE_SM_ARCH"


def _build(order: str, lower_bound: str, capabilities: str) -> dict[str, dict[str, list[str]]]:
    return {
        "nvidia": {
            "cuda_version_lower_bound": [lower_bound],
            "sm_arch": [name if "_" in name else f"{name}_real" for name in capabilities.split()],
        },
        "priority": {"order": [order]},
    }


# The shape of torch 2.10: the CUDA 12 builds run on any 12.x driver, so a static order ranks them.
TORCH = {
    "cuda12.6": _build("third", "12.0", "50 60 70 75 80 86 90"),
    "cuda12.8": _build("second", "12.0", "70 75 80 86 90 100 120"),
    "cuda13.0": _build("first", "13.0", "75 80 86 90 100 120 120_virtual"),
    "xpu": {"intel": {"device_ip": ["20.1.0"]}},
    "rocm7.1": {"amd": {"gfx_arch": ["gfx942"], "rocm_version": ["7.1"]}},
    "null": {},
}
_NAMESPACES = ["nvidia", "intel", "amd", "priority"]
_PROVIDERS = {
    "intel": {"requires": ["intel-variant-provider"]},
    "priority": {"static-properties": {"order": ["first", "second", "third"]}},
}


def _make_torch(folder: Path) -> None:
    make_wheel(folder, "vtorch-2.10.0-py3-none-any.whl")
    for label, properties in TORCH.items():
        content = document({label: properties}, _NAMESPACES, _PROVIDERS)
        make_wheel(folder, f"vtorch-2.10.0-py3-none-any-{label}.whl", variant_json=content)


@dataclass(frozen=True)
class Site:
    """An index on disk and on loopback."""

    folder: Path
    url: str

    @property
    def file_url(self) -> str:
        return (self.folder / "simple").as_uri()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("clients")
    make_family(folder / "in")
    make_family(folder / "in", "vonly", default=False)
    _make_torch(folder / "in")
    report = build_index([folder / "in"], folder / "out", now=NOW)
    assert not report.refused
    with serving(IndexServer(folder / "out")) as server:
        yield Site(folder / "out", server.url)


@pytest.fixture(scope="module")
def old_pip(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a Python whose pip is 23.2.1."""
    folder = tmp_path_factory.mktemp("old-pip") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = str(folder / ("Scripts" if os.name == "nt" else "bin") / "python")
    fetched = subprocess.run(
        [python, "-m", "pip", "install", "--retries", "0", "pip==23.2.1"], capture_output=True, text=True
    )
    if fetched.returncode:
        pytest.skip(f"no registry has pip 23.2.1: {fetched.stderr.strip().splitlines()[-1]}")
    return python


def test_pip_takes_the_plain_wheel(site: Site, tmp_path: Path) -> None:
    done = pip_install(site.url, "vdemo", tmp_path / "t")
    assert done.returncode == 0, done.stderr
    assert installed_file(tmp_path / "t", "vdemo") == PLAIN


def test_pip_installs_from_the_folder_without_a_server(site: Site, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(site.folder, moved)
    done = pip_install((moved / "simple").as_uri(), "vdemo", tmp_path / "t")
    assert done.returncode == 0, done.stderr
    assert installed_file(tmp_path / "t", "vdemo") == PLAIN


@pytest.mark.network
def test_pip_23_2_takes_the_plain_wheel(site: Site, tmp_path: Path, old_pip: str) -> None:
    for index in (site.url, site.file_url):
        folder = tmp_path / str(len(index))
        done = pip_install(index, "vdemo", folder, python=old_pip)
        assert done.returncode == 0, done.stderr
        assert installed_file(folder, "vdemo") == PLAIN


def test_uv_without_preview_takes_the_plain_wheel(site: Site, tmp_path: Path) -> None:
    done = uv_install(site.url, "vdemo", tmp_path / "t", extra={_CUDA: "13.0", _SM: "9.0"})
    assert done.returncode == 0, done.stderr
    assert installed_file(tmp_path / "t", "vdemo") == PLAIN


def test_without_a_plain_wheel_plain_installers_get_an_older_release(site: Site, tmp_path: Path) -> None:
    """What the warning about a missing default wheel says."""
    assert pip_install(site.url, "vonly", tmp_path / "pip").returncode == 0
    assert installed_file(tmp_path / "pip", "vonly") == "vonly-1.0-py3-none-any.whl"
    assert uv_install(site.url, "vonly", tmp_path / "uv").returncode == 0
    assert installed_file(tmp_path / "uv", "vonly") == "vonly-1.0-py3-none-any.whl"


def test_a_default_wheel_made_from_a_variant_is_what_plain_installers_get(tmp_path: Path) -> None:
    make_family(tmp_path / "in", "vonly", default=False)
    build_index([tmp_path / "in"], tmp_path / "out", now=NOW, default_from="null")
    done = pip_install((tmp_path / "out" / "simple").as_uri(), "vonly==2.0", tmp_path / "t")
    assert done.returncode == 0, done.stderr
    assert installed_file(tmp_path / "t", "vonly") == "vonly-2.0-py3-none-any-null.whl"
    assert not list((tmp_path / "t").rglob("variant.json"))


@pytest.mark.parametrize(
    ("date", "label"), [("2026-01-02T00:00:00Z", "cu130"), ("2025-12-31T00:00:00Z", None)]
)
def test_uv_sees_the_index_as_of_a_date(site: Site, tmp_path: Path, date: str, label: str | None) -> None:
    done = uv_install(
        site.url,
        "vdemo",
        tmp_path / "t",
        "--preview-features",
        "wheel-variants",
        "--exclude-newer",
        date,
        extra={_CUDA: "13.0", _SM: "9.0"},
    )
    if label is None:
        assert done.returncode != 0
    else:
        assert done.returncode == 0, done.stderr
        assert installed_file(tmp_path / "t", "vdemo") == f"vdemo-2.0-py3-none-any-{label}.whl"


def test_uv_reads_upload_times_from_html(site: Site, tmp_path: Path) -> None:
    """What the non-standard attribute on HTML pages is for."""
    shutil.copytree(site.folder, tmp_path / "site")
    for page in (tmp_path / "site").rglob("index.json"):
        page.write_bytes(page.with_suffix(".html").read_bytes())
    handler = tmp_path / "serve.py"
    handler.write_text(
        "import http.server as h; h.test(h.SimpleHTTPRequestHandler, port=0, bind='127.0.0.1')"
    )
    server = subprocess.Popen(
        [sys.executable, "-u", str(handler)],
        cwd=tmp_path / "site",
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert server.stdout is not None
        port = server.stdout.readline().split(b" port ")[1].split()[0].decode()
        index = f"http://127.0.0.1:{port}/simple/"
        done = uv_install(index, "vdemo", tmp_path / "t", "--exclude-newer", "2026-01-02T00:00:00Z")
        assert done.returncode == 0, done.stderr
        assert installed_file(tmp_path / "t", "vdemo") == PLAIN
    finally:
        server.kill()
        server.communicate()


# Driver and compute capability; the last column is torch 2.10's published table.
_MACHINES = [
    ("none", None, "null"),
    ("11.8", "8.6", "null"),
    ("12.0", "5.0", "cuda12.6"),
    ("12.4", "6.1", "cuda12.6"),
    ("12.8", "7.0", "cuda12.8"),
    ("12.8", "8.9", "cuda12.8"),
    ("12.8", "9.0", "cuda12.8"),
    ("12.8", "12.0", "cuda12.8"),
    ("13.0", "6.1", "cuda12.6"),
    ("13.0", "7.0", "cuda12.8"),
    ("13.0", "8.6", "cuda13.0"),
    ("13.1", "12.1", "cuda13.0"),
]


@pytest.mark.parametrize("machine", _MACHINES, ids=lambda machine: f"{machine[0]}-{machine[1]}")
def test_uv_with_variants_chooses_what_we_choose(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: tuple[str, str | None, str]
) -> None:
    driver, capability, expected = machine
    forced: Mapping[str, str] = {_CUDA: driver, **({_SM: capability} if capability else {})}
    for name in (_CUDA, _SM, "NV_PROVIDER_FORCE_DRIVER_VERSION", "UV_CUDA_DRIVER_VERSION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in forced.items():
        monkeypatch.setenv(name, value)
    supported = {"nvidia": {config.name: config.values for config in NvidiaPlugin.get_supported_configs()}}
    sidecar = published_file(site.folder, "vtorch-2.10.0-variants.json")
    ours = rank_labels(parse_document(sidecar.read_bytes(), sidecar.name), supported)[0]

    done = uv_install(
        site.url, "vtorch", tmp_path / "t", "--preview-features", "wheel-variants", extra=forced
    )
    assert done.returncode == 0, done.stderr
    assert installed_file(tmp_path / "t", "vtorch") == f"vtorch-2.10.0-py3-none-any-{ours}.whl"
    assert ours == expected


def test_the_sidecar_holds_every_label_sorted(site: Site) -> None:
    content = json.loads(published_file(site.folder, "vtorch-2.10.0-variants.json").read_bytes())
    assert list(content["variants"]) == sorted(TORCH)
    assert content["default-priorities"]["namespace"] == _NAMESPACES
    assert content["variants"]["cuda13.0"]["nvidia"]["sm_arch"][0] == "100_real"
