"""The torch family through real installers, on forced machines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from packaging.version import Version

from tests.making import make_wheel
from tests.variant_index.shim.family import NAME, write_release, write_sidecar
from tests.variant_index.shim.torch_machines import (
    CPU,
    MACHINES,
    TAGS,
    V100,
    add_torch_family,
    installed,
    nvidia,
)
from tests.variant_index.torch_index.fake_torch import FakeTorch
from tests.variant_index.upstream.fake_index import FakeIndex, Route

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.uname().machine != "x86_64",
    reason="the wheels are for Linux on x86-64",
)

PIP_MAIN = "from variant_index.cli.variant_pip import main; raise SystemExit(main())"
SHIM_MAIN = "import sys; from variant_index.cli import main; sys.exit(main(sys.argv[1:]))"


class User:
    """Someone with an empty configuration, a package index of his own and a fake PyTorch."""

    def __init__(self, folder: Path, torch: FakeTorch, index: FakeIndex) -> None:
        self.folder = folder
        self.torch = torch
        self.index = index
        self.target = folder / "target"
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PIP_", "UV_", "VIRTUAL_ENV", "VARIANT_INDEX_", "NV_", "AMD_"))
        }
        self.variables: dict[str, str] = {
            **kept,
            "HOME": str(folder),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_CACHE_DIR": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_INDEX_URL": index.url,
            "UV_NO_CONFIG": "1",
            "UV_CACHE_DIR": str(folder / "uv"),
            "VARIANT_INDEX_TORCH_INDEX": torch.url,
        }

    def pip(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", PIP_MAIN, "install", "--target", str(self.target), "--upgrade"]
        return self._run([*command, *arguments], variables)

    def explain(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", SHIM_MAIN, "explain", "--index-url", self.index.url]
        return self._run([*command, *arguments], variables)

    def uv(
        self, variables: Mapping[str, str], *arguments: str, options: tuple[str, ...] = ()
    ) -> tuple[subprocess.CompletedProcess[str], str]:
        """Run uv behind `variant-index shim`; return what it did and what the shim said."""
        command = [sys.executable, "-c", SHIM_MAIN, "shim", "--index-url", self.index.url, *options]
        environment = {**self.variables, **variables}
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as shim:
            assert shim.stdout is not None
            address = shim.stdout.readline().strip()
            place = ["--target", str(self.target), "--python", sys.executable, "--default-index", address]
            done = self._run([sys.executable, "-m", "uv", "pip", "install", *place, *arguments], variables)
            shim.terminate()
            _, said = shim.communicate(timeout=60)
        return done, said

    def _run(self, command: list[str], variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env={**self.variables, **variables},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
        )


@pytest.fixture(scope="module")
def torch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeTorch]:
    with FakeTorch(tmp_path_factory.mktemp("torch")) as torch:
        add_torch_family(torch)
        yield torch


@pytest.fixture
def user(tmp_path: Path, torch: FakeTorch) -> Iterator[User]:
    with FakeIndex() as index:
        sympy = index.add_file(make_wheel(tmp_path / "own", "sympy-1.0-py3-none-any.whl"))
        index.add_project("sympy", [sympy])
        # What PyPI has, so that nothing passes by taking it from there.
        wrong = make_wheel(tmp_path / "own", f"torch-2.16.0-{TAGS}.whl")
        index.add_project("torch", [index.add_file(wrong)])
        torch.index.requests.clear()
        yield User(tmp_path, torch, index)


@pytest.mark.parametrize("machine", MACHINES)
def test_pip_gets_the_newest_torch_that_uses_the_machine(machine: str, user: User) -> None:
    variables, expected = MACHINES[machine]
    done = user.pip("torch", **variables)
    assert done.returncode == 0, done.stderr
    assert installed(user.target) == f"{expected.partition('+')[2]}/torch-{expected}-{TAGS}.whl"
    assert f"variant-pip: torch {expected}: {expected.partition('+')[2]} — " in done.stderr
    # Everything else comes from the user's own index.
    assert "sympy-1.0" in installed(user.target, "sympy")
    assert user.torch.index.asked("/sympy/") == 0
    assert user.index.asked("/torch/") == 0


def test_the_way_to_the_other_choice_is_said_in_the_same_line(user: User) -> None:
    done = user.pip("torch", **V100)
    said = [line for line in done.stderr.splitlines() if line.startswith("variant-pip: torch ")]
    assert len(said) == 1
    assert "newest release that uses the GPU, VARIANT_INDEX_PREFER=version takes 2.15.0" in said[0]


def test_the_other_choice(user: User) -> None:
    done = user.pip("torch", **V100, VARIANT_INDEX_PREFER="version")
    assert done.returncode == 0, done.stderr
    assert installed(user.target).startswith("cpu/torch-2.15.0+cpu-")


def test_torch_and_torchvision_agree(user: User) -> None:
    for variables, backend in ((V100, "cu126"), (nvidia("13.0", "8.9"), "cu132"), (CPU, "cpu")):
        done = user.pip("torchvision", "torch", **variables)
        assert done.returncode == 0, done.stderr
        assert installed(user.target).startswith(f"{backend}/")
        assert installed(user.target, "torchvision").startswith(f"{backend}/")


def test_one_name_in_every_folder_comes_from_the_right_one(user: User) -> None:
    for variables, backend in ((nvidia("13.0", "8.9"), "cu132"), (CPU, "cpu")):
        done = user.pip("xformers==0.0.15", **variables)
        assert done.returncode == 0, done.stderr
        assert installed(user.target, "xformers").startswith(f"{backend}/xformers-0.0.15-")


@pytest.mark.parametrize(
    ("pin", "expected"),
    [
        ("torch==2.9.0", "cu128/torch-2.9.0+cu128"),
        ("torch==2.9.0+cpu", "cpu/torch-2.9.0+cpu"),
        ("torch==2.9.0+cu130", "cu130/torch-2.9.0+cu130"),
        ("torch==2.15.0", "cpu/torch-2.15.0+cpu"),
        ("torch==2.15.0+cpu", "cpu/torch-2.15.0+cpu"),
        ("torch<2.10", "cu128/torch-2.9.0+cu128"),
        ("torch==2.0.1", "/torch-2.0.1"),
    ],
)
def test_pins_win(pin: str, expected: str, user: User) -> None:
    done = user.pip(pin, **V100)
    assert done.returncode == 0, done.stderr
    assert installed(user.target).startswith(expected)


def test_a_pin_against_the_hardware_says_so(user: User) -> None:
    done = user.pip("torch==2.15.0", **V100)
    assert "Reason for being yanked: torch 2.15.0 has no build for this machine's GPU" in done.stderr
    assert "variant-pip: torch 2.15.0+cpu: cpu — pinned; " in done.stderr


def test_a_range_that_only_a_held_back_release_is_in(user: User) -> None:
    done = user.pip("torch>=2.15", **V100)
    assert done.returncode == 1
    assert "2.15.0 is installed only by == or with VARIANT_INDEX_PREFER=version" in done.stderr
    assert "is installed only by" not in user.pip("torch", **V100).stderr


def test_hashes_are_those_of_the_index(user: User) -> None:
    digest = user.torch.digests[f"cu126/torch-2.14.1+cu126-{TAGS}.whl"]
    file = user.folder / "requirements.txt"
    file.write_text(f"torch==2.14.1 --hash=sha256:{digest}\n")
    done = user.pip("--require-hashes", "--no-deps", "-r", str(file), **V100)
    assert done.returncode == 0, done.stderr
    assert installed(user.target).startswith("cu126/")


def test_wrong_bytes_are_never_installed(user: User) -> None:
    path = f"/whl/cu126/torch-2.14.1+cu126-{TAGS}.whl"
    right = user.torch.index.routes[path]
    other = make_wheel(user.folder / "other", f"torch-2.14.1+cu126-{TAGS}.whl")
    user.torch.index.routes[path] = Route(other.read_bytes())
    try:
        assert user.pip("torch", **V100).returncode != 0
    finally:
        user.torch.index.routes[path] = right
    assert not (user.target / "torch.py").exists()


def test_an_index_on_the_command_line_serves_torch_too(user: User) -> None:
    del user.variables["VARIANT_INDEX_TORCH_INDEX"]
    done = user.pip("torch", "-i", user.index.url, **V100)
    assert done.returncode == 0, done.stderr
    assert "torch-2.16.0" in installed(user.target)


def test_off(user: User) -> None:
    done = user.pip("torch", **V100, VARIANT_INDEX_TORCH_INDEX="off")
    assert done.returncode == 0, done.stderr
    assert "torch-2.16.0" in installed(user.target)


def test_without_an_index_torch_comes_from_the_users_folder(user: User) -> None:
    make_wheel(user.folder / "links", f"torch-2.1.0-{TAGS}.whl")
    done = user.pip("torch", "--no-index", "--find-links", str(user.folder / "links"), **V100)
    assert done.returncode == 0, done.stderr
    assert "torch-2.1.0" in installed(user.target)
    assert user.torch.index.requests == []


@pytest.mark.parametrize(
    ("requirement", "preference", "wheel"),
    [
        (NAME, "hardware", "1.0-py3-none-any-cu126"),
        (NAME, "version", "2.0-py3-none-any-null"),
        (f"{NAME}==2.0", "hardware", "2.0-py3-none-any-null"),
    ],
)
def test_projects_with_variants_follow_the_same_rule(
    requirement: str, preference: str, wheel: str, user: User
) -> None:
    files = []
    for version, labels in (("1.0", ["cu126", "null"]), ("2.0", ["cu130", "null"])):
        folder = user.folder / "variants"
        files += [user.index.add_file(path) for path in write_release(folder, version, labels)]
        files.append(user.index.add_file(write_sidecar(folder, version=version)))
    user.index.add_project(NAME, files)
    done = user.pip(requirement, **V100, VARIANT_INDEX_PREFER=preference)
    assert done.returncode == 0, done.stderr
    assert installed(user.target, NAME) == f"{NAME}-{wheel}.whl"
    done, _ = user.uv(V100, requirement, options=("--prefer", preference))
    assert done.returncode == 0, done.stderr
    assert installed(user.target, NAME) == f"{NAME}-{wheel}.whl"


def test_a_value_that_means_nothing_stops_before_pip(user: User) -> None:
    done = user.pip("torch", **V100, VARIANT_INDEX_PREFER="newest")
    assert done.returncode == 2
    assert done.stderr.startswith("variant-pip: error: VARIANT_INDEX_PREFER is 'newest'")


def test_an_index_that_is_down_fails_the_run_and_names_the_way_out(user: User) -> None:
    done = user.pip("torch", **V100, VARIANT_INDEX_TORCH_INDEX="http://127.0.0.1:9/whl")
    assert done.returncode != 0
    assert "http://127.0.0.1:9/whl/" in done.stderr
    assert "VARIANT_INDEX_TORCH_INDEX can name a mirror" in done.stderr
    assert not (user.target / "torch.py").exists()


def test_an_index_without_torch_is_none_of_pytorchs(user: User) -> None:
    done = user.pip("torch", **V100, VARIANT_INDEX_TORCH_INDEX=user.index.root)
    assert done.returncode != 0
    assert "has no torch, so it is not PyTorch's index or a mirror of it" in done.stderr


@pytest.mark.parametrize("machine", MACHINES)
def test_uv_gets_the_same(machine: str, user: User) -> None:
    variables, expected = MACHINES[machine]
    done, said = user.uv(variables, "torch", "torchvision")
    assert done.returncode == 0, done.stderr
    backend = expected.partition("+")[2]
    assert installed(user.target) == f"{backend}/torch-{expected}-{TAGS}.whl"
    assert installed(user.target, "torchvision").startswith(f"{backend}/")
    assert f"chosen: torch {expected}: {backend} — " in said


@pytest.mark.parametrize(
    ("pin", "expected"),
    [
        ("torch==2.9.0", "cu128/torch-2.9.0+cu128"),
        ("torch==2.9.0+cpu", "cpu/torch-2.9.0+cpu"),
        ("torch==2.9.0+cu130", "cu130/torch-2.9.0+cu130"),
        ("torch==2.15.0+cpu", "cpu/torch-2.15.0+cpu"),
    ],
)
def test_pins_win_in_uv(pin: str, expected: str, user: User) -> None:
    done, _ = user.uv(V100, pin)
    assert done.returncode == 0, done.stderr
    assert installed(user.target).startswith(expected)


def test_uv_takes_a_yanked_build_only_by_its_full_version(user: User) -> None:
    """Unlike pip's, its rule for yanked files compares local versions too; so it says what to do."""
    done, said = user.uv(V100, "torch==2.15.0")
    assert done.returncode != 0
    assert "torch==2.15.0+cpu" in done.stderr
    assert "VARIANT_INDEX_PREFER=version" in done.stderr
    assert "note: torch 2.14.1 (cu126) is the newest release" in said
    done, _ = user.uv(V100, "torch==2.15.0", options=("--prefer", "version"))
    assert done.returncode == 0, done.stderr


