"""What installers are asked for, as it is read from command lines, requirements, project and lock files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from variant_index.clients.pdm.take_over import take_over as take_over_pdm
from variant_index.clients.pip.arguments import parse_arguments
from variant_index.clients.pip.configuration import PipConfiguration
from variant_index.clients.pip.requirements import read_requirements
from variant_index.clients.pip.wishes import pip_wishes
from variant_index.clients.pip_tools.take_over import take_over as take_over_pip_tools
from variant_index.clients.poetry.constraint import added_requirement, requirements_of_table, specifier
from variant_index.clients.poetry.take_over import take_over as take_over_poetry
from variant_index.clients.project_file import locked_versions
from variant_index.clients.takeover import Takeover
from variant_index.clients.uv.take_over import take_over as take_over_uv
from variant_index.model.wishes import Wishes

PROJECT = """\
[project]
dependencies = ["torch<2.10", "det"]
[project.optional-dependencies]
gpu = ["torchvision==0.24.0"]
[dependency-groups]
dev = ["torchaudio==2.9.0", {include-group = "other"}]
other = ["pytest"]
"""
LOCK = """\
[[package]]
name = "Torch"
version = "2.9.0+cu128"
[[package]]
name = "twice"
version = "1"
[[package]]
name = "twice"
version = "2"
[[package]]
name = "no-version"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "all.txt").write_text("-r more.txt\n-c limits.txt\ndet  # comment\n-e ./own\n--pre\n")
    (tmp_path / "more.txt").write_text("torch==2.9.0 ; python_version > '3' --hash=sha256:00\n")
    (tmp_path / "limits.txt").write_text("numpy<3\n")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "pyproject.toml").write_text('[project]\ndependencies = ["torchaudio"]\n')
    return tmp_path


def pip(folder: Path, *arguments: str, variables: dict[str, str] | None = None) -> Wishes:
    parsed = parse_arguments(arguments)
    configuration = PipConfiguration({}, variables or {})
    files = {name: configuration.values(parsed, name) for name in ("requirement", "constraint")}
    found = read_requirements([*files["constraint"], *files["requirement"]], os.environ)
    return pip_wishes(parsed, configuration, found, files, os.environ)


def uv(folder: Path, *arguments: str, **variables: str) -> Wishes:
    environment = {"PATH": "", "HOME": str(folder), "XDG_CONFIG_DIRS": str(folder), **variables}
    return wishes(take_over_uv("uv", arguments, environment, folder, allow_loopback_lock=True))


def wishes(taken: object) -> Wishes:
    assert isinstance(taken, Takeover)
    return taken.wishes()


