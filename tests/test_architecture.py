"""The shape of the house: who may import whom, and what the pure rooms and the provider may use."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import torch_variant_provider
import variant_index

_SRC = Path(__file__).parents[1] / "src"
_PROVIDER = "torch_variant_provider"

_ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "configuration": {"errors"},
    "model": {"errors"},
    "selection": {"errors", "model"},
    "generations": {"errors", "model"},
    "simple_api": {"errors", "model"},
    "wheel": {"errors", "model"},
    "markers": {"errors", "model", "selection", "wheel"},
    "providers": {"errors", "model"},
    "detection": {"errors", "model", "providers", _PROVIDER},
    "upstream": {"errors", "model", "generations", "simple_api", "wheel"},
    "torch_index": {"errors", "model", "selection", "simple_api", "upstream"},
    "extensions": {"errors", "model"},
    "provenance": {"errors", "model"},
    "publish": {"errors", "markers", "model", "provenance", "simple_api", "wheel"},
    "repack": {"errors", "markers", "model", "torch_index", "wheel", "publish"},
    "check": {"errors", "model", "simple_api", "wheel", "upstream", "publish"},
    "upload": {"errors", "model", "provenance", "publish"},
    "shim": {
        "errors",
        "extensions",
        "generations",
        "markers",
        "model",
        "providers",
        "selection",
        "simple_api",
        "torch_index",
        "upstream",
        "wheel",
    },
    "clients": {"errors", "model", "selection", "shim", "upstream"},
    "demo": {
        "clients",
        "errors",
        "model",
        "simple_api",
        "wheel",
        "detection",
        "upstream",
        "publish",
        "selection",
        "shim",
    },
    "cli": {
        *("errors", "model", "simple_api", "wheel", "detection", "upstream", "publish", "selection", "shim"),
        *("check", "configuration"),
        *("clients", "extensions", "demo", "generations", "provenance", "providers", "repack"),
        *("torch_index", "upload", _PROVIDER),
    },
}
"""Room -> the rooms it may import from; what flows in flows one way."""

_FILES = {
    "schemas.py",  # writes schemas/*.schema.json
    "settings.py",  # reads pyproject.toml or another TOML file
}

_PURE = [
    *(_SRC / "variant_index" / "selection").glob("*.py"),
    *(_SRC / "variant_index" / "generations").glob("*.py"),
    *(_SRC / "variant_index" / "markers").glob("*.py"),
    *(
        _SRC / "variant_index" / "torch_index" / f"{name}.py"
        for name in ("agreement", "backends", "builds", "decide", "family", "release", "table")
    ),
    *(_SRC / "variant_index" / "provenance" / f"{name}.py" for name in ("attestation", "policy")),
    *(
        _SRC / "variant_index" / "providers" / f"{name}.py"
        for name in ("answer", "loader", "pins", "request", "settings", "untrusted")
    ),
    *(_SRC / "variant_index" / "repack" / f"{name}.py" for name in ("metadata", "patterns", "plan", "rules")),
    *(
        path
        for path in (_SRC / "variant_index" / "extensions").glob("*.py")
        if path.name not in ("environment.py", "settings.py")
    ),
    *(path for path in (_SRC / "variant_index" / "model").glob("*.py") if path.name not in _FILES),
    *(_SRC / "variant_index" / "simple_api").glob("*.py"),
    _SRC / "variant_index" / "errors.py",
]
"""Values in, values out: no file, network, process, clock or environment."""

_EDGES = {
    *("asyncio", "concurrent", "ctypes", "fcntl", "ftplib", "getpass", "glob", "http", "io"),
    *("mmap", "multiprocessing", "os", "pathlib", "platform", "platformdirs", "random", "secrets", "select"),
    *("selectors", "shutil", "signal", "smtplib", "socket", "socketserver", "ssl", "subprocess", "tempfile"),
    *("threading", "time", "urllib.error", "urllib.request", "urllib3", "uuid", "webbrowser", "zipfile"),
}


def _imports(path: Path) -> Iterator[str]:
    """Yield the full name of every module a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            assert node.module is not None
            yield node.module
            # `from urllib import request` and `from variant_index import shim` import modules as well.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _room(module: str) -> str | None:
    top, _, rest = module.partition(".")
    if top == _PROVIDER:
        return _PROVIDER
    if top != "variant_index" or not rest or rest == "__version__":
        return None
    return rest.partition(".")[0]


