"""pip's configuration, held against `pip config list`."""

from __future__ import annotations

import ast
import configparser
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from variant_index.clients.pip.arguments import parse_arguments
from variant_index.clients.pip.configuration import (
    DEFAULT_INDEX,
    PipConfiguration,
    PipConfigurationError,
    configuration_files,
    read_configuration,
)

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="the folders are those of Linux")


def run_pip(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pip", *arguments],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def listed_by_pip(environment: dict[str, str], *options: str) -> dict[str, set[str]]:
    """Return what pip lists; since pip 26 an option that stands in several files has several values."""
    listed: dict[str, set[str]] = {}
    for line in run_pip(environment, "config", "list", *options).splitlines():
        name, _, value = line.partition("=")
        listed.setdefault(name, set()).add(ast.literal_eval(value))
    return listed


def in_effect(environment: dict[str, str]) -> tuple[str, float]:
    """Return the index and the timeout that pip uses, from the defaults in its help."""
    text = " ".join(run_pip(environment, "install", "--help").split())
    index, seconds = (
        re.search(r"\(default (https:\S+)\)", text),
        re.search(r"\(default ([\d.]+) seconds", text),
    )
    assert index is not None
    assert seconds is not None
    return index[1], float(seconds[1])


def agree(ours: dict[str, str], pips: dict[str, set[str]]) -> bool:
    return ours.keys() == pips.keys() and all(value in pips[name] for name, value in ours.items())


def as_listed(configuration: PipConfiguration) -> dict[str, str]:
    variables = {f":env:.{name}": value for name, value in configuration.variables.items()}
    return {**configuration.files, **variables}


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """Return an environment whose files are all below a temporary folder, but for `/etc/pip.conf`."""
    return {
        "HOME": str(tmp_path / "home"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_CONFIG_DIRS": os.pathsep.join([str(tmp_path / "shared1"), str(tmp_path / "shared2")]),
    }


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@linux_only
def test_every_file_and_variable_counts_as_in_pip(home: dict[str, str], tmp_path: Path) -> None:
    write(
        tmp_path / "shared1" / "pip" / "pip.conf",
        "[global]\nindex-url = https://1\ntimeout = 1\nretries = 1\n",
    )
    write(tmp_path / "shared2" / "pip" / "pip.conf", "[global]\nindex_url = https://2\ntimeout = 2\n")
    write(
        tmp_path / "home" / ".pip" / "pip.conf",
        "[global]\nindex-url = https://3\nextra-index-url = https://a\n  https://b\n[install]\nUser = yes\n",
    )
    write(tmp_path / "config" / "pip" / "pip.conf", "[install]\n--find-links = a%20b\n[global]\nproxy =\n")
    variables = {**home, "PIP_INDEX_URL": "https://env", "PIP_no_index": "0", "PIP_TRUSTED_HOST": "h1 h2"}
    found = read_configuration(variables, sys.prefix, isolated=False)
    assert agree(as_listed(found), listed_by_pip(variables))
    plain = parse_arguments(["install", "x"])
    del variables["PIP_INDEX_URL"]
    found = read_configuration(variables, sys.prefix, isolated=False)
    assert (found.index_urls(plain)[0], found.timeout(plain)) == in_effect(variables) == ("https://3", 2)
    isolated = read_configuration(variables, sys.prefix, isolated=True)
    assert agree(as_listed(isolated), listed_by_pip(variables, "--isolated"))
    assert isolated.files["global.index-url"] == "https://2"
    own = write(tmp_path / "own.conf", "[global]\nindex-url = https://own\n")
    variables["PIP_CONFIG_FILE"] = str(own)
    redirected = read_configuration(variables, sys.prefix, isolated=False)
    assert agree(as_listed(redirected), listed_by_pip(variables))
    assert redirected.index_urls(plain)[0] == in_effect(variables)[0] == "https://own"
    assert "install.find-links" not in redirected.files
    variables["PIP_CONFIG_FILE"] = os.devnull
    none = read_configuration(variables, sys.prefix, isolated=False)
    assert agree({name: value for name, value in as_listed(none).items() if value}, listed_by_pip(variables))
    assert none.files["global.retries"] == ""


_NAMES = st.sampled_from(["index-url", "Extra_Index_URL", "find-links", "no-index", "proxy", "--cert"])
_VALUES = st.text("ab:/.%=# \n", max_size=12)
_SECTIONS = st.dictionaries(
    st.sampled_from(["global", "install", "download"]), st.dictionaries(_NAMES, _VALUES)
)


@linux_only
@settings(max_examples=8)
@given(st.lists(_SECTIONS, min_size=3, max_size=3))
def test_any_files_count_as_in_pip(
    tmp_path_factory: pytest.TempPathFactory, contents: list[dict[str, dict[str, str]]]
) -> None:
    folder = tmp_path_factory.mktemp("configuration")
    variables = {"HOME": str(folder / "home"), "XDG_CONFIG_DIRS": str(folder / "shared")}
    places = ["shared/pip/pip.conf", "home/.pip/pip.conf", "home/.config/pip/pip.conf"]
    for place, sections in zip(places, contents, strict=True):
        lines = []
        for section, options in sections.items():
            lines += [f"[{section}]", *(f"{name} = {value}" for name, value in options.items())]
        write(folder / place, "\n".join(lines) + "\n")
    try:
        found = read_configuration(variables, sys.prefix, isolated=False)
    except PipConfigurationError:
        with pytest.raises(subprocess.CalledProcessError):
            listed_by_pip(variables)
    else:
        assert agree(as_listed(found), listed_by_pip(variables))


def configuration(files: dict[str, str], **variables: str) -> PipConfiguration:
    return PipConfiguration(files, {name.replace("_", "-"): value for name, value in variables.items()})


def test_sources_by_precedence() -> None:
    plain = parse_arguments(["install", "x"])
    files = {
        "global.index-url": "https://global",
        "global.extra-index-url": "https://e1\nhttps://e2",
        "download.index-url": "https://download",
    }
    assert configuration({}).index_urls(plain) == (DEFAULT_INDEX,)
    assert configuration(files).index_urls(plain) == ("https://global", "https://e1", "https://e2")
    download = parse_arguments(["download", "x"])
    assert configuration(files).index_urls(download)[0] == "https://download"
    assert configuration(files, index_url="https://env").index_urls(download)[0] == "https://env"
    assert configuration(files, index_url="").index_urls(download)[0] == "https://download"
    assert configuration({"global.pypi-url": "https://alias"}).index_urls(plain) == ("https://alias",)
    replaced = {**files, "install.extra-index-url": "https://e3"}
    assert configuration(replaced).index_urls(plain) == ("https://global", "https://e3")
    assert configuration(replaced, extra_index_url="https://e4").index_urls(plain) == (
        "https://global",
        "https://e4",
    )
    line = parse_arguments(["install", "-i", "https://line", "--extra-index-url", "https://e5"])
    assert configuration(files).index_urls(line) == ("https://line", "https://e1", "https://e2", "https://e5")
    assert configuration({}, find_links="a b").values(parse_arguments(["install", "-fc"]), "find-links") == (
        "a",
        "b",
        "c",
    )


def test_no_index() -> None:
    plain = parse_arguments(["install", "x"])
    assert configuration({}, no_index="1").index_urls(plain) == ()
    assert configuration({"install.no-index": "Yes"}).index_urls(plain) == ()
    assert configuration({"install.no-index": "yes"}, no_index="0").index_urls(plain) == (DEFAULT_INDEX,)
    assert (
        configuration({}).index_urls(parse_arguments(["install", "--no-index", "--extra-index-url=u"])) == ()
    )


def test_flags() -> None:
    plain = parse_arguments(["install", "x"])
    assert configuration({}, quiet="2").flag(plain, "quiet")
    assert not configuration({}, quiet="0").flag(plain, "quiet")
    assert not configuration({"global.quiet": ""}).flag(plain, "quiet")
    assert configuration({}).flag(parse_arguments(["install", "-q"]), "quiet")


def test_timeout() -> None:
    plain = parse_arguments(["install", "x"])
    assert configuration({}).timeout(plain) == 15
    assert configuration({"global.timeout": "4"}, default_timeout="60").timeout(plain) == 60
    assert configuration({}).timeout(parse_arguments(["install", "--timeout", "2.5"])) == 2.5
    for bad in ("soon", "-1", "0", "nan", "inf"):
        with pytest.raises(PipConfigurationError, match="timeout"):
            configuration({"global.timeout": bad}).timeout(plain)


@pytest.mark.parametrize(
    "data",
    [
        b"no section = 1\n",
        b"[global]\nindex-url = \xff\xfe\n",
        b"[global]\na = 1\nA = 2\na = 3\n",
        b"[a]\n[a]\n",
    ],
)
def test_a_file_that_pip_cannot_read_is_named(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "pip.conf"
    path.write_bytes(data)
    with pytest.raises(PipConfigurationError) as caught:
        read_configuration(
            {"PIP_CONFIG_FILE": str(path), "HOME": str(tmp_path)}, str(tmp_path / "x"), isolated=False
        )
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_windows_and_macos_files() -> None:
    windows = configuration_files(
        {"USERPROFILE": "C:\\U", "APPDATA": "C:\\U\\R", "PROGRAMDATA": "C:\\P"},
        "C:\\venv",
        isolated=False,
        platform="win32",
    )
    assert [file.replace("/", "\\") for file in windows] == [
        "C:\\P\\pip\\pip.ini",
        "C:\\U\\pip\\pip.ini",
        "C:\\U\\R\\pip\\pip.ini",
        "C:\\venv\\pip.ini",
    ]
    macos = configuration_files({"HOME": "/Users/u"}, "/venv", isolated=False, platform="darwin")
    assert macos == [
        "/Library/Application Support/pip/pip.conf",
        "/Users/u/.pip/pip.conf",
        "/Users/u/.config/pip/pip.conf",
        "/venv/pip.conf",
    ]


def test_a_configparser_detail_this_relies_on() -> None:
    parser = configparser.RawConfigParser()
    parser.read_string("[a]\nb = 1 %(c)s\n  2\n")
    assert parser.get("a", "b") == "1 %(c)s\n2"
