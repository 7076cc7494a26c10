"""The torch that extensions must go with, and how well a build goes with it; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from packaging.version import InvalidVersion, Version

from variant_index.extensions.coupling import Coupling, Kind, read_toolkit

__all__ = ["TorchBuild", "torch_from_files"]

_ASSIGNED: Final = re.compile(
    r"^(cuda|hip|xpu)(?: *: *[A-Za-z\[\], |]{1,60})? *= *(?:'([0-9][0-9.a-z\-]{0,40})'|None)",
    re.ASCII | re.MULTILINE,
)
_ABI: Final = re.compile(r"_GLIBCXX_USE_CXX11_ABI=([01])", re.ASCII)
_OLD_ABI_UNTIL: Final = (2, 5)
_NEW_ABI_FROM: Final = (2, 7)
_NAMES: Final = {"cuda": "CUDA", "rocm": "ROCm", "xpu": "Intel GPUs", "cpu": "CPU only"}


@dataclass(frozen=True, slots=True)
class TorchBuild:
    """A torch, installed or to be installed.

    Attributes:
        version: its version; the local part is not compared.
        kind: the hardware it was built for, None when that is not known.
        toolkit: its version of CUDA or ROCm, major and minor.
        cxx11_abi: whether it has the newer C++ ABI, None when that is not known.
        origin: how we know, for messages: `installed`, `pinned`, ...
    """

    version: Version
    kind: Kind | None = None
    toolkit: tuple[int, ...] = ()
    cxx11_abi: bool | None = None
    origin: str = ""

    @classmethod
    def of(cls, version: Version, origin: str, cxx11_abi: bool | None = None) -> TorchBuild:
        """Return the build that a version such as `2.9.0+cu128` names."""
        kind, toolkit = read_toolkit(version.local or "", whole=True)
        return cls(version, kind, toolkit, _abi(version) if cxx11_abi is None else cxx11_abi, origin)

    def __str__(self) -> str:
        numbers = ".".join(map(str, self.toolkit))
        built = f"{_NAMES[self.kind]} {numbers}".strip() if self.kind is not None else ""
        return f"torch {self.version} ({', '.join(filter(None, (built, self.origin)))})"

    def rank(self, build: Coupling) -> tuple[bool, bool, int] | None:
        """Return how well a build goes with this torch, more is better; None when it does not.

        Builds go with every patch release of a minor version of torch, and with every minor version of a CUDA
        or ROCm major version.
        """
        release = self.version.release
        if build.torch[:2] != release[: len(build.torch[:2])]:
            return None
        major = build.toolkit[:1]
        if build.kind is not None and (build.kind != self.kind or major != self.toolkit[: len(major)]):
            return None
        if None not in (build.cxx11_abi, self.cxx11_abi) and build.cxx11_abi != self.cxx11_abi:
            return None
        same_patch = build.torch == release[: len(build.torch)]
        same_toolkit = build.toolkit == self.toolkit
        apart = abs(build.toolkit[1] - self.toolkit[1]) if len(build.toolkit) == len(self.toolkit) == 2 else 0
        return same_patch, same_toolkit, -apart


def torch_from_files(version: str, version_file: str, cmake_file: str) -> TorchBuild | None:
    """Return the torch that an environment has, from the text of its files; nothing of it is run.

    Args:
        version: from the name of its metadata folder.
        version_file: `torch/version.py`, which names CUDA, HIP and XPU versions; empty when missing.
        cmake_file: `TorchConfig.cmake`, which names the C++ ABI; empty when missing.
    """
    try:
        known = Version(version)
    except InvalidVersion:
        return None
    found = {match[1]: match[2] for match in _ASSIGNED.finditer(version_file)}
    abi = _ABI.search(cmake_file)
    build = TorchBuild.of(known, "installed", None if abi is None else abi[1] == "1")
    kinds: tuple[tuple[str, Kind], ...] = (("cuda", "cuda"), ("hip", "rocm"), ("xpu", "xpu"))
    for name, kind in kinds:
        if numbers := found.get(name):
            toolkit = tuple(int(part) for part in numbers.split("-")[0].split(".")[:2] if part.isdecimal())
            return TorchBuild(known, kind, toolkit if kind != "xpu" else (), build.cxx11_abi, build.origin)
    if build.kind is None and "cuda" in found:
        return TorchBuild(known, "cpu", (), build.cxx11_abi, build.origin)
    return build


def _abi(version: Version) -> bool | None:
    """Return the C++ ABI of PyTorch's own Linux wheels; those of 2.6 had both."""
    minor = version.release[:2]
    return True if minor >= _NEW_ABI_FROM else False if minor <= _OLD_ABI_UNTIL else None
