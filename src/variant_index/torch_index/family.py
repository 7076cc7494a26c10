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

    torchaudio has torch's numbers; torchvision 0.(N+15).p goes with torch 2.N.p.
    """
    if name in (TORCH, "torchaudio", "torch-no-python"):
        return Version(version.public)
    if name == "torchvision" and version.release[0] == 0 and len(version.release) > 1:
        minor = version.release[1] - 15
        if minor >= 0:
            _, dot, rest = version.public.partition(".")[2].partition(".")
            return Version(f"2.{minor}{dot}{rest}")
    return None