def test_explain_agrees_with_pip(user: User) -> None:
    done = user.explain("torch", **V100)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "torch 2.14.1"
    assert lines[3].split()[:3] == ["*", "1", "cu126"]
    assert "needs CUDA ≥ 13.0, driver supports 12.8" in done.stdout
    assert "2.15.0 is installed only by ==" in done.stdout
    assert done.stderr == ""
    assert "installed only by" not in user.explain("torch==2.9.0", **V100).stdout


def test_explain_says_where_the_family_comes_from_and_what_was_passed_over(user: User) -> None:
    done = user.explain("torch", "torchvision", "--json", **V100)
    assert done.returncode == 0, done.stderr
    torch, vision = json.loads(done.stdout)["requirements"]
    for report in (torch, vision):
        assert (report["source"]["kind"], report["source"]["url"]) == ("pytorch", user.torch.url)
        assert report["selected"]["label"] == "cu126"
        assert {one["label"] for one in report["platforms"]} <= {"cu126", None}
    newer = {one["version"]: one["reason"] for one in torch["newer"]}
    assert newer["2.15.0"].startswith("held back: torch 2.15.0 has no build for this machine's GPU")
    assert list(newer) == sorted(newer, key=Version, reverse=True)
    pinned = json.loads(user.explain("torch==2.9.0", "--json", **V100).stdout)
    assert {one["reason"] for one in pinned["newer"]} == {"does not match ==2.9.0"}


def test_explain_takes_the_options(user: User) -> None:
    assert user.explain("torch", "--prefer", "version", **V100).stdout.startswith("torch 2.15.0\n")
    assert user.explain("torch", "--torch-index", "off", **V100).stdout.startswith("torch 2.16.0\n")
    lines = user.explain("torch==2.9.0+cpu", **V100).stdout.splitlines()
    assert " ".join(lines[3].split()[:7]) == "* 1 cpu runs on any machine"
    assert "needs" not in lines[3]
    assert [line.split()[:5] for line in lines if "cu126" in line] == [["-", "cu126", "not", "asked", "for;"]]
    other = user.explain("torch==2.9.0+cu130", **V100).stdout.splitlines()[3]
    assert "pinned; not for this machine: needs CUDA ≥ 13.0, driver supports 12.8" in other
    held = user.explain("torch>=2.15", **V100)
    assert held.returncode == 1
    assert "torch 2.15.0 has no build for this machine's GPU" in held.stdout
    assert user.explain("torchao", **V100).returncode == 1
    none = user.explain("torch", "--python-version", "3.5", **V100)
    assert none.returncode == 1
    assert none.stdout.startswith("No release of torch that matches torch can be installed here.\n")
