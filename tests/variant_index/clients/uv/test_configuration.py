"""uv's configuration: which files count, in which order, and what is left without the sources."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from variant_index.clients.toml_file import TomlFileError, read_toml
from variant_index.clients.uv.configuration import read_configuration, toml_text

VALUE = st.recursive(
    st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.datetimes(min_value=datetime.datetime(1000, 1, 1)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)


@given(st.dictionaries(TEXT, VALUE, max_size=4))
def test_what_is_written_is_read_again(table: dict[str, object]) -> None:
    tomllib = pytest.importorskip("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        text = toml_text(table).encode().decode()
    except UnicodeEncodeError:
        return
    assert tomllib.loads(text) == table


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    write(tmp_path / "home/.config/uv/uv.toml", '[[index]]\nname = "user"\nurl = "http://u/"\n')
    write(tmp_path / "xdg/uv/uv.toml", 'index-url = "http://s/"\n[pip]\nfind-links = ["http://l/"]\n')
    return {"HOME": str(tmp_path / "home"), "XDG_CONFIG_DIRS": str(tmp_path / "xdg")}


def test_the_projects_file_comes_first(tmp_path: Path, environment: dict[str, str]) -> None:
    project = tmp_path / "project"
    write(project / "pyproject.toml", '[tool.uv]\nindex = [{url = "http://p/"}]\n')
    write(project / "inner" / "pyproject.toml", "[project]\nname = 'without'\n")
    found = read_configuration(environment, project / "inner", platform="linux")
    assert [one["url"] for one in found.indexes()] == ["http://p/", "http://u/"]
    assert found.first("index-url") == "http://s/"
    assert found.all("find-links") == ["http://l/"]
    write(project / "uv.toml", "")
    found = read_configuration(environment, project, platform="linux")
    assert [one["url"] for one in found.indexes()] == ["http://u/"]


def test_a_named_file_replaces_all_others(tmp_path: Path, environment: dict[str, str]) -> None:
    write(tmp_path / "own.toml", 'index-url = "http://o/"\n')
    found = read_configuration(environment, tmp_path, config_file="own.toml", platform="linux")
    assert (found.indexes(), found.first("index-url")) == ([], "http://o/")
    assert read_configuration(environment, tmp_path, no_config=True).tables == ()


def test_a_file_that_is_no_toml(tmp_path: Path) -> None:
    write(tmp_path / "uv.toml", "index = [")
    with pytest.raises(TomlFileError, match=r"uv\.toml: not TOML"):
        read_configuration({"HOME": str(tmp_path)}, tmp_path)


def test_uv_reads_what_is_left(tmp_path: Path) -> None:
    """Everything but the sources stays in effect, and uv accepts the file."""
    text = """\
[tool.uv]
index = [{name = "a", url = "http://127.0.0.1:9/"}]
find-links = ["http://127.0.0.1:9/l/"]
torch-backend = "cpu"
prerelease = "allow"
override-dependencies = ["x<2"]
environments = ["sys_platform == 'linux'"]
dev-dependencies = []
[tool.uv.sources]
x = { index = "a" }
[tool.uv.pip]
extra-index-url = ["http://127.0.0.1:9/e/"]
torch-backend = "cpu"
generate-hashes = true
"""
    write(tmp_path / "pyproject.toml", text)
    found = read_configuration({"HOME": str(tmp_path), "XDG_CONFIG_DIRS": "/nowhere"}, tmp_path)
    assert found.names_sources
    write(tmp_path / "left.toml", found.text_without_sources())
    left = read_toml(tmp_path / "left.toml")
    overrides = {"override-dependencies": ["x<2"]}
    assert left == {"prerelease": "allow", **overrides, "pip": {"generate-hashes": True}}
    done = subprocess.run(
        [sys.executable, "-m", "uv", "pip", "list", "--python", sys.executable],
        env={**os.environ, "UV_CONFIG_FILE": str(tmp_path / "left.toml"), "UV_NO_CONFIG": "0"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr
