"""Finding driver libraries: a look that costs nothing first, the system's loader second."""

from __future__ import annotations

import os
import sys

from torch_variant_provider.files import below, exists

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ctypes

__all__ = ["in_sight", "load", "paths"]

# Where drivers live when the loader does not know them: WSL2, the distributions, Jetson, NixOS, GKE and COS.
_FOLDERS = (
    "/usr/lib/wsl/lib",
    "/usr/lib64",
    "/usr/lib64/nvidia",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu/nvidia",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu/nvidia",
    "/usr/lib/aarch64-linux-gnu/tegra",
    "/run/opengl-driver/lib",
    "/usr/local/nvidia/lib64",
)
_LOADER_FOLDERS = ("/lib", "/usr/lib", "/lib64", "/usr/local/lib")


def paths(soname: str, root: str) -> list[str]:
    """Return the absolute paths where a library may be although the loader does not find it.

    On Windows these are the only places: a bare name would let another folder plant a library.
    """
    if sys.platform == "win32":
        system = os.environ.get("WINDIR", "C:\\Windows")
        programs = os.environ.get("ProgramW6432", "C:\\Program Files")  # noqa: SIM112 - Windows spells it so
        return [f"{system}\\System32\\{soname}", f"{programs}\\NVIDIA Corporation\\NVSMI\\{soname}"]
    return [f"{below(root, folder)}/{soname}" for folder in _FOLDERS]


def in_sight(soname: str, root: str, signs: tuple[str, ...] = ()) -> bool:
    """Whether asking the loader for a library can succeed; reads names only, loads nothing.

    Looks at the known folders, the kernel's signs of the driver, and the loader's path and cache. With
    a library in some other place and no sign from the kernel there is no driver that could answer.

    Args:
        soname: the library's file name.
        root: prefix of every file that is looked for.
        signs: files that the driver's kernel part makes.
    """
    if any(os.path.exists(path) for path in paths(soname, root)):  # noqa: PTH110 - pathlib is slow to import
        return True
    if sys.platform == "win32":
        return False
    if any(exists(root, sign) for sign in signs):
        return True
    if soname in os.environ.get("LD_PRELOAD", ""):
        return True
    searched = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    folders = (
        *(folder for folder in searched if folder),
        *(below(root, folder) for folder in _LOADER_FOLDERS),
    )
    if any(os.access(f"{folder}/{soname}", os.F_OK) for folder in folders):
        return True
    try:
        with open(below(root, "/etc/ld.so.cache"), "rb") as cache:  # noqa: PTH123 - pathlib is slow to import
            return soname.encode() in cache.read(16 * 1024 * 1024)
    except OSError:
        return False


def load(soname: str, root: str) -> ctypes.CDLL | None:
    """Load a library; never the unversioned name, which may be a link stub.

    Returns:
        None when there is no such library.

    Raises:
        OSError: there is one, but it cannot be loaded: it is damaged, of another machine type, or lacks
            another library.
    """
    import ctypes

    broken = None
    for path in (*(() if sys.platform == "win32" else (soname,)), *paths(soname, root)):
        if path != soname and not os.path.exists(path):  # noqa: PTH110 - pathlib is slow to import
            continue
        try:
            return ctypes.CDLL(path)
        except OSError as error:
            if not _is_missing(soname, str(error)):
                broken = broken or f"{soname} cannot be loaded: {error}"
    if broken is not None:
        raise OSError(broken)
    return None


def _is_missing(soname: str, message: str) -> bool:
    """Whether the loader found no such library, in the words of glibc or musl; not one that it needs."""
    return "No such file" in message and soname in message and "needed by" not in message
