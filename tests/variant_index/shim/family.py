"""A project with variants, for machines with and without a GPU."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from tests.making import document, make_wheel
from tests.variant_index.upstream.fake_index import FakeIndex
from variant_index.model.machine import MachineProfile
from variant_index.selection.choice import TargetTags
from variant_index.simple_api.page import ProjectFile

NAME = "vtorch"
LABELS: dict[str, dict[str, dict[str, list[str]]]] = {
    "cu126": {"nvidia": {"cuda_version_lower_bound": ["12.6"]}},
    "cu128": {"nvidia": {"cuda_version_lower_bound": ["12.8"]}},
    "cu130": {"nvidia": {"cuda_version_lower_bound": ["13.0"]}},
    "null": {},
}
DOCUMENT = document(LABELS)
SIDECAR = f"{NAME}-2.0-variants.json"
ANY = TargetTags(["py3-none-any"])


def cuda_machine(version: str) -> MachineProfile:
    """Return the profile of a machine whose driver supports a CUDA version."""
    known = ["13.0", "12.9", "12.8", "12.6", "12.0"]
    return MachineProfile(
        properties={"nvidia": {"cuda_version_lower_bound": known[known.index(version) :]}},
        feature_order={"nvidia": ["cuda_version_lower_bound"]},
    )


def cpu_machine() -> MachineProfile:
    """Return the profile of a machine without a GPU."""
    return MachineProfile(properties={}, feature_order={})


def write_release(folder: Path, version: str = "2.0", labels: Iterable[str] = LABELS) -> list[Path]:
    """Write a plain wheel and one for each label; return their paths, the plain one first."""
    paths = [make_wheel(folder, f"{NAME}-{version}-py3-none-any.whl")]
    for label in labels:
        own = {**DOCUMENT, "variants": {label: LABELS[label]}}
        paths.append(make_wheel(folder, f"{NAME}-{version}-py3-none-any-{label}.whl", variant_json=own))
    return paths


def write_sidecar(folder: Path, data: bytes | None = None, version: str = "2.0") -> Path:
    """Write the release's variants document."""
    path = folder / f"{NAME}-{version}-variants.json"
    path.write_bytes(json.dumps(DOCUMENT).encode() if data is None else data)
    return path


def add_family(index: FakeIndex, folder: Path) -> list[ProjectFile]:
    """Serve release 1.0 (plain only) and release 2.0 (plain and variants); return the entries."""
    files = [index.add_file(make_wheel(folder, f"{NAME}-1.0-py3-none-any.whl"))]
    files += [index.add_file(path) for path in write_release(folder)]
    files.append(index.add_file(write_sidecar(folder)))
    index.add_project(NAME, files)
    return files
