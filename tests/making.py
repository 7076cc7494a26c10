"""Makes the wheels, documents and machine profiles that tests need, byte for byte repeatable."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from variant_index.model.filename import WheelFilename

NVIDIA_PROVIDER = {
    "requires": ["nvidia-variant-provider>=0.0.1,<1.0.0"],
    "plugin-api": "nvidia_variant_provider.plugin:NvidiaVariantPlugin",
}
AMD_PROVIDER = {
    "requires": ["amd-variant-provider"],
    "plugin-api": "amd_variant_provider.plugin:AMDVariantPlugin",
}


def document(
    variants: Mapping[str, Mapping[str, Mapping[str, Sequence[str]]]],
    namespaces: Sequence[str] = ("nvidia", "amd"),
    providers: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """Return a variants document in the form uv and variantlib read."""
    known: dict[str, object] = {"nvidia": NVIDIA_PROVIDER, "amd": AMD_PROVIDER, **(providers or {})}
    return {
        "$schema": "https://variants-schema.wheelnext.dev/peps/850/v0.2.0.json",
        "default-priorities": {"namespace": list(namespaces)},
        "providers": {namespace: known[namespace] for namespace in namespaces},
        "variants": variants,
    }


def make_wheel(
    folder: Path,
    filename: str,
    *,
    files: Mapping[str, bytes] | None = None,
    variant_json: Mapping[str, object] | bytes | None = None,
    requires_dist: Sequence[str] = (),
    requires_python: str | None = None,
    extras: Sequence[str] = (),
) -> Path:
    """Write an installable wheel; `filename` says name, version, tags and label.

    By default it holds one module, named like the project, whose `__file_name__` is the wheel's name.
    """
    wheel = WheelFilename.parse(filename)
    module = wheel.distribution.lower().replace(".", "_")
    payload = dict(
        files if files is not None else {f"{module}.py": f"__file_name__ = {filename!r}\n".encode()}
    )
    dist_info = f"{wheel.distribution}-{wheel.version}.dist-info"
    metadata = ["Metadata-Version: 2.1", f"Name: {wheel.distribution}", f"Version: {wheel.version}"]
    metadata += [f"Requires-Python: {requires_python}"] if requires_python else []
    metadata += [f"Requires-Dist: {requirement}" for requirement in requires_dist]
    metadata += [f"Provides-Extra: {extra}" for extra in extras]
    tags = [
        f"Tag: {python}-{abi}-{platform}"
        for python in wheel.python.split(".")
        for abi in wheel.abi.split(".")
        for platform in wheel.platform.split(".")
    ]
    root = f"Root-Is-Purelib: {'true' if wheel.platform == 'any' else 'false'}"
    build = [f"Build: {wheel.build}"] if wheel.build else []
    wheel_text = ["Wheel-Version: 1.0", "Generator: tests", root, *build, *tags]
    payload[f"{dist_info}/METADATA"] = ("\n".join(metadata) + "\n\nA test wheel.\n").encode()
    payload[f"{dist_info}/WHEEL"] = ("\n".join(wheel_text) + "\n").encode()
    if variant_json is not None:
        text = variant_json if isinstance(variant_json, bytes) else json.dumps(variant_json).encode()
        payload[f"{dist_info}/variant.json"] = text
    rows = [
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}"
        for name, data in payload.items()
    ]
    payload[f"{dist_info}/RECORD"] = ("\n".join([*rows, f"{dist_info}/RECORD,,"]) + "\n").encode()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / filename
    path.write_bytes(zip_bytes(payload))
    return path


def zip_bytes(entries: Mapping[str, bytes]) -> bytes:
    """Return a zip archive with the entries in order, deflated, with a fixed time stamp."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            entry = zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return buffer.getvalue()
