"""Backend folders of PyTorch's index, such as `cu126`, as variants: what their builds need of a machine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, TypeVar

from variant_index.errors import InputError, printable
from variant_index.model.properties import NULL_LABEL, Properties
from variant_index.selection.ordering import rank_labels
from variant_index.torch_index.table import CUDA_AARCH64, CUDA_X86, ROCM, XPU_DEVICES, CudaBuilds, Version

if TYPE_CHECKING:
    from variant_index.model.document import VariantsDocument

__all__ = [
    "CPU",
    "PRIORITY",
    "Backend",
    "BackendError",
    "backend_document",
    "parse_backend",
    "parse_backends",
]
__all__ += ["runnable", "works_with"]

CPU: Final = "cpu"

PRIORITY: Final = "priority"
"""The namespace, last in order, that ranks builds which fit equally."""

# The second part is a flavour of old folders: cpu-cxx11-abi, cpu_pypi_pkg, cu118_full, cu121_pypi_cudnn.
_FOLDER: Final = re.compile(
    r"(?:(cpu|xpu)|cu(\d{1,2})(\d)|rocm(\d{1,2})\.(\d{1,2})(?:\.\d{1,2})?)([-_][a-z0-9_\-]{1,20})?", re.ASCII
)
_OLDEST_CUDA: Final = 11
_T = TypeVar("_T")


class BackendError(InputError):
    """A name is not that of a backend folder."""


@dataclass(frozen=True, slots=True)
class Backend:
    """One backend folder.

    Attributes:
        folder: its name.
        kind: which hardware its builds use.
        version: that of CUDA or ROCm; (0, 0) for the others.
    """

    folder: str
    kind: Literal["cuda", "rocm", "xpu", "cpu"]
    version: Version = (0, 0)

    @property
    def label(self) -> str:
        """The variant label: the folder's name, and `null` for `cpu`, which every machine can run."""
        return NULL_LABEL if self.folder == CPU else self.folder.replace("-", "_")

    def properties(self, torch: Version | None, *, aarch64: bool) -> dict[str, dict[str, tuple[str, ...]]]:
        """Return what its builds need, for a torch release (None for the newest) and a CPU architecture.

        The lower bound of CUDA is the first release of its major version: all minor versions of a driver's
        major version run it, and that is how torch's own variants documents say it.
        """
        if self.kind == "cuda":
            builds = _cuda_builds(self.version, torch, aarch64=aarch64)
            real = tuple(f"{number}_real" for number in builds.real)
            return {
                "nvidia": {
                    "cuda_version_lower_bound": (f"{self.version[0]}.0",),
                    "sm_arch": (*real, *(f"{number}_virtual" for number in builds.virtual)),
                }
            }
        if self.kind == "rocm":
            major, minor = self.version
            return {
                "amd": {"gfx_arch": _at_or_below(ROCM, self.version), "rocm_version": (f"{major}.{minor}",)}
            }
        return {"intel": {"device_ip": XPU_DEVICES}} if self.kind == "xpu" else {}


@lru_cache(maxsize=1024)
def parse_backend(folder: str) -> Backend | None:
    """Read a folder's name, None when it is not a backend's; CUDA before 11 is none that anything names."""
    match = _FOLDER.fullmatch(folder)
    if match is None:
        return None
    plain, cuda_major, cuda_minor, rocm_major, rocm_minor, _ = match.groups()
    if plain == "xpu":
        return Backend(folder, "xpu")
    if plain is not None:
        return Backend(folder, "cpu")
    if cuda_major is not None:
        return Backend(folder, "cuda", (int(cuda_major), int(cuda_minor)))
    return Backend(folder, "rocm", (int(rocm_major), int(rocm_minor)))


def backend_document(
    backends: Iterable[Backend], torch: Version | None = None, *, aarch64: bool = False
) -> VariantsDocument:
    """Return the variants document that torch would publish for a release with these backends.

    As in torch's own, `priority` comes last and decides among builds that fit equally: newest toolkit first.

    Args:
        backends: any; their order does not matter.
        torch: the torch release they belong to, None for the newest.
        aarch64: whether the wheels are for Linux on aarch64.
    """
    return _document(tuple(sorted(set(backends), key=_newest_first)), torch, aarch64)


def runnable(backends: Iterable[Backend], supported: Properties) -> frozenset[str]:
    """Return the folders whose builds of some torch release this machine can run.

    Args:
        backends: any.
        supported: what the machine supports, as `priorities` takes it.
    """
    known = tuple(sorted(set(backends), key=_newest_first))
    labels = {
        label
        for torch in (None, (2, 8), (0, 0))
        for aarch64 in (False, True)
        for label in rank_labels(_document(known, torch, aarch64), supported)
    }
    return frozenset(backend.folder for backend in known if backend.label in labels)


def works_with(backend: Backend, other: Backend) -> bool:
    """Tell whether builds of two backends can be loaded together: one toolkit up to its minor version."""
    return backend.kind == other.kind and backend.version[0] == other.version[0]


@lru_cache(maxsize=256)
def _document(backends: tuple[Backend, ...], torch: Version | None, aarch64: bool) -> VariantsDocument:
    # Imported here: the models take 0.1 s to build, and most runs ask for no torch.
    from variant_index.model.document import SCHEMA_URL, VariantsDocument

    variants: dict[str, dict[str, Mapping[str, tuple[str, ...]]]] = {}
    ranked = [backend for backend in backends if backend.folder != CPU and _is_known(backend)]
    for backend in ranked:
        variants[backend.label] = {
            **backend.properties(torch, aarch64=aarch64),
            PRIORITY: {"order": (backend.label,)},
        }
    variants[NULL_LABEL] = {}
    return VariantsDocument.model_validate(
        {
            "$schema": SCHEMA_URL,
            "default-priorities": {"namespace": ["nvidia", "amd", "intel", PRIORITY]},
            "providers": {
                "nvidia": {"requires": ["nvidia-variant-provider>=0.0.1,<1.0.0"]},
                "amd": {"requires": ["amd-variant-provider"]},
                "intel": {"requires": ["intel-variant-provider"]},
                PRIORITY: {
                    "static-properties": {"order": tuple(backend.label for backend in ranked) or ("none",)}
                },
            },
            "variants": variants,
        }
    )


def _is_known(backend: Backend) -> bool:
    return backend.kind != "cuda" or backend.version[0] >= _OLDEST_CUDA


def _newest_first(backend: Backend) -> tuple[int, int, int, str]:
    major, minor = backend.version
    return ("cuda", "rocm", "xpu", "cpu").index(backend.kind), -major, -minor, backend.folder


def _cuda_builds(cuda: Version, torch: Version | None, *, aarch64: bool) -> CudaBuilds:
    rows = _at_or_below(CUDA_AARCH64 if aarch64 else CUDA_X86, cuda)
    return rows[0] if torch is None else next(row for row in rows if row.since <= torch)


def _at_or_below(table: Mapping[Version, _T], version: Version) -> _T:
    known = [row for row in table if row <= version]
    return table[max(known) if known else min(table)]


def parse_backends(text: str) -> tuple[Backend, ...]:
    """Read a list of folders, separated by commas or blanks.

    Raises:
        BackendError: a name is not a backend's.
    """
    found = []
    for name in text.replace(",", " ").split():
        if (backend := parse_backend(name)) is None:
            raise BackendError(
                f"{printable(name)!r} is not a backend of PyTorch's index such as cu126, rocm6.4, xpu or cpu"
            )
        found.append(backend)
    return tuple(found)
