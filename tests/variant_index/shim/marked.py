"""A project whose wheels have variant markers, on a fake index."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tests.making import document, make_wheel
from tests.variant_index.upstream.fake_index import FakeIndex
from variant_index.simple_api.page import ProjectFile

NAME = "vmark"
LABELS: dict[str, dict[str, dict[str, list[str]]]] = {
    "cu126": {"nvidia": {"cuda_version_lower_bound": ["12.6", "12.7"]}},
    "cu128": {"nvidia": {"cuda_version_lower_bound": ["12.8"]}},
    "null": {},
}
DOCUMENT = document(LABELS, ("nvidia",))
REQUIRES = (
    "plainlib",
    "gpulib; 'nvidia' in variant_namespaces",
    "cu128lib; variant_label == 'cu128' and python_version >= '3'",
    "nolib; 'nvidia :: cuda_version_lower_bound :: 12.7' in variant_properties",
    "defaultlib; variant_label == ''",
    "extralib; extra == 'more' and variant_label != 'null'",
)
UNDECIDABLE = (*REQUIRES, "plainlib; variant_label ~= '1'")
Requires = Sequence[str] | Mapping[str, Sequence[str]]
"""The requirements of all wheels of a release, or those of some labels; the others have `REQUIRES`."""

LIBRARIES = ("plainlib", "gpulib", "cu128lib", "nolib", "defaultlib", "extralib")


def write_marked(
    folder: Path, version: str, requires: Requires = REQUIRES, files: Mapping[str, bytes] | None = None
) -> list[Path]:
    """Write a release: the plain wheel, one for each label, and the document."""
    folder.mkdir(parents=True, exist_ok=True)

    def required(label: str) -> Sequence[str]:
        return requires.get(label, REQUIRES) if isinstance(requires, Mapping) else requires

    wheels = [
        make_wheel(
            folder,
            f"{NAME}-{version}-py3-none-any{'-' if label else ''}{label}.whl",
            files={f"{NAME}.py": f"LABEL = {label!r}\n".encode(), **(files or {})},
            variant_json={**DOCUMENT, "variants": {label: LABELS[label]}} if label else None,
            requires_dist=required(label),
            extras=["more"],
        )
        for label in ("", *LABELS)
    ]
    sidecar = folder / f"{NAME}-{version}-variants.json"
    sidecar.write_text(json.dumps(DOCUMENT))
    return [*wheels, sidecar]


def add_marked(index: FakeIndex, folder: Path, **releases: Requires) -> list[ProjectFile]:
    """Serve releases (`v2_0=REQUIRES`, ...) of the project and all libraries."""
    files = []
    for version, requires in releases.items():
        number = version[1:].replace("_", ".")
        files += [index.add_file(path) for path in write_marked(folder / version, number, requires)]
    index.add_project(NAME, files)
    for library in LIBRARIES:
        wheel = make_wheel(folder, f"{library}-1.0-py3-none-any.whl")
        index.add_project(library, [index.add_file(wheel)])
    return files


def route_of(file: ProjectFile) -> str:
    """Return the path under which a file is served."""
    return unquote(urlsplit(file.url).path)
