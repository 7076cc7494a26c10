"""variant-pip knows the torch that extension wheels must go with: installed, pinned, or stated."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.making import make_wheel
from tests.variant_index.extensions.test_environment import write_torch
from tests.variant_index.shim.torch_machines import nvidia
from tests.variant_index.torch_index.fake_torch import FakeTorch
from tests.variant_index.upstream.fake_index import HTML_TYPE, FakeIndex

PIP_MAIN = "from variant_index.cli.variant_pip import main; raise SystemExit(main())"
BUILDS = ("0.6+864913fpt2.8.0cu128", "0.6+fd27788pt2.9.0cpu", "0.6+fd27788pt2.9.0cu128")


@pytest.fixture
def variables(tmp_path: Path) -> Iterator[dict[str, str]]:
    with FakeTorch(tmp_path / "torch") as torch, FakeIndex() as index:
        for version in ("2.8.0", "2.9.0"):
            for folder in ("cpu", "cu128"):
                torch.add(folder, f"torch-{version}+{folder}-py3-none-any.whl")
        # By its number torchvision 0.24.1 would go with torch 2.9.1; what it says itself counts.
        for vision, version in {"0.23.0": "2.8.0", "0.24.0": "2.9.0", "0.24.1": "2.8.0"}.items():
            for folder in ("cpu", "cu128"):
                torch.add(
                    folder,
                    f"torchvision-{vision}+{folder}-py3-none-any.whl",
                    requires_dist=[f"torch=={version}"],
                )
        torch.publish(["cpu", "cu128"])
        wheels = [make_wheel(tmp_path / "files", f"det-{build}-py3-none-any.whl") for build in BUILDS]
        index.add_project("det", [index.add_file(path) for path in wheels], HTML_TYPE)
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PIP_", "UV_", "VIRTUAL_ENV", "VARIANT_", "NV_", "AMD_"))
        }
        yield {
            **kept,
            **nvidia("12.8", "8.9"),
            "HOME": str(tmp_path),
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_CACHE_DIR": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_INDEX_URL": index.url,
            "VARIANT_INDEX_TORCH_INDEX": torch.url,
        }


def pip(variables: dict[str, str], *arguments: str, stated: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PIP_MAIN, *arguments],
        env={**variables, "VARIANT_ABI_DEPENDENCY": stated},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """Return an environment with a torch that cannot be imported."""
    place = tmp_path / "environment"
    subprocess.run(
        [sys.executable, "-m", "uv", "venv", "-q", "--python", sys.executable, str(place)], check=True
    )
    write_torch(next(place.glob("lib/*/site-packages")), "2.8.1+cu129", "12.9")
    return place


def test_the_installed_torch_counts(variables: dict[str, str], environment: Path) -> None:
    done = pip(variables, "--python", str(environment), "install", "det")
    assert done.returncode == 0, done.stderr
    assert (
        f"variant-pip: det {BUILDS[0]}: cu128 — built for torch 2.8.0 cu128, goes with torch 2.8.1+cu129"
        " (CUDA 12.9, installed)"
    ) in done.stderr


@pytest.mark.parametrize("option", ["--target", "-I"])
def test_it_does_not_count_where_pip_does_not_look(
    variables: dict[str, str], environment: Path, tmp_path: Path, option: str
) -> None:
    write = [f"--target={tmp_path / 'target'}"] if option == "--target" else ["-I", "--no-deps"]
    done = pip(variables, "--python", str(environment), "install", "--dry-run", *write, "det", "torch")
    assert done.returncode == 0, done.stderr
    assert f"det-{BUILDS[2]}" in done.stdout


def test_a_requirements_file_pins_it(variables: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text("torch==2.9.0+cpu\n")
    (tmp_path / "all.txt").write_text("-r more.txt\ndet  # for it\n")
    done = pip(variables, "install", f"--target={tmp_path / 'target'}", "-r", str(tmp_path / "all.txt"))
    assert done.returncode == 0, done.stderr
    assert f"det-{BUILDS[1]}" in done.stdout


def test_what_is_stated_counts_more(variables: dict[str, str], environment: Path) -> None:
    done = pip(
        variables, "--python", str(environment), "install", "--dry-run", "det", stated="torch==2.9.0+cpu"
    )
    assert done.returncode == 0, done.stderr
    assert f"det-{BUILDS[1]}" in done.stdout
    nonsense = pip(variables, "install", "--dry-run", "det", stated="torch")
    assert nonsense.returncode == 2
    assert nonsense.stderr.count("\n") == 1
    assert "VARIANT_ABI_DEPENDENCY: 'torch' is no version; a list such as" in nonsense.stderr


@pytest.mark.parametrize(
    ("asked", "limits", "expected"),
    [
        (["torchvision==0.24.1", "det"], "", BUILDS[0]),
        (["det", "torch"], "torch<2.9\ntorch<2.8; sys_platform == 'nowhere'", BUILDS[0]),
        (["det", "torch==2.9.0+cpu", "torchvision"], "torchvision!=0.24.1", BUILDS[1]),
    ],
)
def test_all_that_is_said_of_torch_counts(
    variables: dict[str, str], tmp_path: Path, asked: list[str], limits: str, expected: str
) -> None:
    (tmp_path / "limits.txt").write_text(limits)
    done = pip(variables, "install", "--dry-run", "-c", str(tmp_path / "limits.txt"), "-I", *asked)
    assert done.returncode == 0, done.stderr
    assert f"det-{expected}" in done.stdout
    number = expected.partition("pt")[2][:3]
    assert ("torch-" not in done.stdout) or f" torch-{number}" in done.stdout


def test_an_upgrade_leaves_nothing_of_the_installed_torch(
    variables: dict[str, str], environment: Path
) -> None:
    arguments = ["--python", str(environment), "install", "--dry-run", "det", "torch"]
    assert f"det-{BUILDS[0]}" in pip(variables, *arguments).stdout
    assert f"det-{BUILDS[2]}" in pip(variables, *arguments, "-U").stdout
    only = ["--python", str(environment), "install", "--dry-run", "-U", "det"]
    assert f"det-{BUILDS[0]}" in pip(variables, *only).stdout


def test_what_is_asked_for_and_does_not_go_with_torch_names_what_would(variables: dict[str, str]) -> None:
    done = pip(variables, "install", "--dry-run", "-I", "det==0.6", "torch==2.8.0+cpu")
    assert done.returncode != 0
    assert (
        "variant-pip: warning: det==0.6: no build for torch 2.8.0+cpu (CPU only, pinned); there are builds"
        " for torch 2.9.0 (cpu, cu128), 2.8.0 (cu128)"
    ) in done.stderr


def test_uv_behind_the_shim(variables: dict[str, str], environment: Path, tmp_path: Path) -> None:
    (tmp_path / "wanted.txt").write_text("torch\ndet\n")
    (tmp_path / "limits.txt").write_text("torch<2.9\n")
    command = [sys.executable, "-m", "variant_index.cli", "run", "--", "uv", "pip"]
    own = {
        **variables,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{variables['PATH']}",
        "UV_DEFAULT_INDEX": variables["PIP_INDEX_URL"],
        "UV_CACHE_DIR": str(tmp_path / "uv"),
        "VIRTUAL_ENV": str(environment),
    }

    def uv(*arguments: str) -> str:
        done = subprocess.run(
            [*command, *arguments], env=own, cwd=tmp_path, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    assert f"det=={BUILDS[0]}" in uv("compile", "wanted.txt", "-c", "limits.txt")
    assert f"det=={BUILDS[2]}" in uv("install", "--dry-run", "torchvision==0.24.0", "det")
    assert f"det=={BUILDS[0]}" in uv("install", "--dry-run", "det")
