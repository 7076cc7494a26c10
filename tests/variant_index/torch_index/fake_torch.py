"""PyTorch's index as it is laid out: a folder a backend, HTML, 403 for what is missing, leaked wheels."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from tests.making import make_wheel
from tests.variant_index.upstream.fake_index import FakeIndex, Route
from variant_index.model.machine import MachineProfile

ANY_TAG = "py3-none-any"


def cuda_machine(cuda: str, capability: str) -> MachineProfile:
    """Return a machine with one NVIDIA GPU: the CUDA version of the driver, and 8.9 for Ada."""
    major, minor = map(int, cuda.split("."))
    bounds = [f"{major}.{number}" for number in range(minor, -1, -1)]
    for older in range(major - 1, 10, -1):
        bounds += [f"{older}.{number}" for number in range(9, -1, -1)]
    sm_major, sm_minor = map(int, capability.split("."))
    real = [f"{sm_major}{number}_real" for number in range(sm_minor, -1, -1)]
    virtual = [f"{number}_virtual" for number in range(sm_major * 10 + sm_minor, 49, -1)]
    return MachineProfile(
        properties={"nvidia": {"cuda_version_lower_bound": bounds, "sm_arch": real + virtual}},
        feature_order={"nvidia": ["cuda_version_lower_bound", "sm_arch"]},
    )


def rocm_machine(gfx: str, *versions: str) -> MachineProfile:
    """Return a machine with an AMD GPU whose driver runs these ROCm versions, newest first."""
    return MachineProfile(
        properties={"amd": {"gfx_arch": [gfx], "rocm_version": list(versions)}},
        feature_order={"amd": ["gfx_arch", "rocm_version"]},
    )


def intel_machine(device_ip: str) -> MachineProfile:
    """Return a machine with an Intel GPU."""
    return MachineProfile(
        properties={"intel": {"device_ip": [device_ip]}}, feature_order={"intel": ["device_ip"]}
    )


def cpu_machine() -> MachineProfile:
    """Return a machine without a GPU."""
    return MachineProfile(properties={}, feature_order={})


class _Storage(dict[str, Route]):
    """Routes that answer 403 for what is not there, as PyTorch's storage does."""

    def get(self, path: str, default: object = None) -> Route:
        return self[path] if path in self else Route(b"AccessDenied", "application/xml", 403)


class FakeTorch:
    """A served index: `add` wheels, then `publish` the pages; a context manager."""

    def __init__(self, folder: Path) -> None:
        self.index = FakeIndex()
        self.index.routes = _Storage()
        self.url = f"{self.index.root}/whl"
        self._folder = folder
        self._anchors: dict[tuple[str, str], list[str]] = {}
        self.digests: dict[str, str] = {}

    def __enter__(self) -> FakeTorch:
        self.index.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.index.__exit__(kind, error, trace)

    def add(
        self,
        place: str,
        filename: str,
        *,
        hashed: bool = True,
        host: str = "",
        requires_dist: Sequence[str] = (),
    ) -> None:
        """Store a wheel in a backend's folder, or at the root (`""`); its module knows where it came from.

        `host` makes the link absolute, as PyTorch does for the storage behind its own name.
        """
        name = filename.partition("-")[0]
        files = {f"{name}.py": f"__file_name__ = {f'{place}/{filename}'!r}\n".encode()}
        path = make_wheel(
            self._folder / (place or "root"), filename, files=files, requires_dist=requires_dist
        )
        data = path.read_bytes()
        address = f"/whl/{place}/{filename}" if place else f"/whl/{filename}"
        self.index.routes[address] = Route(data)
        with zipfile.ZipFile(path) as archive:
            metadata = archive.read(next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA")))
        self.index.routes[f"{address}.metadata"] = Route(metadata)
        digest = hashlib.sha256(data).hexdigest()
        self.digests[f"{place}/{filename}"] = digest
        core = f"sha256={hashlib.sha256(metadata).hexdigest()}"
        fragment = f"#sha256={digest}" if hashed else ""
        anchor = (
            f'    <a href="{host}{quote(address)}{fragment}" data-dist-info-metadata="{core}"'
            f' data-core-metadata="{core}">{filename}</a><br/>'
        )
        self._anchors.setdefault((place, name.lower().replace("_", "-")), []).append(anchor)

    def publish(self, folders: Iterable[str]) -> None:
        """Write the pages of these folders; each lists the wheels of the root as well."""
        names = {name for _, name in self._anchors}
        for folder in folders:
            for name in names:
                anchors = self._anchors.get((folder, name), []) + self._anchors.get(("", name), [])
                if anchors:
                    page = (
                        "<!DOCTYPE html>\n<html>\n  <body>\n"
                        f"    <h1>Links for {name}</h1>\n" + "\n".join(anchors) + "\n"
                        "  </body>\n</html>\n<!--TIMESTAMP 1773532800-->"
                    )
                    self.index.routes[f"/whl/{folder}/{name}/"] = Route(page.encode(), "text/html")
