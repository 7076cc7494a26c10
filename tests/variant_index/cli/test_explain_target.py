"""`explain` for another Python or platform: the options of pip's `download`, and its answers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.making import document, make_wheel
from tests.variant_index.cli.test_variant_pip import MAIN, Shell, posix_only
from tests.variant_index.upstream.fake_index import FakeIndex
from variant_index.cli import main

_LABELS: dict[str, dict[str, dict[str, list[str]]]] = {
    "cu126": {"nvidia": {"cuda_version_lower_bound": ["12.6"]}},
    "cu128": {"nvidia": {"cuda_version_lower_bound": ["12.8"]}},
    "null": {},
}
_WHEELS = {
    "1.0": ["py3-none-any"],
    "2.0": [
        *("cp312-cp312-manylinux2014_x86_64", "cp312-cp312-manylinux2014_x86_64-cu126"),
        *("cp312-cp312-manylinux2014_x86_64-cu128", "cp312-cp312-manylinux2014_aarch64-null"),
        *("cp312-cp312-manylinux2014_aarch64-cu128", "cp313-cp313-win_amd64-cu126"),
        *("cp39-abi3-macosx_11_0_arm64", "pp311-pypy311_pp73-manylinux2014_x86_64-cu128"),
    ],
    "3.0": ["cp313-cp313-win_amd64"],
}


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[FakeIndex]:
    """Serve `plat`: plain 1.0, 2.0 with variants for some targets, 3.0 for Windows, a source of 4.0."""
    with FakeIndex() as index:
        files = []
        for version, tags in _WHEELS.items():
            for one in tags:
                label = one.split("-")[3] if one.count("-") > 2 else None
                own = document({label: _LABELS[label]}) if label else None
                wheel = make_wheel(tmp_path / "wheels", f"plat-{version}-{one}.whl", variant_json=own)
                files.append(index.add_file(wheel))
        for name, text in (
            ("plat-2.0-variants.json", json.dumps(document(_LABELS))),
            ("plat-4.0.tar.gz", ""),
        ):
            (tmp_path / name).write_text(text)
            files.append(index.add_file(tmp_path / name))
        index.add_project("plat", files)
        yield index


def explain(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> tuple[Any, str]:
    assert main(["explain", "plat", *arguments, "--json"]) == status
    out, err = capsys.readouterr()
    return json.loads(out), err


LINUX = "--platform=manylinux2014_x86_64"


@posix_only
@pytest.mark.parametrize(
    "case",
    [
        ([LINUX, "--python-version", "312"], "cuda12.6", "2.0-0_cu126-cp312-cp312-manylinux2014_x86_64"),
        (
            [LINUX, "--platform=manylinux2014_aarch64", "--python-version=3.12.1", "--implementation=cp"],
            "cuda12.8",
            "2.0-0_cu128-cp312-cp312-manylinux2014_x86_64",
        ),
        (
            [LINUX, "--python-version=3.11", "--implementation=pp", "--abi=pypy311_pp73"],
            "cuda12.8",
            "2.0-0_cu128-pp311-pypy311_pp73-manylinux2014_x86_64",
        ),
        (["--platform=win_amd64", "--python-version=3.13"], "cuda12.8", "3.0-cp313-cp313-win_amd64"),
        (
            ["--platform=macosx_14_0_arm64", "--python-version=3.13", "--abi=abi3", "--abi=none"],
            "cpu",
            "2.0-cp39-abi3-macosx_11_0_arm64",
        ),
    ],
)
def test_pip_downloads_what_explain_says(
    case: tuple[list[str], str, str],
    index: FakeIndex,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options, machine, expected = case
    report, _ = explain(capsys, *options, "-i", index.url, "--machine", machine)
    shell = Shell(Path(sys.prefix), tmp_path)
    variables = {**shell.variables, "VARIANT_INDEX_MACHINE": machine}
    command = [sys.executable, "-c", MAIN, "download", "--only-binary", ":all:", "-d", "got", "plat"]
    done = subprocess.run(
        [*command, *options, "-i", index.url], env=variables, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    (got,) = Path("got").iterdir()
    assert got.name == f"plat-{expected}.whl"
    selected = report["selected"]
    label = f"0_{selected['label']}-" if selected["label"] else ""
    plain = selected["filename"].removesuffix(".whl").removesuffix(f"-{selected['label']}")
    assert plain.replace(f"plat-{report['version']}-", f"plat-{report['version']}-{label}") == got.stem


def test_for_another_platform_this_machine_does_not_count(
    index: FakeIndex, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = "manylinux2014_aarch64" if "x86" in _machine() else "manylinux2014_x86_64"
    options = ("-i", index.url, "--platform", platform, "--python-version=3.12")
    report, err = explain(capsys, *options)
    assert report["selected"]["label"] in ("", "null")
    assert f"warning: platform {platform} is not this machine" in err
    monkeypatch.setenv("NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION", "12.8")
    report, err = explain(capsys, *options)
    assert (report["selected"]["label"], err) == ("cu128", "")


def test_what_pip_is_configured_for_is_not_what_was_asked(
    index: FakeIndex, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("-i", index.url, "--machine", "cpu", "--python-version=3.13")
    report, _ = explain(capsys, *options)
    assert report["version"] != "3.0"
    monkeypatch.setenv("PIP_PLATFORM", "win_amd64")
    assert explain(capsys, *options)[0] == report


@posix_only
def test_what_is_installed_here_says_nothing_of_another_target(
    index: FakeIndex, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import venv

    names = [f"plat-9.0+pt{torch}cu128-py3-none-any.whl" for torch in ("2.8.0", "2.9.0")]
    index.add_project("plat", [index.add_file(make_wheel(tmp_path / "coupled", name)) for name in names])
    venv.create(tmp_path / "env", with_pip=False)
    (packages,) = tmp_path.glob("env/lib/python*/site-packages")
    (packages / "torch-2.8.0+cu128.dist-info").mkdir()
    options = ("-i", index.url, "--machine", "cpu", "--python", str(tmp_path / "env" / "bin" / "python"))
    assert explain(capsys, *options)[0]["selected"]["filename"] == names[0]
    assert explain(capsys, *options, "--python-version=3.12")[0]["selected"]["filename"] == names[1]


def _machine() -> str:
    import platform

    return platform.machine()


def test_sources_are_not_for_another_target(index: FakeIndex, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("-i", index.url, "--machine", "cpu")
    assert explain(capsys, *options)[0]["version"] == "4.0"
    report, _ = explain(capsys, *options, LINUX, "--python-version=3.12")
    newer = {one["version"]: one["reason"] for one in report["newer"]}
    assert newer["4.0"] == "source distribution, and only wheels may be taken"


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (["--python-version", "3.x"], "--python-version '3.x' is no version of Python: write 3.12"),
        (["--platform", "macosx-14-arm64"], "--platform 'macosx-14-arm64' cannot stand in a wheel's name"),
        (["--abi", "cp 312"], "--abi 'cp 312' cannot stand"),
        (["--implementation", "c\x1b[m"], "--implementation 'c\\\\x1b[m' cannot stand"),
    ],
)
def test_what_no_target_can_be(
    options: list[str], rule: str, index: FakeIndex, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", "plat", "-i", index.url, *options]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert rule in err
    assert index.requests == []


@posix_only
def test_an_environment_without_pip(
    index: FakeIndex,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import venv

    venv.create(tmp_path / "bare", with_pip=False)
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "bare"))
    report, _ = explain(capsys, "-i", index.url, "--machine", "cuda12.8", LINUX, "--python-version=3.12")
    assert report["selected"]["label"] == "cu128"
