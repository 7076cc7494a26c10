"""What the wrapper relies on, in older and newer pips: options, configuration files, blank variables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.making import make_wheel
from tests.variant_index.shim.family import NAME, add_family
from tests.variant_index.upstream.fake_index import HTML_TYPE, FakeIndex
from variant_index.clients.pip.options import COMMANDS, FLAGS, SHORT, VALUED

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(sys.platform != "linux", reason="the folders are those of Linux"),
]

MAIN = "from variant_index.cli.variant_pip import main; raise SystemExit(main())"

OPTIONS = """if True:
    import json, sys
    from pip._internal.commands import create_command, commands_dict
    found = [create_command(name).parser for name in sys.argv[1:] if name in commands_dict]
    options = [option for parser in found for option in parser.option_list_all]
    print(json.dumps([[s, o.takes_value()] for o in options for s in o._short_opts + o._long_opts]))
"""


@pytest.fixture(scope="module", params=["22.0.4", "23.2.1", "24.0", "25.0.1", "26.0"])
def environment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an environment with one version of pip, from the package registry."""
    version: str = request.param
    if sys.version_info >= (3, 12) and version.startswith("22."):
        pytest.skip(f"pip {version} does not run on Python 3.12")
    folder = tmp_path_factory.mktemp("pip") / version
    uv = [sys.executable, "-m", "uv", "--quiet"]
    subprocess.run([*uv, "venv", "--python", sys.executable, folder], check=True)
    done = subprocess.run(
        [*uv, "pip", "install", "--python", folder, f"pip=={version}"], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"no pip {version} from a package registry: {done.stderr.strip()[-200:]}")
    return folder


@pytest.fixture
def sources(tmp_path: Path) -> Iterator[tuple[FakeIndex, FakeIndex]]:
    """Serve the true index, and one with a higher version that must not be seen."""
    with FakeIndex() as index, FakeIndex() as poison:
        # JSON is for pip 22.2 and newer, and the control runs read these pages themselves.
        index.add_project(NAME, add_family(index, tmp_path / "upstream"), HTML_TYPE)
        wheel = make_wheel(tmp_path / "poison", f"{NAME}-99.0-py3-none-any.whl")
        poison.add_project(NAME, [poison.add_file(wheel)], HTML_TYPE)
        yield index, poison


def test_options(environment: Path) -> None:
    done = subprocess.run(
        [environment / "bin" / "python", "-c", OPTIONS, *COMMANDS], capture_output=True, text=True, check=True
    )
    for name, takes_value in json.loads(done.stdout):
        known = name[2:] if name.startswith("--") else SHORT[name[1]]
        assert known in (VALUED if takes_value else FLAGS), name


@pytest.mark.parametrize("kind", ["user", "proxy", "isolated"])
def test_poisoned_configuration(
    kind: str, environment: Path, sources: tuple[FakeIndex, FakeIndex], tmp_path: Path
) -> None:
    index, poison = sources
    extra = f"extra-index-url = {poison.url}\n"
    text = f"[global]\n{extra}[install]\nfind-links = gone\n{extra}"
    folder = tmp_path / "home" / ".config" / "pip" if kind == "user" else environment
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pip.conf").write_text(text + (f"proxy = {index.root}\n" if kind == "proxy" else ""))
    index.routes |= {f"{index.root}{path}": route for path, route in index.routes.items()}
    poison_routes = {f"{poison.root}{path}": route for path, route in poison.routes.items()}
    index.routes |= poison_routes
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "home"),
        "VIRTUAL_ENV": str(environment),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION": "12.9",
    }
    arguments = ["install", "--target", str(tmp_path / "target"), "--no-cache-dir", "-i", index.url, NAME]
    arguments += ["--isolated"] if kind == "isolated" else []
    module = tmp_path / "target" / f"{NAME}.py"
    try:
        pip = [str(environment / "bin" / "python"), "-m", "pip"]
        subprocess.run([*pip, *arguments], env=variables, capture_output=True, check=True)
        assert "-99.0-" in module.read_text()
        done = subprocess.run(
            [sys.executable, "-c", MAIN, *arguments, "--upgrade"],
            env=variables,
            capture_output=True,
            text=True,
        )
    finally:
        (folder / "pip.conf").unlink()
    assert done.returncode == 0, done.stderr
    assert "-2.0-py3-none-any-cu128" in module.read_text()
    assert f"variant-pip: {NAME} 2.0: cu128 — " in done.stderr


def test_only_what_was_taken_is_said(environment: Path, tmp_path: Path) -> None:
    """Older pips fetch wheels for their metadata and have no silent report; they say nothing of a dry run."""
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "home"),
        "VIRTUAL_ENV": str(environment),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_CACHE_DIR": "1",
        "NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION": "12.9",
    }

    def said(*arguments: str) -> list[str]:
        command = [sys.executable, "-c", MAIN, "install", "--target", str(tmp_path / arguments[-1])]
        command += ["-i", index.url, *arguments]
        done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        assert "experimental" not in done.stderr
        lines = [line for line in done.stderr.splitlines() if line.startswith("variant-pip: ")]
        return [line.partition(" — ")[0] for line in lines]

    with FakeIndex() as index:
        add_family(index, tmp_path / "upstream")
        old = make_wheel(tmp_path / "upstream", "old-1-py3-none-any.whl", requires_dist=[f"{NAME}<2"])
        index.add_project("old", [index.add_file(old)])
        line = f"variant-pip: {NAME} 2.0: cu128"
        if not environment.name.startswith("22.0"):  # --dry-run came with 22.2
            assert said("--dry-run", NAME) == [line]
            assert said("--dry-run", NAME, "old") == []
        assert said(NAME) == [line]
        assert said(NAME, "old") == []
        assert index.asked("variants.json")


def test_sources_in_requirements_files(
    environment: Path, sources: tuple[FakeIndex, FakeIndex], tmp_path: Path
) -> None:
    index, poison = sources
    (tmp_path / "r.txt").write_text(f"-c c.txt\n{NAME}  # from the file\n")
    (tmp_path / "c.txt").write_text(f"--index-url {index.url} \\\n --pre\n--extra-index-url {poison.url}\n")
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "home"),
        "VIRTUAL_ENV": str(environment),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION": "12.9",
    }
    arguments = ["install", "--target", "target", "--no-cache-dir", "--upgrade", "-r", "r.txt"]
    module = tmp_path / "target" / f"{NAME}.py"
    pip = [str(environment / "bin" / "python"), "-m", "pip"]
    subprocess.run([*pip, *arguments], env=variables, cwd=tmp_path, capture_output=True, check=True)
    assert "-99.0-" in module.read_text()
    done = subprocess.run(
        [sys.executable, "-c", MAIN, *arguments], env=variables, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "-2.0-py3-none-any-cu128" in module.read_text()