def test_pip(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    said = pip(folder, "install", "-U", "-r", "all.txt", "-c", "limits.txt", "det==1", "-e", "own", "./x.whl")
    assert said.requirements == (
        *("det==1", "./x.whl", "torchaudio", "torch==2.9.0 ; python_version > '3'", "det", "torchaudio"),
    )
    assert said.constraints == ("numpy<3", "numpy<3")
    assert (said.upgrade, said.prereleases, said.into_environment) == ("named", True, True)
    assert pip(folder, "install", ".[gpu]").requirements == ("torch<2.10", "det", "torchvision==0.24.0")
    assert pip(folder, "index", "versions", "torch").requirements == ("torch",)


@pytest.mark.parametrize(
    ("arguments", "upgrade", "installs"),
    [
        (["install", "a"], "none", True),
        (["install", "-qU", "a"], "named", True),
        (["install", "-U", "--upgrade-strategy=eager", "a"], "all", True),
        (["install", "--upgrade-strategy", "eager", "a"], "none", True),
        (["install", "--force-reinstall", "a"], "all", True),
        (["install", "-qI", "a"], "none", False),
        (["install", "--targ=x", "a"], "none", False),
        (["download", "a"], "none", False),
        (["lock", "a"], "none", False),
    ],
)
def test_what_pip_leaves_as_it_is(folder: Path, arguments: list[str], upgrade: str, installs: bool) -> None:
    said = pip(folder, *arguments)
    assert (said.upgrade, said.into_environment) == (upgrade, installs)
    assert said.requirements == ("a",)


def test_what_pip_is_told_by_its_configuration(folder: Path) -> None:
    said = pip(folder, "install", "a", variables={"upgrade": "1", "pre": "yes", "target": "x"})
    assert (said.upgrade, said.prereleases, said.into_environment) == ("named", True, False)


def test_uv_pip(folder: Path) -> None:
    assert uv(folder, "pip", "install", "torch<2.10", "det", "-c", "limits.txt") == Wishes(
        ("torch<2.10", "det"), ("numpy<3",)
    )
    said = uv(folder, "pip", "install", "-r", "all.txt", "-r", "pyproject.toml", "--extra", "gpu", "-U", "x")
    assert said.requirements == (
        *("x", "torch==2.9.0 ; python_version > '3'", "det", "torchaudio"),
        *("torch<2.10", "det", "torchvision==0.24.0"),
    )
    assert said.upgrade == "all"
    assert uv(folder, "pip", "install", "-r", "pyproject.toml", "--group", "dev").requirements == (
        *("torch<2.10", "det", "torchaudio==2.9.0"),
    )
    assert uv(folder, "pip", "install", "-e", ".[gpu]").requirements[-1] == "torchvision==0.24.0"
    again = uv(folder, "pip", "install", "-P", "Torch<2.10", "--reinstall-package", "det", "det")
    assert (again.upgraded, again.constraints) == (frozenset({"torch", "det"}), ("Torch<2.10",))
    assert not uv(folder, "pip", "install", "--target", "x", "det").into_environment
    assert uv(folder, "pip", "install", "--prerelease", "allow", "det").prereleases
    limited = uv(folder, "pip", "install", "det", UV_CONSTRAINT="limits.txt", UV_OVERRIDE="more.txt")
    assert limited.constraints == ("numpy<3", "torch==2.9.0 ; python_version > '3'")


def test_uv_reads_its_configuration(folder: Path) -> None:
    (folder / "uv.toml").write_text('constraint-dependencies = ["torch<2.9"]')
    assert uv(folder, "pip", "install", "det").constraints == ("torch<2.9",)


def test_uv_compiles(folder: Path) -> None:
    (folder / "out.txt").write_text(
        "torch==2.8.0+cu128 \\\n    --hash=sha256:00\ndet[x] == 1 ; sys_platform > ''\n"
    )
    said = uv(folder, "pip", "compile", "pyproject.toml", "-o", "out.txt", "--all-extras")
    assert said.requirements == ("torch<2.10", "det", "torchvision==0.24.0")
    assert (said.kept, said.into_environment) == ({"torch": "2.8.0+cu128", "det": "1"}, False)
    assert uv(folder, "pip", "compile", "all.txt").kept == {}


def test_uv_runs_tools_and_projects(folder: Path) -> None:
    assert uv(folder, "tool", "run", "--with", "torch>=2.8,<2.10,det", "app", "torch").requirements == (
        *("torch>=2.8,<2.10", "det", "app"),
    )
    (folder / "uv.lock").write_text(LOCK)
    said = uv(folder, "lock")
    assert said.requirements == ("torch<2.10", "det", "torchvision==0.24.0", "torchaudio==2.9.0", "pytest")
    assert said.kept == {"torch": "2.9.0+cu128"}


def test_pip_tools(folder: Path) -> None:
    def compiled(*arguments: str, program: str = "pip-compile") -> Wishes:
        return wishes(take_over_pip_tools(program, arguments, {"PATH": "", "HOME": str(folder)}, folder))

    said = compiled("all.txt", "-c", "limits.txt", "-P", "torch<2.10", "-o", "none.txt")
    assert said == Wishes(
        ("torch==2.9.0 ; python_version > '3'", "det", "torchaudio"),
        ("numpy<3", "numpy<3", "torch<2.10"),
        upgraded=frozenset({"torch"}),
        into_environment=False,
    )
    (folder / "requirements.txt").write_text("torch==2.8.0\n")
    assert compiled("--extra", "gpu").requirements == ("torch<2.10", "det", "torchvision==0.24.0")
    assert compiled().kept == {"torch": "2.8.0"}
    assert compiled("-U").upgrade == "all"
    assert compiled(program="pip-sync").requirements == ("torch==2.8.0",)


def test_poetry(folder: Path) -> None:
    def said(*arguments: str) -> Wishes:
        return wishes(take_over_poetry("poetry", arguments, {"POETRY_CONFIG_DIR": str(folder)}, folder))

    everything = ("torch<2.10", "det", "torchvision==0.24.0", "torchaudio==2.9.0", "pytest")
    assert said("install") == Wishes(everything, into_environment=False)
    (folder / "poetry.lock").write_text(LOCK)
    assert said("install").kept == {"torch": "2.9.0+cu128"}
    assert said("add", "torch@^2.8").requirements == ("torch>=2.8,<3", *everything)
    assert said("add", "torch@^2.8").upgraded == {"torch"}
    assert said("update", "torch").upgraded == {"torch"}
    assert said("update").upgrade == said("lock", "--regenerate").upgrade == "all"
    assert said("lock").upgrade == "none"
    (folder / "pyproject.toml").write_text(
        "[tool.poetry.dependencies]\npython = '^3.10'\ntorch = '^2.8'\n"
        "[tool.poetry.group.gpu.dependencies]\ntorchvision = {version = '0.24.0', platform = 'linux'}\n"
        "[tool.poetry.dev-dependencies]\ntorchaudio = '*'\n"
    )
    assert said("lock").requirements == (
        *("torch>=2.8,<3", "torchaudio", "torchvision==0.24.0 ; (sys_platform == 'linux')"),
    )


def test_pdm(folder: Path) -> None:
    def said(*arguments: str) -> Wishes:
        environment = {"HOME": str(folder), "PDM_CONFIG_FILE": str(folder / "none.toml")}
        return wishes(take_over_pdm("pdm", arguments, environment, folder, allow_loopback_lock=True))

    everything = ("torch<2.10", "det", "torchvision==0.24.0", "torchaudio==2.9.0", "pytest")
    assert said("install") == Wishes(everything, into_environment=False)
    (folder / "pdm.lock").write_text(LOCK)
    assert said("sync").kept == {"torch": "2.9.0+cu128"}
    assert said("lock").upgrade == "all"
    assert said("lock", "--update-reuse").kept == {"torch": "2.9.0+cu128"}
    assert said("add", "torch<2.9").requirements == ("torch<2.9", *everything)
    assert said("update", "torch").upgraded == {"torch"}
    (folder / "pyproject.toml").write_text("[tool.pdm.dev-dependencies]\nx = ['torch==2.8.0']\n")
    assert said("install").requirements == ("torch==2.8.0",)


@pytest.mark.parametrize(
    "text", ["not toml", "[project]\ndependencies = 3\n", "[[project]]\n", "package = [1]"]
)
def test_files_that_are_wrong_are_the_installers_to_refuse(folder: Path, text: str) -> None:
    (folder / "own" / "pyproject.toml").write_text(text)
    (folder / "x.txt").write_text("torch==\n--nonsense\n")
    (folder / "poetry.lock").write_text(text)
    assert uv(folder, "pip", "install", "-r", "x.txt", "-r", "gone.txt", "-e", "own").requirements == (
        "torch==",
    )
    assert locked_versions(folder / "poetry.lock") == {}
    assert locked_versions(folder) == {}


def test_lock_files_of_the_standard(tmp_path: Path) -> None:
    path = tmp_path / "pylock.toml"
    path.write_text('lock-version = "1.0"\n[[packages]]\nname = "torch"\nversion = "2.9.0"\n')
    assert locked_versions(path) == {"torch": "2.9.0"}
    assert uv(tmp_path, "pip", "install", "-r", "pylock.toml").requirements == ("torch==2.9.0",)


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        ("^2.8", ">=2.8,<3"),
        ("^2.8.1", ">=2.8.1,<3"),
        ("^0.24.1", ">=0.24.1,<0.25"),
        ("^0.0.3", ">=0.0.3,<0.0.4"),
        ("^0", ">=0,<1"),
        ("~2.8.1", ">=2.8.1,<2.9"),
        ("~2", ">=2,<3"),
        ("2.9.0", "==2.9.0"),
        ("2.9.*", "==2.9.*"),
        ("*", ""),
        (">=2.8 <2.10", ">=2.8,<2.10"),
        (">=2.8, !=2.9.0,<3", ">=2.8,!=2.9.0,<3"),
        ("~=2.8.1", "~=2.8.1"),
        ("==2.9.0+cu128", "==2.9.0+cu128"),
        ("<2.9 || >2.9", None),
        ("latest", None),
        ("^", None),
    ],
)
def test_poetrys_constraints(constraint: str, expected: str | None) -> None:
    assert specifier(constraint) == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("torch", "torch"),
        ("torch@latest", "torch"),
        ("torch@^2.8", "torch>=2.8,<3"),
        ("torch==2.9.0", "torch==2.9.0"),
        ("torch[x]@2.9.0", "torch[x]==2.9.0"),
        ("git+https://x@y.example/torch", "git+https://x@y.example/torch"),
    ],
)
def test_what_poetry_adds(word: str, expected: str) -> None:
    assert added_requirement(word) == expected