def test_every_room_is_in_the_table() -> None:
    rooms = {path.name.removesuffix(".py") for path in (_SRC / "variant_index").iterdir()}
    assert rooms - {"__init__", "__pycache__", "py.typed"} <= _ALLOWED.keys()


def test_the_table_has_no_circle() -> None:
    seen = {_PROVIDER}
    left = dict(_ALLOWED)
    while left:
        ready = [room for room, needs in left.items() if needs <= seen]
        assert ready, f"these rooms need each other: {sorted(left)}"
        seen.update(ready)
        for room in ready:
            del left[room]


@pytest.mark.parametrize("room", _ALLOWED)
def test_a_room_imports_only_from_its_left(room: str) -> None:
    folder = _SRC / "variant_index" / room
    files = list(folder.rglob("*.py")) or [folder.with_suffix(".py")]
    for path in files:
        found = {other for module in _imports(path) if (other := _room(module)) not in (None, room)}
        assert found <= _ALLOWED[room], path.relative_to(_SRC)


def test_the_provider_imports_nothing_of_the_index() -> None:
    for path in (_SRC / _PROVIDER).rglob("*.py"):
        assert not any(module.startswith("variant_index") for module in _imports(path)), path


@pytest.mark.parametrize("path", _PURE, ids=lambda path: str(path.relative_to(_SRC)))
def test_pure_rooms_touch_nothing_outside(path: Path) -> None:
    for module in _imports(path):
        parts = module.split(".")
        assert not _EDGES & {".".join(parts[: n + 1]) for n in range(len(parts))}, module
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):  # `datetime` reads dates here, it never asks for today's
            assert node.attr not in {"now", "today", "utcnow"}
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"open", "print", "input", "exec", "eval", "__import__"}


def _modules_after(code: str) -> set[str]:
    """Run code in an interpreter without site packages; return the modules that it added."""
    program = (
        f"import sys; sys.path.insert(0, {str(_SRC)!r}); before = set(sys.modules)\n"
        f"{code}\nadded = set(sys.modules) - before\nimport json; print(json.dumps(sorted(added)))"
    )
    environment = {
        "NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION": "12.8",
        "NV_VARIANT_PROVIDER_FORCE_SM_ARCH": "9.0",
        "AMD_VARIANT_PROVIDER_FORCE_ROCM_VERSION": "6.4",
        "AMD_VARIANT_PROVIDER_FORCE_GFX_ARCH": "gfx942",
    }
    command = [sys.executable, "-E", "-s", "-S", "-c", program]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return set(json.loads(answer.stdout))


_SLOW = {
    *(
        "argparse",
        "asyncio",
        "click",
        "collections",
        "contextlib",
        "ctypes",
        "dataclasses",
        "enum",
        "functools",
    ),
    *("importlib.metadata", "inspect", "json", "logging", "packaging", "pathlib", "platform", "pydantic"),
    *("pynvml", "re", "socket", "subprocess", "tempfile", "threading", "typing", "variant_index"),
}


@pytest.mark.parametrize(
    "code",
    [
        "import torch_variant_provider.plugin",
        "from torch_variant_provider.plugin import NvidiaPlugin as P; assert P.get_supported_configs()",
        "from torch_variant_provider.plugin import AmdPlugin as P; assert P.get_supported_configs()",
    ],
)
def test_the_provider_starts_light(code: str) -> None:
    assert _modules_after(code) & _SLOW == set()


def test_both_packages_have_one_version() -> None:
    assert variant_index.__version__ == torch_variant_provider.__version__
