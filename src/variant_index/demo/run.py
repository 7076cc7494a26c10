"""Runs the demonstration: publish the family, serve it, install it as every machine with real pip."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import venv
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from variant_index.demo.family import MODULE, PROJECT, VARIANTS, write_plain_wheel
from variant_index.demo.machines import MACHINES, Machine
from variant_index.errors import VariantIndexError, printable
from variant_index.model.properties import Property
from variant_index.model.settings import VariantSettings
from variant_index.publish.build import build_index
from variant_index.publish.serve import IndexServer
from variant_index.wheel.relabel import label_wheel

__all__ = ["DemoError", "Outcome", "run_demo"]

_TIMEOUT_SECONDS = 120

_UPLOADED = "2026-01-01T00:00:00Z"

_LABEL_OF_INSTALLED = f"""\
import importlib.metadata, json
files = importlib.metadata.files({PROJECT!r})
documents = [file for file in files if file.name == "variant.json"]
print(next(iter(json.loads(documents[0].read_text())["variants"])) if documents else "")
"""


class DemoError(VariantIndexError):
    """A step of the demonstration failed; the message ends with what it printed last."""

    exit_code = 1


@dataclass(frozen=True)
class Outcome:
    """What one machine got.

    Attributes:
        machine: its name.
        expected: the label that fits it best.
        label: the label that `variant-pip` installed, read from the environment; `""` for the plain wheel.
        plain: what plain pip installed there.
        reason: why, as `variant-pip` said.
    """

    machine: str
    expected: str
    label: str
    plain: str
    reason: str


def run_demo() -> list[Outcome]:
    """Install the family as every machine, in a temporary folder that is gone afterwards.

    Raises:
        DemoError: an environment could not be made or pip failed.
    """
    with tempfile.TemporaryDirectory(prefix="variant-index-demo-") as name:
        folder = Path(name)
        _publish(folder)
        with _served(folder / "site") as index_url, ThreadPoolExecutor(os.cpu_count()) as pool:
            environment = folder / "pip"
            # The one environment with a pip of its own; the others are installed into from there.
            venv.create(environment, with_pip=True)
            plain = _install_plainly(environment, folder / "plain", index_url)
            jobs = [
                pool.submit(_install, environment, folder / f"machine-{number}", index_url, machine, plain)
                for number, machine in enumerate(MACHINES)
            ]
            return [job.result() for job in jobs]


def _publish(folder: Path) -> None:
    ordinary = write_plain_wheel(folder)
    wheels = folder / "wheels"
    wheels.mkdir()
    for label, properties in VARIANTS.items():
        _label(ordinary, label, properties, wheels)
    build_index([ordinary, wheels], folder / "site", now=_UPLOADED)


def _label(wheel: Path, label: str, properties: tuple[Property, ...], out: Path) -> None:
    label_wheel(wheel, properties, label=label, settings=VariantSettings.default(), out=out)


@contextmanager
def _served(site: Path) -> Iterator[str]:
    with IndexServer(site, 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.url
        finally:
            server.shutdown()
            thread.join()


def _install(environment: Path, target: Path, index_url: str, machine: Machine, plain: str) -> Outcome:
    venv.create(target)
    variant_pip = [sys.executable, "-m", "variant_index.cli.variant_pip"]
    said = _pip(variant_pip, environment, target, index_url, machine.forced)
    line = next((line for line in said.splitlines() if line.startswith("variant-pip: ")), "")
    return Outcome(machine.name, machine.expected, _installed_label(target), plain, line.partition(" — ")[2])


def _install_plainly(environment: Path, target: Path, index_url: str) -> str:
    venv.create(target)
    _pip([str(_python(environment)), "-m", "pip"], environment, target, index_url, {})
    return _installed_label(target)


def _pip(
    command: list[str], environment: Path, target: Path, index_url: str, forced: Mapping[str, str]
) -> str:
    """Install the project into `target` and return what was said on stderr."""
    arguments = ["--python", str(_python(target)), "install", "--index-url", index_url, PROJECT]
    own = ("PIP_", "VARIANT_INDEX_")
    variables = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    variables |= {
        **forced,
        "VIRTUAL_ENV": str(environment),
        "PIP_CONFIG_FILE": os.devnull,
        "VARIANT_INDEX_CONFIG": "off",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_CACHE_DIR": "1",
    }
    return _run([*command, *arguments], variables).stderr


def _installed_label(target: Path) -> str:
    found = _run([str(_python(target)), "-c", _LABEL_OF_INSTALLED], os.environ)
    _run([str(_python(target)), "-c", f"import {MODULE}"], os.environ)
    return found.stdout.strip()


def _run(command: list[str], variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    try:
        done = subprocess.run(
            command, env=variables, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise DemoError(f"{Path(command[0]).name} did not end in {_TIMEOUT_SECONDS} s") from None
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip()).rpartition("\n")[2]
        raise DemoError(f"{' '.join(command[1:4])} ended with status {done.returncode}: {printable(last)}")
    return done


def _python(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
