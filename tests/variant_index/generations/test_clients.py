"""What real installers make of an index published in an older form, before and after the conversion."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.making import make_wheel
from tests.variant_index.generations.samples import old, plugin
from tests.variant_index.publish.clients import installed_file, pip_install, uv_install
from tests.variant_index.shim.family import cpu_machine, cuda_machine
from tests.variant_index.shim.serving import running_shim
from tests.variant_index.upstream.fake_index import FakeIndex
from variant_index.generations.convert import convert

PREVIEW = ("--preview-features", "wheel-variants", "--no-deps")
DRIVER = {"NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION": "12.8"}
LOWER = "cuda_version_lower_bound"
VARIANTS = {
    "cuda12.6": {"nvidia": {LOWER: ["12.0"]}, "rank": {"order": ["2"]}},
    "cuda12.8": {"nvidia": {LOWER: ["12.0"]}, "rank": {"order": ["1"]}},
    "cuda13.0": {"nvidia": {LOWER: ["13.0"]}, "rank": {"order": ["1"]}},
    "null": {},
}
PROVIDERS = {
    "nvidia": plugin("nvidia-variant-provider>=0.0.2,<1.0.0") | {"enable-if": "platform_system == 'Linux'"},
    "rank": {"plugin-use": "none", "requires": []},
}


def _old(variants: dict[str, Any]) -> bytes:
    order = {"rank": {"order": ["1", "2"]}}
    return json.dumps(old(variants, PROVIDERS, schema="v0.0.2.json", values=order)).encode()


def _new(variants: dict[str, Any]) -> bytes:
    return convert(_old(variants), "x", relax_requires=True).data


@pytest.fixture
def index() -> Iterator[FakeIndex]:
    with FakeIndex() as index:
        yield index


def _publish(index: FakeIndex, folder: Path, write: Any) -> None:
    """Serve release 1.0 (plain) and release 2.0 (plain and variants) of `vold`."""
    paths = [make_wheel(folder, f"vold-{version}-py3-none-any.whl") for version in ("1.0", "2.0")]
    for label, properties in VARIANTS.items():
        own = write({label: properties})
        paths.append(make_wheel(folder, f"vold-2.0-py3-none-any-{label}.whl", variant_json=own))
    sidecar = folder / "vold-2.0-variants.json"
    sidecar.write_bytes(write(VARIANTS))
    index.add_project("vold", [index.add_file(path) for path in [*paths, sidecar]])


@pytest.mark.parametrize(
    ("machine", "label"),
    [(cuda_machine("12.8"), "cuda12.8"), (cuda_machine("13.0"), "cuda13.0"), (cpu_machine(), "null")],
)
def test_the_shim_reads_an_index_of_today(index: FakeIndex, tmp_path: Path, machine: Any, label: str) -> None:
    _publish(index, tmp_path / "files", _old)
    with running_shim(index.url, machine=lambda: machine) as shim:
        done = pip_install(shim.index_url, "vold", tmp_path / "target")
        assert done.returncode == 0, done.stderr
        assert shim.journal.warnings == ()
    assert installed_file(tmp_path / "target", "vold") == f"vold-2.0-py3-none-any-{label}.whl"


def test_uv_loses_the_release_until_it_is_converted(index: FakeIndex, tmp_path: Path) -> None:
    _publish(index, tmp_path / "old", _old)
    done = uv_install(index.url, "vold", tmp_path / "before", *PREVIEW, extra=DRIVER)
    assert done.returncode == 0, done.stderr
    assert installed_file(tmp_path / "before", "vold") == "vold-1.0-py3-none-any.whl"
    _publish(index, tmp_path / "new", _new)
    done = uv_install(index.url, "vold", tmp_path / "after", *PREVIEW, extra=DRIVER)
    assert done.returncode == 0, done.stderr
    assert installed_file(tmp_path / "after", "vold") == "vold-2.0-py3-none-any-cuda12.8.whl"
