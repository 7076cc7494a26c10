"""The ROCm release installed on the machine: a hint, for wheels carry their own user space."""

from __future__ import annotations

import os

from torch_variant_provider.facts import Findings
from torch_variant_provider.files import read_text
from torch_variant_provider.versions import parse_version, version_text

__all__ = ["NAME", "read"]

NAME = "ROCm installation"


def read(root: str) -> Findings:
    """Return `installed_rocm` from the first `.info/version` below ROCM_PATH or /opt/rocm."""
    for folder in (os.environ.get("ROCM_PATH", ""), "/opt/rocm"):
        text = read_text(root, f"{folder}/.info/version") if folder.startswith("/") else None
        version = parse_version(text, suffix="-~+") if text is not None else None
        if version is not None:
            return Findings({"installed_rocm": version_text(version)})
    return Findings()