def test_poetrys_tables_as_requirements() -> None:
    table = {
        "python": "^3.10",
        "torch": [
            {"version": "^2.8", "markers": "sys_platform == 'linux'", "source": "x"},
            {"version": "2.7.0", "python": "<3.11"},
        ],
        "wheel": {"url": "https://x.example/torch-2.9.0-py3-none-any.whl"},
        "odd": 3,
    }
    found = requirements_of_table(table)
    assert found == [
        "torch>=2.8,<3 ; (sys_platform == 'linux')",
        "torch==2.7.0 ; (python_full_version < '3.11')",
        "https://x.example/torch-2.9.0-py3-none-any.whl",
        "odd",
    ]
    assert [Requirement(text).name for text in (*found[:2], found[3])] == ["torch", "torch", "odd"]


@given(st.text(alphabet="^~=<>!*.,| 0123456789abc+-", max_size=30))
def test_what_is_made_of_a_constraint_is_a_specifier(constraint: str) -> None:
    found = specifier(constraint)
    assert found is None or SpecifierSet(found) is not None


def test_names(folder: Path) -> None:
    from variant_index.clients.requirements_texts import project_names

    words: Sequence[str] = ("Torch_Vision[x]>=1", "torch", "./x", "")
    assert project_names(words) == {"torch-vision", "torch"}
