"""What pdm command lines mean: the sources of the project and the user, as one."""

from __future__ import annotations

from pathlib import Path

import pytest

from variant_index.clients.pdm.take_over import take_over
from variant_index.clients.takeover import AsIs, ClientError, Takeover

PYPI = "https://pypi.org/simple"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    (tmp_path / "pdm.lock").touch()
    (tmp_path / "config.toml").touch()
    return tmp_path


def taken(text: str, project: Path, **variables: str) -> Takeover:
    environment = {"PDM_CONFIG_FILE": str(project / "config.toml"), **variables}
    allow = environment.pop("allow", "") == "yes"
    found = take_over("pdm", tuple(text.split()), environment, project, allow_loopback_lock=allow)
    assert isinstance(found, Takeover)
    return found


@pytest.mark.parametrize(
    ("pyproject", "config", "variables", "urls"),
    [
        ("", "", {}, [PYPI]),
        ("", "", {"PDM_PYPI_URL": "http://v/"}, ["http://v/"]),
        ("", '[pypi]\nurl = "http://c/"\n', {}, ["http://c/"]),
        ("", '[pypi.extra]\nurl = "http://e/"\n', {}, [PYPI, "http://e/"]),
        ("", '[pypi.extra]\nurl = "http://e/"\n', {"PDM_IGNORE_STORED_INDEX": "1"}, []),
        ('name = "a"\nurl = "http://a/"', "", {}, [PYPI, "http://a/"]),
        ('name = "pypi"\nurl = "http://p/"', '[pypi]\nurl = "http://c/"\n', {}, ["http://p/"]),
        (
            'name = "a"\nurl = "http://a/"',
            '[pypi.a]\nusername = "me"\npassword = "p/w"\n',
            {"PDM_IGNORE_STORED_INDEX": "true"},
            ["http://me:p%2Fw@a/"],
        ),
    ],
)
def test_sources(
    pyproject: str, config: str, variables: dict[str, str], urls: list[str], project: Path
) -> None:
    (project / "pyproject.toml").write_text(f"[[tool.pdm.source]]\n{pyproject}\n" if pyproject else "")
    (project / "config.toml").write_text(config)
    (index,) = taken("install", project, **variables).indexes
    assert list(index.urls) == urls
    assert index.own == ('"pypi"' in pyproject)


def test_kinds_of_sources(project: Path) -> None:
    (project / "pyproject.toml").write_text(
        '[[tool.pdm.source]]\nname = "pypi"\nurl = "https://p.example/"\nverify_ssl = false\n'
        '[[tool.pdm.source]]\nname = "l"\nurl = "https://l.example/"\ntype = "find_links"\n'
    )
    found = taken("install", project)
    assert found.indexes[0].urls == ("https://p.example/",)
    assert found.indexes[0].find_links == ("https://l.example/",)
    assert found.network.trusted_hosts == ("p.example",)


def test_limited_sources_are_refused(project: Path) -> None:
    (project / "pyproject.toml").write_text(
        '[[tool.pdm.source]]\nname = "a"\nurl = "http://a/"\ninclude_packages = ["x"]\n'
    )
    with pytest.raises(ClientError, match="limited to some packages"):
        taken("install", project)


@pytest.mark.parametrize("text", ["", "--version", "list", "run x", "install -h"])
def test_what_needs_no_shim(text: str, project: Path) -> None:
    found = take_over("pdm", tuple(text.split()), {}, project, allow_loopback_lock=False)
    assert isinstance(found, AsIs)


STATIC = '[metadata]\nstrategy = ["static_urls"]\n'


@pytest.mark.parametrize(
    ("text", "lock", "variables"),
    [
        ("lock --static-urls", "", {}),
        ("lock -S cross_platform,static_urls", "", {}),
        ("update", STATIC, {}),
        ("lock -L pylock.toml", "", {}),
        ("lock", 'lock-version = "1.0"\n', {}),
        ("lock", "", {"PDM_LOCK_FORMAT": "pylock"}),
    ],
)
def test_addresses_in_lock_files_are_refused(
    text: str, lock: str, variables: dict[str, str], project: Path
) -> None:
    (project / "pdm.lock").write_text(lock)
    with pytest.raises(ClientError, match="--allow-loopback-lock"):
        taken(text, project, **variables)
    assert taken(text, project, allow="yes", **variables).locks


def test_other_lock_files_are_clean(project: Path) -> None:
    (project / "pdm.lock").write_text(STATIC)
    assert taken("lock --no-static-urls", project).locks
    assert not taken("sync", project).locks
    (project / "pdm.lock").unlink()
    assert taken("install", project).locks


def test_the_project_may_be_elsewhere(project: Path) -> None:
    (project / "pyproject.toml").write_text('[[tool.pdm.source]]\nname = "pypi"\nurl = "http://p/"\n')
    (project / "inner").mkdir()
    other = project / "inner"
    for found in (
        taken(f"install -p {project}", other, PDM_CONFIG_FILE=""),
        taken("install", other, PDM_PROJECT=str(project)),
        taken("install", other),
    ):
        assert found.indexes[0].urls == ("http://p/",)
