"""What is installed where an installer will install: names, versions and torch's build, read from files.

Nothing of the environment's packages is imported or run; torch alone takes seconds to import.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from packaging.version import InvalidVersion, Version

from variant_index.extensions.torch_build import TorchBuild, torch_from_files
from variant_index.model.filename import canonical_name

__all__ = ["Environment", "installed_torch", "installed_versions", "package_folders"]

_MAX_FILE_BYTES: Final = 1 << 16
_MAX_ENTRIES: Final = 100_000
_OWN_VERSION: Final = re.compile(
    r"^__version__ *= *['\"]([0-9A-Za-z.+!]{1,60})['\"]", re.ASCII | re.MULTILINE
)
_TIMEOUT_SECONDS: Final = 30
_METADATA_FOLDER: Final = re.compile(r"([A-Za-z0-9._]{1,200})-([A-Za-z0-9._!+]{1,100})\.dist-info", re.ASCII)
_QUESTION: Final = "import json, sys; json.dump([path for path in sys.path if path], sys.stdout)"


class Environment:
    """One environment, read again once packages came or went; safe to share between threads."""

    def __init__(self, python: Callable[[], str]) -> None:
        """Prepare for an interpreter, asked for when needed and run once, to say where its packages are."""
        self._python = python
        self._lock = threading.Lock()
        self._folders: tuple[Path, ...] | None = None
        self._read: tuple[tuple[int, ...], Mapping[str, Version], TorchBuild | None] | None = None

    def versions(self) -> Mapping[str, Version]:
        """Return normal name -> version of what is installed."""
        return self._current()[1]

    def torch(self) -> TorchBuild | None:
        """Return the installed torch, None without one."""
        return self._current()[2]

    def _current(self) -> tuple[tuple[int, ...], Mapping[str, Version], TorchBuild | None]:
        places = self._places()
        changed = tuple(map(_changed, places))
        with self._lock:
            if self._read is None or self._read[0] != changed:
                self._read = changed, installed_versions(places), installed_torch(places)
            return self._read

    def _places(self) -> tuple[Path, ...]:
        with self._lock:
            if self._folders is None:
                self._folders = package_folders(self._python())
            return self._folders


def package_folders(python: str) -> tuple[Path, ...]:
    """Return the folders that an interpreter imports packages from; none when it does not run."""
    if python == sys.executable:
        return _of_packages(sys.path)
    command = [python, "-I", "-c", _QUESTION]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TIMEOUT_SECONDS, check=True
        )
        paths = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return ()
    return _of_packages(path for path in paths if isinstance(path, str))


def _changed(folder: Path) -> int:
    """Return when an entry of a folder came or went, in nanoseconds; 0 without the folder."""
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0


def _of_packages(paths: Iterable[str]) -> tuple[Path, ...]:
    folders = map(Path, paths)
    return tuple(path for path in folders if path.name in ("site-packages", "dist-packages"))


def installed_versions(folders: Iterable[Path]) -> dict[str, Version]:
    """Return normal name -> version, from the names of metadata folders; earlier folders count first."""
    found: dict[str, Version] = {}
    for folder in folders:
        for name, version in _metadata_folders(folder):
            if (parsed := _version(version)) is not None:
                found.setdefault(canonical_name(name), parsed)
    return found


def installed_torch(folders: Iterable[Path]) -> TorchBuild | None:
    """Return the torch in the first folder that has one; conda's has no metadata folder everywhere."""
    for folder in folders:
        text = _text(folder / "torch" / "version.py")
        named = [version for name, version in _metadata_folders(folder) if canonical_name(name) == "torch"]
        own = _OWN_VERSION.search(text)
        if named or own:
            cmake = _text(folder / "torch" / "share" / "cmake" / "Torch" / "TorchConfig.cmake")
            return torch_from_files(named[0] if named else own[1] if own else "", text, cmake)
    return None


def _metadata_folders(folder: Path) -> Iterable[tuple[str, str]]:
    try:
        names = [path.name for _, path in zip(range(_MAX_ENTRIES), folder.iterdir(), strict=False)]
    except OSError:
        return
    for name in sorted(names):
        if match := _METADATA_FOLDER.fullmatch(name):
            yield match[1], match[2]


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def _text(path: Path) -> str:
    try:
        if not path.is_file():  # opening a pipe would wait for its writer
            return ""
        with path.open("rb") as file:
            return file.read(_MAX_FILE_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
