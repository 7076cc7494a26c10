"""`variant-index config`, and that commands obey files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.variant_index.shim.family import NAME, add_family
from tests.variant_index.upstream.fake_index import FakeIndex
from variant_index.cli import main
from variant_index.model.config_report import ConfigReport


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.delenv("VARIANT_INDEX_CONFIG")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_values_and_origins(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    user = project / "xdg_config_home" / "variant-index" / "variant-index.toml"
    user.parent.mkdir(parents=True)
    user.write_text("prefer = 'version'\nproxy = 'u:secretword@proxy.example'")
    (project / "variant-index.toml").write_text(
        "[route]\na = 'https://u:secretword@a.example/?token=secretword'"
    )
    monkeypatch.setenv("VARIANT_INDEX_MERGE", "x y")
    monkeypatch.setenv("VARIANT_INDEX_PREFR", "version")
    assert main(["config", "--json"]) == 0
    out, err = capsys.readouterr()
    report = ConfigReport.model_validate_json(out)
    found = {one.key: (one.value, one.origins) for one in report.settings}
    own = str(project / "variant-index.toml")
    assert found["prefer"] == ("version", [f"{user}: prefer"])
    assert found["route"] == (["a=https://****@a.example/?****"], [f"{own}: route"])
    assert found["proxy"] == ("//****@proxy.example", [f"{user}: proxy"])
    assert found["merge"] == (["x", "y"], ["VARIANT_INDEX_MERGE"])
    assert found["timeout"] == (15.0, ["default"])
    assert [(file.path, file.layer) for file in report.files] == [(own, "project"), (str(user), "user")]
    assert err == "warning: VARIANT_INDEX_PREFR is no setting\n"
    assert main(["config"]) == 0
    text = capsys.readouterr().out
    assert f"user file: {user}\n" in text
    assert "site file: " in text
    assert "secretword" not in out + text


def test_a_variable_that_variantlib_reads_too(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def shown() -> tuple[object, list[str]]:
        assert main(["config", "--json"]) == 0
        settings = ConfigReport.model_validate_json(capsys.readouterr().out).settings
        return next((one.value, one.origins) for one in settings if one.key == "abi-dependency")

    monkeypatch.delenv("VARIANT_ABI_DEPENDENCY", raising=False)
    assert shown() == (None, ["default"])
    (project / "variant-index.toml").write_text("abi-dependency = 'torch==2.8.0'")
    assert shown() == ("torch==2.8.0", [f"{project / 'variant-index.toml'}: abi-dependency"])
    monkeypatch.setenv("VARIANT_ABI_DEPENDENCY", "torch==2.9.0+cu128,numpy==2.3")
    assert shown() == ("torch==2.9.0+cu128,numpy==2.3", ["VARIANT_ABI_DEPENDENCY"])
    (project / "variant-index.toml").write_text("abi-dependency = 'torch'")
    monkeypatch.delenv("VARIANT_ABI_DEPENDENCY")
    assert main(["explain", "thing", "--machine", "cpu", "--no-index"]) == 2
    err = capsys.readouterr().err
    assert f"error: {project / 'variant-index.toml'}: abi-dependency: 'torch' is no version" in err


def test_an_ignored_file_is_shown(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = project / "variant-index.toml"
    path.write_text("prefer = 'version'")
    path.chmod(0o666)
    assert main(["config", "--json"]) == 0
    out, err = capsys.readouterr()
    assert err.startswith(f"warning: {path} is ignored: every user may write it")
    assert json.loads(out)["files"][0]["ignored"] is not None


def test_machine_obeys_a_file(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "variant-index.toml").write_text("machine = 'cuda12.8-sm90'")
    assert main(["machine", "--json"]) == 0
    out, err = capsys.readouterr()
    assert "12.8" in out
    assert err == ""
    assert main(["machine", "--machine", "cpu", "--json"]) == 0
    assert "12.8" not in capsys.readouterr().out
    (project / "variant-index.toml").write_text("machine = 'my box'")
    assert main(["machine"]) == 2
    path = project / "variant-index.toml"
    assert capsys.readouterr().err.startswith(f"error: {path}: machine: my box: no such file")


def test_explain_says_what_a_project_decides(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "site").mkdir()
    (project / "pyproject.toml").write_text(
        "[tool.variant-index]\nindex-url = 'file://" + str(project / "site") + "'\ntorch-index = 'off'"
    )
    assert main(["explain", "thing", "--machine", "cpu"]) != 2
    err = capsys.readouterr().err
    path = project / "pyproject.toml"
    assert f"note: {path} decides where packages come from: index-url, torch-index\n" in err


@pytest.mark.parametrize("command", [["variant_pip"], ["run", "--", "pip"], ["run", "--", "uv", "pip"]])
def test_installers_obey_a_projects_file(project: Path, command: list[str]) -> None:
    program = "import sys; from variant_index.cli import main; sys.exit(main(sys.argv[1:]))"
    start = ["-c", program, *command] if command[0] == "run" else ["-m", "variant_index.cli.variant_pip"]
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PIP_", "UV_", "VARIANT_INDEX_", "VIRTUAL_ENV"))
    }
    with FakeIndex() as index, FakeIndex() as empty:
        add_family(index, project / "files")
        variables = {
            **kept,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "VIRTUAL_ENV": sys.prefix,
            "XDG_CACHE_HOME": str(project / "cache"),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": empty.url,
            "PIP_NO_CACHE_DIR": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "UV_DEFAULT_INDEX": empty.url,
            "UV_CACHE_DIR": str(project / "uv"),
            "UV_NO_CONFIG": "1",
        }

        def install() -> tuple[int, str, list[str]]:
            target = project / "target"
            shutil.rmtree(target, ignore_errors=True)
            done = subprocess.run(
                [sys.executable, *start, "install", "--target", str(target), NAME],
                env=variables,
                capture_output=True,
                text=True,
                timeout=60,
            )
            found = [path.read_text() for path in target.glob("*.dist-info/variant.json")]
            return done.returncode, done.stderr, found

        path = project / "variant-index.toml"
        path.write_text(f"machine = 'cuda12.8'\ntorch-index = 'off'\n[route]\n{NAME} = '{index.url}'\n")
        status, err, found = install()
        assert status == 0, err
        assert '"cu128"' in found[0]
        assert f"note: {path} decides where packages come from: torch-index, route\n" in err
        assert empty.requests == []
        path.chmod(0o666)
        status, err, found = install()
        assert (status == 0, found) == (False, [])
        assert f"warning: {path} is ignored: every user may write it" in err
