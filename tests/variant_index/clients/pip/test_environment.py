"""What pip's child process gets."""

from __future__ import annotations

import configparser

from hypothesis import given
from hypothesis import strategies as st

from variant_index.clients.pip.configuration import PipConfiguration
from variant_index.clients.pip.environment import ChildSettings, child_settings

SHIM = "http://127.0.0.1:9/t/simple/"


def settings_for(
    environment: dict[str, str],
    files: dict[str, str] | None = None,
    *,
    proxy: str | None = None,
    isolated: bool = False,
) -> ChildSettings:
    configuration = PipConfiguration(files or {}, {})
    return child_settings(environment, configuration, index_url=SHIM, proxy=proxy, isolated=isolated)


def test_sources_are_replaced_and_nothing_else() -> None:
    before = {
        "PATH": "/bin",
        "PIP_USER": "1",
        "PIP_pypi_url": "x",
        "PIP_EXTRA_INDEX_URL": "y",
        "PIP_CERT": "c",
    }
    settings = settings_for(before, {"global.extra-index-url": "z"})
    assert settings.environment == {
        "PATH": "/bin",
        "PIP_USER": "1",
        "PIP_CERT": "c",
        "PIP_INDEX_URL": SHIM,
        "PIP_EXTRA_INDEX_URL": " ",
        "PIP_FIND_LINKS": " ",
        "PIP_NO_INDEX": "0",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }
    assert settings.configuration is None


def test_the_shim_needs_no_proxy() -> None:
    for former in ({"NO_PROXY": "a,b"}, {"no_proxy": "a,b"}, {"no_proxy": "a,b", "NO_PROXY": "c"}):
        assert settings_for(former).environment["no_proxy"] == "a,b,127.0.0.1"
    assert settings_for({"no_proxy": "*"}).environment["no_proxy"] == "*"


def test_a_proxy_becomes_a_variable() -> None:
    settings = settings_for({"PIP_PROXY": "p", "NO_PROXY": "everything"}, proxy="http://p:1")
    assert "PIP_PROXY" not in settings.environment
    assert {settings.environment[f"{name}_proxy"] for name in ("http", "https")} == {"http://p:1"}
    assert settings.environment["NO_PROXY"] == "127.0.0.1"
    assert settings.configuration is None


def parsed(settings: ChildSettings) -> dict[str, str]:
    assert settings.configuration is not None
    parser = configparser.RawConfigParser()
    parser.read_string(settings.configuration)
    return {
        f"{section}.{name}": value for section in parser.sections() for name, value in parser.items(section)
    }


def test_a_proxy_in_a_file_is_undone() -> None:
    files = {"global.proxy": "http://p:1", "install.user": "yes", "freeze.all": "1"}
    found = parsed(settings_for({}, files, proxy="http://p:1"))
    assert found["global.proxy"] == found["install.proxy"] == ""
    assert found["install.user"] == "yes"
    assert found["freeze.all"] == "1"


def test_isolated_gets_a_file() -> None:
    found = parsed(settings_for({}, {"install.extra-index-url": "z", "global.cert": "c"}, isolated=True))
    for section in ("global", "install", "download", "wheel", "index", "lock"):
        assert found[f"{section}.index-url"] == SHIM
        for name in ("extra-index-url", "find-links", "no-index", "pypi-url"):
            assert found[f"{section}.{name}"] == ""
    assert found["global.cert"] == "c"


_VALUE = st.text(st.characters(codec="ascii", exclude_categories=["C"]), max_size=20).map(str.strip)
_FILES = st.dictionaries(
    st.builds(
        "{}.{}".format,
        st.sampled_from(["global", "install", "x y"]),
        st.sampled_from(["cert", "user", "a-b"]),
    ),
    st.lists(_VALUE.filter(lambda line: line and line[0] not in "#;"), max_size=3).map("\n".join),
)


@given(_FILES)
def test_other_settings_survive_the_file(files: dict[str, str]) -> None:
    found = parsed(settings_for({}, files, isolated=True))
    assert {name: found[name] for name in files} == files
