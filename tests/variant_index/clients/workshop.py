"""Real installers at pinned versions, each in an environment of its own, and a place to run them in."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.making import make_wheel
from tests.variant_index.shim.family import DOCUMENT, LABELS, NAME, add_family
from tests.variant_index.upstream.fake_index import FakeIndex

TOOLS = {
    "pip": ["pip==26.3"],
    "poetry": ["poetry==2.5.1"],
    "pdm": ["pdm[locked]==2.29.3"],
    "pip-tools": ["pip-tools==7.6.2", "pip==26.3"],
    "pipx": ["pipx==1.18.4"],
    "pipx-shared": ["pip==26.3"],
}
UV = [sys.executable, "-m", "uv", "--quiet"]
FORCE = "NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION"
RUN = [sys.executable, "-m", "variant_index.cli", "run"]


def install_tools(folder: Path) -> str | None:
    """Install every tool below a folder; return the reason when the package registry does not have one."""
    for name, requirements in TOOLS.items():
        place = folder / name
        subprocess.run([*UV, "venv", "--python", sys.executable, place], check=True)
        command = [*UV, "pip", "install", "--python", str(place), *requirements]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            return f"no {requirements[0]} from a package registry: {done.stderr.strip()[-200:]}"
    (folder / "bin").mkdir()
    for name in ("pip-tools/bin/pip-compile", "pip-tools/bin/pip-sync", "poetry/bin/poetry", "pdm/bin/pdm"):
        (folder / "bin" / Path(name).name).symlink_to(folder / name)
    (folder / "bin" / "pipx").symlink_to(folder / "pipx" / "bin" / "pipx")
    (folder / "uv-bin").mkdir()
    (folder / "uv-bin" / "uv").symlink_to(Path(sys.executable).with_name("uv"))
    return None


@dataclass
class Workshop:
    """A project folder, a home folder with caches and configuration, and an index.

    Attributes:
        folder: empty at first.
        tools: where `install_tools` put them.
        index: has `vtorch` 1.0 and 2.0 with variants, `app`, a program that needs it, and `split`.
        wanted: the project that is installed or locked.
        last: the last command's output.
    """

    folder: Path
    tools: Path
    index: FakeIndex
    uv_on_path: bool = True
    wanted: str = NAME
    last: str = ""
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True)
        self.project.mkdir()
        add_family(self.index, self.folder / "upstream")
        entry = b"[console_scripts]\napp = app:main\n"
        module = f"import {NAME}\ndef main():\n    print({NAME}.__file_name__)\n".encode()
        files = {"app.py": module, "app-1.0.dist-info/entry_points.txt": entry}
        app = make_wheel(
            self.folder / "upstream", "app-1.0-py3-none-any.whl", files=files, requires_dist=[NAME]
        )
        self.index.add_project("app", [self.index.add_file(app)])
        self._add_split()

    def _add_split(self) -> None:
        """Serve `split`, whose variants have different dependencies."""
        folder = self.folder / "split"
        files = []
        for label in LABELS:
            own = {**DOCUMENT, "variants": {label: LABELS[label]}}
            name = f"split-2.0-py3-none-any-{label}.whl"
            files.append(make_wheel(folder, name, variant_json=own, requires_dist=[f"only-{label}"]))
            only = make_wheel(folder, f"only_{label}-1.0-py3-none-any.whl")
            self.index.add_project(f"only-{label}", [self.index.add_file(only)])
        (folder / "split-2.0-variants.json").write_text(json.dumps(DOCUMENT))
        files.append(folder / "split-2.0-variants.json")
        self.index.add_project("split", [self.index.add_file(path) for path in files])

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def project(self) -> Path:
        return self.folder / "project"

    def write(self, name: str, text: str) -> None:
        """Write a file of the project, or with `~/` one of the home folder."""
        path = self.home / name[2:] if name.startswith("~/") else self.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def make_environment(self, *requirements: str) -> None:
        """Make `.venv` anew in the project."""
        place = self.project / ".venv"
        subprocess.run([*UV, "venv", "--clear", "--python", sys.executable, place], check=True)
        if requirements:
            subprocess.run([*UV, "pip", "install", "--python", place, *requirements], check=True)

    def environment(self, driver: str) -> dict[str, str]:
        """Return the variables of a user without any configuration but that in the home folder."""
        path = [str(self.tools / "bin"), *([str(self.tools / "uv-bin")] if self.uv_on_path else [])]
        return {
            "PATH": os.pathsep.join([*path, "/usr/bin", "/bin"]),
            "HOME": str(self.home),
            "VIRTUAL_ENV": str(self.project / ".venv"),
            "PDM_CHECK_UPDATE": "0",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIPX_HOME": str(self.home / "pipx"),
            "PIPX_BIN_DIR": str(self.home / "bin"),
            "PIPX_SHARED_LIBS": str(self.tools / "pipx-shared"),
            "PIPX_DISABLE_SHARED_LIBS_AUTO_UPGRADE": "1",
            "UV_PYTHON_DOWNLOADS": "never",
            FORCE: driver,
            **self.variables,
        }

    def plain(self, *command: str) -> int:
        """Run a tool as it is."""
        return self._run(list(command), "none")

    def behind(self, *command: str, driver: str = "12.9", options: tuple[str, ...] = ()) -> int:
        """Run a tool behind the shim, as a machine with this driver."""
        return self._run([*RUN, *options, "--", *command], driver)

    def _run(self, command: list[str], driver: str) -> int:
        done = subprocess.run(
            command,
            cwd=self.project,
            env=self.environment(driver),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        self.last = f"$ {' '.join(map(str, command))}\n{done.stdout}(status {done.returncode})\n"
        return done.returncode

    def installed(self, place: str = "project/.venv") -> str:
        """Return the label of the installed variant, `default` for a wheel without, `""` for none."""
        for module in (self.folder / place).glob(f"lib/python*/site-packages/{NAME}.py"):
            text = module.read_text()
            found = re.search(r"py3-none-any-?([a-z0-9]*)\.whl", text)
            assert found, text
            return ("" if "-2.0-" in text else "other release, ") + (found[1] or "default")
        return ""

    def addresses(self) -> set[str]:
        """Return the loopback servers, other than the index, that files of the project or user name.

        What installers write about what they installed counts, caches do not, nor do programs.
        """
        found: set[str] = set()
        own = self.index.root.partition("//")[2]
        caches = {"cache", "Cache", "state", "log", "logs"}
        for path in (*self.project.rglob("*"), *self.home.rglob("*")):
            parts = path.relative_to(self.folder).parts
            program = "site-packages" in parts and not path.parent.name.endswith(".dist-info")
            if program or not caches.isdisjoint(part.lstrip(".") for part in parts) or not path.is_file():
                continue
            hosts = set(re.findall(r"127\.0\.0\.1:\d+", path.read_bytes().decode(errors="replace"))) - {own}
            found |= {f"{host} in {path.relative_to(self.folder)}" for host in hosts}
        return found

    def break_wheel(self, label: str = "cu128") -> None:
        """Let the index send other bytes than those it lists."""
        name = f"{NAME}-2.0-py3-none-any-{label}.whl"
        other = make_wheel(self.folder / "other", name, files={f"{NAME}.py": b"evil = True\n"})
        self.index.routes[f"/files/{name}"].body = other.read_bytes()

    def without_metadata_files(self) -> None:
        """Let the index list its wheels without metadata beside them (PEP 658)."""
        for path in [
            path for path in self.index.routes if path.startswith(f"/files/{NAME}") and ".metadata" in path
        ]:
            del self.index.routes[path]
        page = self.index.routes[f"/simple/{NAME}/"]
        page.body = re.sub(rb'"core-metadata": ?\{[^}]*\}', b'"core-metadata": false', page.body)
        page.body = re.sub(rb'"data-dist-info-metadata": ?\{[^}]*\}', b'"x": false', page.body)
