"""Provider wheels for tests, a loopback index that has them, and a loader that needs no registry."""

from __future__ import annotations

import hashlib
import http.server
import importlib.metadata
import shutil
import sys
import threading
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.loopback import serving
from tests.making import make_wheel
from variant_index.providers.environment import environment_key, environment_python
from variant_index.providers.loader import loader_pins

GOOD = """\
class Config:
    def __init__(self, name, values):
        self.name, self.values, self.multi_value = name, values, False

class Plugin:
    @classmethod
    def get_all_configs(cls):
        return [Config("speed", ["fast", "slow"]), Config("size", ["big"])]

    @classmethod
    def get_supported_configs(cls):
        return [Config("speed", ["fast", "slow"]), Config("size", ["big"])]
"""


def provider_wheel(
    folder: Path,
    name: str = "acme",
    version: str = "1.2",
    *,
    entry_points: str | None = "acme = acme_plugin:Plugin",
    files: Mapping[str, str] | None = None,
    requires: tuple[str, ...] = (),
) -> str:
    """Write a provider's wheel and return what to trust: pin and hash."""
    payload = {path: text.encode() for path, text in (files or {"acme_plugin.py": GOOD}).items()}
    if entry_points is not None:
        text = f"[variant_plugins]\n{entry_points}\n"
        payload[f"{name}-{version}.dist-info/entry_points.txt"] = text.encode()
    wheel = make_wheel(folder, f"{name}-{version}-py3-none-any.whl", files=payload, requires_dist=requires)
    return f"{name}=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}"


def make_loader(root: Path) -> None:
    """Put the loader's environment where `trust` would install it, from the packages that tests have."""
    key = environment_key(loader_pins(), dependencies=False)
    folder = environment_python(root, key).parent.parent
    venv.EnvBuilder(symlinks=True).create(folder)
    site = next(folder.glob("lib/python*/site-packages"))
    for name in ("variantlib", "packaging", *(["typing_extensions"] if sys.version_info < (3, 11) else [])):
        for file in importlib.metadata.files(name) or ():
            if file.suffix == ".py":
                target = site / str(file)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file.locate(), target)


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, _Server)
        self.server.asked.append(self.path)
        if self.server.hangs.is_set():
            self.server.released.wait(300)
        parts = self.path.strip("/").split("/")
        file = self.server.folder / parts[-1]
        if parts[0] == "files" and file.is_file():
            return self._send(file.read_bytes(), "application/octet-stream")
        names = [one.name for one in self.server.folder.iterdir() if one.name.startswith(f"{parts[-1]}-")]
        if not names:
            return self.send_error(404)
        links = "".join(f'<a href="/files/{name}">{name}</a>' for name in names)
        return self._send(f"<!DOCTYPE html><html><body>{links}</body></html>".encode(), "text/html")

    def _send(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass

    def log_error(self, *args: object) -> None:
        pass


class _Server(http.server.ThreadingHTTPServer):
    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.asked: list[str] = []
        self.hangs = threading.Event()
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/simple/"

    @property
    def variables(self) -> dict[str, str]:
        """What tells pip that this is its only source."""
        return {"PIP_INDEX_URL": self.url, "PIP_NO_CACHE_DIR": "1", "PIP_RETRIES": "0"}


Index = _Server


@contextmanager
def serve(folder: Path) -> Iterator[Index]:
    """Serve a folder of wheels as an index on loopback."""
    folder.mkdir(exist_ok=True)
    with serving(_Server(folder)) as server:
        try:
            yield server
        finally:
            server.released.set()
