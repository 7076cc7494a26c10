"""What Poetry command lines mean: every source of the project by its name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from variant_index.clients.poetry.plugin import OTHER_MACHINES
from variant_index.clients.poetry.take_over import take_over
from variant_index.clients.takeover import AsIs, ClientError, Takeover
from variant_index.shim import every_variant

PYPI = "https://pypi.org/simple"
SOURCES = """\
[[tool.poetry.source]]
name = "Corp.Index"
url = "https://corp.example/simple/"
priority = "{}"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    (tmp_path / "poetry.lock").touch()
    return tmp_path


def taken(text: str, project: Path, **variables: str) -> Takeover:
    environment = {"POETRY_CONFIG_DIR": str(project / "config"), **variables}
    found = take_over("poetry", tuple(text.split()), environment, project)
    assert isinstance(found, Takeover)
    return found


@pytest.mark.parametrize(
    ("sources", "names"),
    [
        ("", ["pypi"]),
        (SOURCES.format("primary"), ["corp.index"]),
        (SOURCES.format("supplemental"), ["corp.index", "pypi"]),
        (SOURCES.format("explicit"), ["corp.index", "pypi"]),
        (SOURCES.format("primary") + '[[tool.poetry.source]]\nname = "PyPI"\n', ["corp.index", "pypi"]),
    ],
)
def test_sources(sources: str, names: list[str], project: Path) -> None:
    (project / "pyproject.toml").write_text(sources)
    indexes = taken("install", project).indexes
    urls = {"corp.index": "https://corp.example/simple/", "pypi": PYPI}
    assert [(index.name, index.urls) for index in indexes] == [(name, (urls[name],)) for name in names]
    assert [index.own for index in indexes] == [name != "pypi" for name in names]


@pytest.mark.parametrize("where", ["variables", "file"])
def test_logins_and_certificates(where: str, project: Path) -> None:
    (project / "pyproject.toml").write_text(SOURCES.format("primary"))
    variables = {}
    if where == "variables":
        prefix = "POETRY_HTTP_BASIC_CORP_INDEX_"
        variables = {f"{prefix}USERNAME": "me", f"{prefix}PASSWORD": "p:w"}
        variables["POETRY_CERTIFICATES_CORP_INDEX_CERT"] = "ca.pem"
    else:
        (project / "config").mkdir()
        (project / "config" / "auth.toml").write_text(
            '[http-basic."Corp.Index"]\nusername = "me"\npassword = "p:w"\n'
        )
        (project / "poetry.toml").write_text('[certificates."Corp.Index"]\ncert = "ca.pem"\n')
    found = taken("install", project, **variables)
    assert found.indexes[0].urls == ("https://me:p%3Aw@corp.example/simple/",)
    assert found.network.cert == "ca.pem"
    unchecked = {"POETRY_CERTIFICATES_CORP_INDEX_CERT": "false"}
    assert taken("install", project, **unchecked).network.trusted_hosts == ("corp.example",)


@pytest.mark.parametrize("text", ["", "--version", "show", "self update", "install --help", "env info"])
def test_what_needs_no_shim(text: str, project: Path) -> None:
    assert isinstance(take_over("poetry", tuple(text.split()), {}, project), AsIs)


def test_poetry_says_itself_that_there_is_no_project(tmp_path: Path) -> None:
    assert isinstance(take_over("poetry", ("install",), {}, tmp_path), AsIs)


def test_no_plugins_is_refused(project: Path) -> None:
    with pytest.raises(ClientError, match="--no-plugins"):
        taken("install --no-plugins", project)


def test_the_project_may_be_elsewhere(project: Path, tmp_path: Path) -> None:
    (project / "inner").mkdir()
    for text in ("-C inner install", "--project=inner install"):
        assert taken(text, project).indexes[0].name == "pypi"


def test_what_writes_a_lock_file_sees_every_variant(project: Path) -> None:
    assert [taken(text, project).locks for text in ("lock", "add x", "update", "install", "sync")] == [
        True,
        True,
        True,
        False,
        False,
    ]
    (project / "poetry.lock").unlink()
    assert taken("install", project).locks


def test_the_child(project: Path, tmp_path: Path) -> None:
    folder = tmp_path / "throw-away"
    child = taken("install -v", project, PYTHONPATH="own").child({"pypi": "http://shim/"}, folder)
    assert child.command == ("poetry", "install", "-v")
    assert child.environment["PYTHONPATH"].startswith(str(folder))
    assert child.environment["PYTHONPATH"].endswith("own")
    told = json.loads(child.environment["VARIANT_INDEX_PLUGIN"])
    assert (told["indexes"], told["pythonpath"]) == ({"pypi": "http://shim/"}, "own")
    (entry_points,) = (text for name, text in child.files.items() if name.endswith("entry_points.txt"))
    assert "[poetry.plugin]" in entry_points
    assert child.proof is not None


def test_the_plugin_knows_what_the_shim_says() -> None:
    assert OTHER_MACHINES == every_variant.OTHER_MACHINES
