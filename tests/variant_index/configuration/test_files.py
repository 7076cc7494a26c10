"""Which files are found, and whose are believed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import platformdirs
import pytest

from variant_index.configuration import files
from variant_index.configuration.files import SettingsFile, read_files
from variant_index.configuration.values import SettingError

FOLDERS = files.settings_folders


@pytest.mark.parametrize(
    "variables", [{}, {"XDG_CONFIG_HOME": "/a b", "XDG_CONFIG_DIRS": "/x:/y"}, {"XDG_CONFIG_HOME": " "}]
)
def test_the_folders_are_platformdirs(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CONFIG_HOME", "XDG_CONFIG_DIRS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    user = platformdirs.user_config_path("variant-index", appauthor=False)
    site = platformdirs.site_config_path("variant-index", appauthor=False)
    assert list(FOLDERS()) == [(user, "user"), (site, "site")]


@pytest.fixture(autouse=True)
def no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "settings_folders", lambda: iter(()))


def found(folder: Path, named: str | None = None) -> list[tuple[str, dict[str, object]]]:
    return [(str(file.path), dict(file.table)) for file in read_files(folder, named)]


def write(path: Path, text: str = "prefer = 'version'", mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_nearest_one_upwards(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b" / "c"
    inner.mkdir(parents=True)
    top = write(tmp_path / "variant-index.toml", "timeout = 1")
    assert found(inner) == [(str(top), {"timeout": 1})]
    project = write(tmp_path / "a" / "pyproject.toml", "[tool.variant-index]\ntimeout = 2")
    assert found(inner) == [(str(project), {"timeout": 2})]
    own = write(tmp_path / "a" / "variant-index.toml", "timeout = 3")
    assert found(inner) == [(str(own), {"timeout": 3})]
    write(tmp_path / "a" / "b" / "pyproject.toml", "[project]\nname = 'variant-index'")
    write(inner / "pyproject.toml", "[[ no TOML, and nothing of ours")
    assert found(inner) == [(str(own), {"timeout": 3})]


def test_a_folder_of_that_name_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "variant-index.toml").mkdir()
    os.mkfifo(tmp_path / "pyproject.toml")
    assert found(tmp_path) == []


def test_one_by_name_or_none(tmp_path: Path) -> None:
    write(tmp_path / "variant-index.toml", "timeout = 1")
    named = write(tmp_path / "other.toml", "timeout = 2")
    assert found(tmp_path, str(named)) == [(str(named), {"timeout": 2})]
    assert found(tmp_path, "off") == []
    with pytest.raises(SettingError, match="VARIANT_INDEX_CONFIG is /no/such: no such file"):
        read_files(tmp_path, "/no/such")
    project = write(tmp_path / "pyproject.toml", "[tool.variant-index]\ntimeout = 3")
    assert found(tmp_path, str(project)) == [(str(project), {"timeout": 3})]


def only(folder: Path) -> SettingsFile:
    (file,) = read_files(folder)
    return file


def test_what_everyone_may_write_is_ignored(tmp_path: Path) -> None:
    path = write(tmp_path / "variant-index.toml", mode=0o666)
    assert only(tmp_path).ignored == f"{path} is ignored: every user may write it; chmod o-w {path}"
    assert only(tmp_path).table == {}
    path.chmod(0o664)
    assert only(tmp_path).ignored is None


def test_what_another_user_wrote_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "variant-index.toml", "[[ it is not even parsed")
    if os.getuid() == 0:
        os.chown(path, 65534, 65534)
    else:
        monkeypatch.setattr(os, "getuid", lambda: os.geteuid() + 1)
    assert only(tmp_path).ignored == f"{path} is ignored: it belongs to another user"
    # It does not hide the project's absence of settings either: nothing above it counts instead.
    write(tmp_path / "sub" / "x", "")
    assert only(tmp_path / "sub").table == {}


def test_another_users_link_to_an_own_file_is_ignored(tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give a link away")
    write(tmp_path / "mine" / "variant-index.toml")
    (tmp_path / "shared").mkdir()
    link = tmp_path / "shared" / "variant-index.toml"
    link.symlink_to(tmp_path / "mine" / "variant-index.toml")
    assert only(tmp_path / "shared").ignored is None
    os.lchown(link, 65534, 65534)
    assert only(tmp_path / "shared").ignored == f"{link} is ignored: it belongs to another user"


def test_limits(tmp_path: Path) -> None:
    path = write(tmp_path / "variant-index.toml", "#" * ((1 << 20) + 1))
    with pytest.raises(SettingError, match=f"{path}: larger than 1 MB, refused"):
        read_files(tmp_path)
    write(path, "a = " + "[" * 200_000)
    with pytest.raises(SettingError, match="not TOML"):
        read_files(tmp_path)
    path.write_bytes(b"a = '\xff'")
    with pytest.raises(SettingError, match="not TOML"):
        read_files(tmp_path)
    path.unlink()
    write(tmp_path / "pyproject.toml", "[tool]\nvariant-index = 1")
    with pytest.raises(SettingError, match="is no table"):
        read_files(tmp_path)


def test_no_parser_without_a_file(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", "[project]\nname = 'x'")
    code = (
        "import sys, os\nfrom pathlib import Path\n"
        "from variant_index.configuration.effective import read_configuration\n"
        "read_configuration({}, Path.cwd())\n"
        "names = ['platformdirs'] if sys.platform == 'linux' else []\n"
        "print([name for name in (*names, 'tomllib', 'tomli', 'click', 'pydantic') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "XDG_CONFIG_DIRS": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "[]\n", done.stderr
