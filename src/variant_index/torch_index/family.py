"""The projects that come from PyTorch's index and from nowhere else.

One source a name: PyTorch's index also carries numpy, requests and many more, and asking it for those is how
one project's name gets another's code. `nvidia-*` comes from the user's index as well.
"""

from __future__ import annotations

import re
from typing import Final

from packaging.version import Version

__all__ = ["FAMILY", "TORCH", "is_backend_free", "torch_release"]

TORCH: Final = "torch"

FAMILY: Final = frozenset(
    {
        *(TORCH, "torchvision", "torchaudio", "torchao", "torcharrow", "torchcodec", "torchcsprng"),
        *("torchdistx", "torchrec", "torchtext", "torchtune", "torch-tensorrt", "torch-no-python"),
        *("triton", "triton-rocm", "triton-xpu"),
        *("pytorch-triton", "pytorch-triton-rocm", "pytorch-triton-xpu"),
        *("fbgemm-gpu", "fbgemm-gpu-genai", "xformers"),
    }
)
"""Normal names (PEP 503): those that PyTorch builds or hosts and that exist once per backend or only there.

Not here although PyTorch lists them: torchdata, torchmetrics, torchserve and others that PyPI has whole.
"""

_TRITON: Final = re.compile(r"(?:pytorch-)?triton(?:-rocm|-xpu)?", re.ASCII)


def is_backend_free(name: str) -> bool:
    """Tell whether a project's builds do not differ by backend: the triton packages name theirs, if any."""
    return _TRITON.fullmatch(name) is not None


def torch_release(name: str, version: Version) -> Version | None:
    """Return the torch release that a release belongs to, None where the version does not tell.

    torchaudio has torch's numbers, and torchvision 0.(N+15).p goes with torch 2.N.p. Before torch 2 those
    were torchaudio 0.N.p and torchvision 0.(N+1).p for torch 1.N.p.
    """
    if name in (TORCH, "torch-no-python"):
        return Version(version.public)
    if len(version.release) < 2:
        return None
    major, minor = version.release[:2]
    if name == "torchaudio":
        return Version(version.public) if major else _torch_1(minor, version)
    if name == "torchvision" and not major:
        if version.release == (0, 15, 1):  # there is no 0.15.0
            return Version("2.0.0")
        _, dot, rest = version.public.partition(".")[2].partition(".")
        return Version(f"2.{minor - 15}{dot}{rest}") if minor >= 15 else _torch_1(minor - 1, version)
    return None


def _torch_1(minor: int, version: Version) -> Version | None:
    # Older ones, and patch numbers that ran ahead of torch's, are not worth a table.
    return Version(f"1.{minor}.{version.micro}") if 7 <= minor <= 13 else None
