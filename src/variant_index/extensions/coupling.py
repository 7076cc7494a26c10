"""What a wheel's local version or folder says of the torch it was built for; pure.

As published by torch_packages_builder (`+pt2.9.0cu130`), PyG (`+pt212cu130`, folders `torch-2.12.0+cu130`),
flash-attn (`+cu12torch2.9cxx11abiTRUE`), natten (`+torch260cu126`), k2 (`+cuda12.4.torch2.6.0`), mmcv and
detectron2 (folders `cu113/torch1.10`), kaolin (`torch-2.8.0_cu128`), pytorch3d (`py310_cu121_pyt241`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

__all__ = ["Coupling", "Kind", "read_coupling", "read_toolkit"]

Kind = Literal["cuda", "rocm", "xpu", "cpu"]

_NUMBERS: Final = r"[0-9]{1,6}(?:\.[0-9]{1,6}){0,3}"
_TOOLKIT: Final = re.compile(rf"(?:(cu|rocm)(?:da)?({_NUMBERS})|(cpu|xpu))", re.ASCII)
# A commit may stand before it, as in 0.6+fd27788pt2.9.0cu130; its digits are no part of these letters.
_TORCH: Final = re.compile(rf"(?<![a-z])[0-9a-f]{{0,40}}(torch|pyt|pt)({_NUMBERS})", re.ASCII)
_ABI: Final = re.compile(r"cxx11abi(true|false)", re.ASCII)
_FOLDER_TORCH: Final = re.compile(rf"(torch|pyt)-?({_NUMBERS})(?:\+([a-z0-9.]{{1,20}}))?", re.ASCII)
_MAX_LOCAL: Final = 100


@dataclass(frozen=True, slots=True)
class Coupling:
    """The torch that a wheel was built for; what it does not say is None.

    Attributes:
        torch: the version, as many numbers as are given.
        kind: the hardware.
        toolkit: the version of CUDA or ROCm: major, and minor where it is given.
        cxx11_abi: whether for the newer C++ ABI of GCC 5.
    """

    torch: tuple[int, ...]
    kind: Kind | None = None
    toolkit: tuple[int, ...] = ()
    cxx11_abi: bool | None = None

    def __str__(self) -> str:
        version = ".".join(map(str, self.torch))
        return f"torch {version}" + (f" {self.backend}" if self.kind is not None else "")

    @property
    def backend(self) -> str:
        """The hardware as PyTorch's folders are called: `cu128`, `cu12`, `rocm6.4`, `cpu`; `""` for none."""
        if self.kind == "cuda":
            return "cu" + "".join(map(str, self.toolkit))
        if self.kind == "rocm":
            return "rocm" + ".".join(map(str, self.toolkit))
        return self.kind or ""


def read_coupling(version: str, url: str) -> Coupling | None:
    """Return what a wheel was built for, None when neither its version nor its address names a torch.

    Args:
        version: the version in the wheel's name, as spelled there.
        url: the wheel's address; the last folders count, and more than the version where both speak.
    """
    local = version.partition("+")[2].lower().replace("_", ".").replace("-", ".")[:_MAX_LOCAL]
    torch = _TORCH.search(local)
    kind, toolkit = read_toolkit(local)
    # The two letters alone could mean something else.
    certain = torch is not None and (torch[1] != "pt" or kind is not None)
    release = _release(torch[1], torch[2]) if torch is not None and certain else None
    for part in _folder_parts(url):
        named = _FOLDER_TORCH.fullmatch(part)
        if named is not None:
            release = _release(named[1], named[2])
        found = read_toolkit((named[3] or "") if named is not None else part, whole=True)
        if found[0] is not None:
            kind, toolkit = found
    if release is None:
        return None
    abi = _ABI.search(local)
    return Coupling(release, kind, toolkit, None if abi is None else abi[1] == "true")


def _folder_parts(url: str) -> Iterator[str]:
    for folder in unquote(urlsplit(url).path).lower().split("/")[-4:-1]:
        yield from folder[:_MAX_LOCAL].split("_")


def read_toolkit(text: str, *, whole: bool = False) -> tuple[Kind | None, tuple[int, ...]]:
    """Return hardware and toolkit version that a text names: `cu128` is CUDA 12.8, `cu12` CUDA 12.

    Args:
        text: a local version or a folder's name.
        whole: whether nothing else may stand in it.
    """
    match = _TOOLKIT.fullmatch(text) if whole else _TOOLKIT.search(text)
    if match is None:
        return None, ()
    prefix, numbers, plain = match.groups()
    if plain is not None:
        return ("cpu" if plain == "cpu" else "xpu"), ()
    if prefix == "cu":
        if "." in numbers:
            return "cuda", _split(numbers)[:2]
        major = 1 if len(numbers) == 1 or (len(numbers) == 2 and numbers[0] != "1") else 2
        return "cuda", tuple(map(int, filter(None, (numbers[:major], numbers[major:]))))
    if "." in numbers:
        return "rocm", _split(numbers)[:2]
    return "rocm", tuple(map(int, filter(None, (numbers[:1], numbers[1:]))))


def _release(word: str, numbers: str) -> tuple[int, ...]:
    """Read a version, with dots or without.

    Without, `pt` stands before major and minor number (212 is 2.12, 20 is 2.0), the longer words before a
    whole version (241 is 2.4.1, 2100 is 2.10.0); after a 0 comes the patch number in any case (201 is 2.0.1).
    """
    if "." in numbers or len(numbers) < 3:
        return _split(numbers if "." in numbers else ".".join(numbers))
    major, rest = numbers[0], numbers[1:]
    if word != "pt" or rest[0] == "0" or len(rest) > 2:
        return (int(major), int(rest[:-1]), int(rest[-1]))
    return (int(major), int(rest))


def _split(numbers: str) -> tuple[int, ...]:
    return tuple(map(int, numbers.split(".")))
