"""The demonstrated project: one ordinary wheel and the variants made from it.

The properties have the shape of torch 2.10's published ones: a CUDA lower bound, a list of compiled
compute capabilities, and for AMD one ROCm version with its architectures.
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from pathlib import Path

from variant_index.model.properties import Property

__all__ = ["MODULE", "PROJECT", "VARIANTS", "VERSION", "write_plain_wheel"]

PROJECT = "demo-torch"
MODULE = "demo_torch"
VERSION = "2.9.0"


def _cuda(lower_bound: str, capabilities: str) -> tuple[Property, ...]:
    sm = (Property("nvidia", "sm_arch", f"{capability}_real") for capability in capabilities.split())
    return (Property("nvidia", "cuda_version_lower_bound", lower_bound), *sm)


def _rocm(version: str, architectures: str) -> tuple[Property, ...]:
    gfx = (Property("amd", "gfx_arch", architecture) for architecture in architectures.split())
    return (Property("amd", "rocm_version", version), *gfx)


VARIANTS: dict[str, tuple[Property, ...]] = {
    "cu126": _cuda("12.0", "50 60 70 75 80 86 90"),
    "cu128": _cuda("12.8", "70 75 80 86 90 100 120"),
    "cu130": _cuda("13.0", "75 80 86 90 100 120"),
    "rocm63": _rocm("6.3", "gfx90a gfx942 gfx1030 gfx1100"),
    "rocm64": _rocm("6.4", "gfx90a gfx942 gfx1030 gfx1100 gfx1200 gfx1201"),
    "null": (),
}
"""Label -> properties."""


def write_plain_wheel(folder: Path) -> Path:
    """Write the ordinary wheel, as any build backend would, and return its path."""
    dist_info = f"{MODULE}-{VERSION}.dist-info"
    payload = {
        f"{MODULE}/__init__.py": f'"""A stand-in for torch."""\n\n__version__ = "{VERSION}"\n',
        f"{dist_info}/METADATA": f"Metadata-Version: 2.1\nName: {PROJECT}\nVersion: {VERSION}\n",
        f"{dist_info}/WHEEL": "Wheel-Version: 1.0\nGenerator: variant-index demo\n"
        "Root-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{name},sha256={_digest(text.encode())},{len(text.encode())}\n" for name, text in payload.items()
    )
    payload[f"{dist_info}/RECORD"] = f"{record}{dist_info}/RECORD,,\n"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in payload.items():
            archive.writestr(zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0)), text)
    path = folder / f"{MODULE}-{VERSION}-py3-none-any.whl"
    path.write_bytes(buffer.getvalue())
    return path


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
