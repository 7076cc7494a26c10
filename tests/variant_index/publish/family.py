"""A small family of wheels that most tests of this room publish."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.making import document, make_wheel

__all__ = ["CU128", "CU130", "NULL", "flatten", "make_family", "make_variant", "published_file"]

CU128 = {"nvidia": {"cuda_version_lower_bound": ["12.8"]}}
CU130 = {"nvidia": {"cuda_version_lower_bound": ["13.0"]}}
NULL: dict[str, dict[str, list[str]]] = {}


def make_variant(
    folder: Path,
    filename: str,
    properties: Mapping[str, Mapping[str, Sequence[str]]],
    namespaces: Sequence[str] = ("nvidia", "amd"),
) -> Path:
    """Write a variant wheel whose document agrees with its name."""
    label = filename[: -len(".whl")].rpartition("-")[2]
    return make_wheel(folder, filename, variant_json=document({label: properties}, namespaces))


def make_family(folder: Path, name: str = "vdemo", *, default: bool = True) -> Path:
    """Write releases 1.0 (plain) and 2.0 (cu128, cu130, null and, by default, plain); return the folder."""
    make_wheel(folder, f"{name}-1.0-py3-none-any.whl", requires_python=">=3.8")
    if default:
        make_wheel(folder, f"{name}-2.0-py3-none-any.whl", requires_python=">=3.8")
    for label, properties in (("cu128", CU128), ("cu130", CU130), ("null", NULL)):
        make_variant(folder, f"{name}-2.0-py3-none-any-{label}.whl", properties)
    return folder


def published_file(out: Path, name: str) -> Path:
    """Return where an index has a file."""
    (place,) = out.glob(f"files/*/*/{name}")
    return place


def flatten(out: Path) -> None:
    """Make of our index one whose files lie beside the pages, as other programs write it."""
    for page in out.glob("simple/*/index.*"):
        text = page.read_text()
        for path in re.findall(r"\.\./\.\./(files/[^\"#]+)", text):
            for name in (path, f"{path}.metadata"):
                if (out / name).exists():
                    (out / name).rename(page.parent / name.rpartition("/")[2])
        page.write_text(re.sub(r"\.\./\.\./files/[^/]+/[0-9a-f]{32}/", "", text))
