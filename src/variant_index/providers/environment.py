"""Isolated environments for providers: built beside, put in place by one rename, never on our own path."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from variant_index.errors import printable
from variant_index.providers.child import run_within
from variant_index.providers.failure import ProviderError, ProviderInstallError
from variant_index.providers.pins import Pin, pins_text

__all__ = ["INSTALL_SECONDS", "environment_key", "environment_python", "install", "remove_environments"]

INSTALL_SECONDS: Final = 600.0
"""How long pip may take for one environment."""

_ENVIRONMENTS: Final = "environments"
_UNFINISHED: Final = ".new-"
_MAX_OUTPUT: Final = 1 << 20
_OTHER_BYTES: Final = "DO NOT MATCH THE HASHES"


def environment_key(pins: Sequence[Pin], *, dependencies: bool) -> str:
    """Return the name of the environment for pins and the Python that runs this."""
    made_for = [pins_text(pins), dependencies, sys.implementation.cache_tag, sys.base_prefix]
    return hashlib.sha256(json.dumps(made_for).encode()).hexdigest()[:32]


def environment_python(root: Path, key: str) -> Path:
    """Return the interpreter of an environment, which may not exist."""
    folder = root / _ENVIRONMENTS / key
    return folder / "Scripts" / "python.exe" if os.name == "nt" else folder / "bin" / "python"


def install(
    root: Path,
    pins: Sequence[Pin],
    pip_variables: Mapping[str, str],
    *,
    dependencies: bool = True,
    timeout: float = INSTALL_SECONDS,
) -> str:
    """Install pins into an environment of their own and return its key; the same pins have one environment.

    Only wheels are taken and nothing of them is run. The caller must hold the lock of `root`.

    Args:
        root: the folder of all providers.
        pins: what to install. With `dependencies` they must be complete, which pip checks.
        pip_variables: `PIP_*` variables that tell pip its sources; it reads no other configuration.
        dependencies: whether what the pins need must be among them.
        timeout: seconds that pip may take.

    Raises:
        ProviderError: the bytes have other hashes, or pip or a dependency's pin is missing.
        ProviderInstallError: the sources do not have it or cannot be reached.
        OSError: the environment cannot be written.
    """
    key = environment_key(pins, dependencies=dependencies)
    folder = root / _ENVIRONMENTS
    if environment_python(root, key).exists():
        return key
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in folder.glob(f"{_UNFINISHED}*"):  # by a process that was killed: we hold the lock
        shutil.rmtree(left, ignore_errors=True)
    shutil.rmtree(folder / key, ignore_errors=True)  # its Python is gone
    made = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=folder))
    try:
        _make_environment(made)
        requirements = made / "requirements.txt"
        requirements.write_text(pins_text(pins), encoding="utf-8")
        command = _pip_command(environment_python(folder.parent, f"{made.name}"))
        command += ["install", "--no-input", "--disable-pip-version-check", "--no-warn-script-location"]
        command += ["--quiet", "--ignore-installed", "--require-hashes", "--only-binary", ":all:"]
        command += [] if dependencies else ["--no-deps"]
        _run_pip([*command, "-r", str(requirements)], made, pip_variables, pins, timeout)
        made.rename(folder / key)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return key


def remove_environments(root: Path, kept: Sequence[str]) -> None:
    """Remove every environment but some; the caller must hold the lock of `root`."""
    with suppress(FileNotFoundError):
        for folder in (root / _ENVIRONMENTS).iterdir():
            if folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)


def _make_environment(folder: Path) -> None:
    import venv

    try:
        venv.EnvBuilder(symlinks=os.name != "nt").create(folder)
    except (subprocess.CalledProcessError, ValueError) as error:
        raise ProviderError(f"no environment can be made with {sys.executable}: {error}") from None
    folder.chmod(0o700)


def _pip_command(python: Path) -> list[str]:
    """Return the command of a pip that runs in an environment without one: ours, or Python's own."""
    spec = importlib.util.find_spec("pip")
    if spec is not None and spec.origin is not None:
        folder = Path(spec.origin).parent
        runner = folder / "__pip-runner__.py"  # since pip 22.2; keeps its neighbours off the path
        return [str(python), "-I", str(runner if runner.is_file() else folder)]
    try:
        import ensurepip

        wheel = next(Path(ensurepip.__file__).parent.glob("_bundled/pip-*.whl"))
    except (ImportError, StopIteration):
        raise ProviderError(
            f"providers are installed with pip, which {printable(sys.executable)} lacks: install it there"
        ) from None
    return [str(python), "-I", str(wheel / "pip")]


def _run_pip(
    command: Sequence[str], folder: Path, variables: Mapping[str, str], pins: Sequence[Pin], timeout: float
) -> None:
    environment = {
        name: value for name, value in os.environ.items() if not name.upper().startswith(("PIP_", "PYTHON"))
    }
    environment |= {**variables, "PIP_CONFIG_FILE": os.devnull}
    what = str(pins[0]) if len(pins) == 1 else f"{pins[0]} and {len(pins) - 1} more"
    status, output, _ = run_within(
        timeout, command, folder=folder, variables=environment, limit=_MAX_OUTPUT, together=True
    )
    if status is None:
        raise ProviderInstallError(f"{what}: pip did not install it in {timeout:g} s")
    if status == 0:
        return
    text = output.decode("utf-8", "replace")
    if _OTHER_BYTES in text:
        raise ProviderError(
            f"{what}: its sources have other bytes than those you trust (another hash); nothing is installed"
        )
    errors = [line.removeprefix("ERROR: ") for line in text.splitlines() if line.startswith("ERROR: ")]
    if errors[-1:] == ["Exception:"]:  # pip's own failure, whose traceback ends with the reason
        errors.append(text.strip().rpartition("\n")[2])
    said = printable(errors[-1] if errors else f"pip ended with status {status}", 300)
    if any("--require-hashes" in line for line in errors):
        raise ProviderError(
            f"{what}: it needs more than is pinned; list all of it in a file and give -r FILE: {said}"
        )
    raise ProviderInstallError(f"{what} cannot be installed from your sources: {said}")
