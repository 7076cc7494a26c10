"""Which of several sayings counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from variant_index.configuration import effective, files
from variant_index.configuration.effective import Configuration, read_configuration
from variant_index.configuration.files import SettingsFile
from variant_index.configuration.settings import SETTINGS, Setting, by_key
from variant_index.configuration.values import SettingError, parse_item, parse_text
from variant_index.errors import InputError, VariantIndexError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose user and site files are under `user` and `site`, and whose project is `project`."""
    monkeypatch.setattr(
        files, "settings_folders", lambda: iter([(tmp_path / "user", "user"), (tmp_path / "site", "site")])
    )
    for name in ("user", "site", "project"):
        (tmp_path / name).mkdir()
    return tmp_path


def write(folder: Path, text: str, name: str = "variant-index.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)
    return path


def read(home: Path, environment: dict[str, str] | None = None, **said: object) -> Configuration:
    known = {key.replace("_", "-"): value for key, value in said.items()}
    return read_configuration(environment or {}, home / "project", known)


def test_nothing_is_said(home: Path) -> None:
    found = read(home)
    assert {key: one.value for key, one in found.effective.items()} == {
        setting.key: setting.default for setting in SETTINGS
    }
    assert all(one.origins == ("default",) for one in found.effective.values())
    assert (found.files, found.notes, found.warnings) == ((), (), ())


def test_the_one_precedence(home: Path) -> None:
    places = [write(home / name, f"timeout = {n}") for n, name in enumerate(["site", "user", "project"], 1)]
    for n, place in enumerate(places, 1):
        others = [(other, other.read_text()) for other in places[n:]]
        for other, _ in others:
            other.unlink()
        found = read(home)
        assert (found.seconds("timeout"), found.effective["timeout"].origins) == (n, (f"{place}: timeout",))
        for other, text in others:
            write(other.parent, text)
    variable = {"VARIANT_INDEX_TIMEOUT": "4"}
    assert read(home, variable).effective["timeout"].origins == ("VARIANT_INDEX_TIMEOUT",)
    found = read(home, variable, timeout="5")
    assert (found.seconds("timeout"), found.effective["timeout"].origins) == (5, ("--timeout",))
    assert found.is_given("timeout")
    assert not read(home, variable).is_given("timeout")
    assert read(home, {"VARIANT_INDEX_TIMEOUT": " "}).seconds("timeout") == 3


def test_routes_add_up_in_order(home: Path) -> None:
    project = write(home / "project", 'merge = ["c", "a"]\n[route]\n"*" = "sub/index"\n')
    write(home / "user", '[route]\n"b" = "https://user.example/s"\n')
    found = read(home, {"VARIANT_INDEX_ROUTE": "a=https://e.example/?x=y"}, route=["x=/folder with blanks"])
    assert found.items("route") == (
        "x=/folder with blanks",
        "a=https://e.example/?x=y",
        f"*={project.parent}/sub/index",
        "b=https://user.example/s",
    )
    assert read(home, merge=["a,b", "d"]).items("merge") == ("a", "b", "d", "c")


def test_a_flag_is_switched_off_again(home: Path) -> None:
    write(home / "user", "keep-address = true")
    assert read(home).flag("keep-address")
    assert not read(home, {"VARIANT_INDEX_KEEP_ADDRESS": "0"}).flag("keep-address")
    assert read(home, {"VARIANT_INDEX_KEEP_ADDRESS": "0"}, keep_address=True).flag("keep-address")


def test_paths_begin_at_their_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(home))
    (home / "user" / "box").write_text("{}")
    text = (
        'machine = "box"\ncert = "a.pem"\nclient-cert = "~/b.pem"\nfind-links = ["w", "https://x.example/w"]'
    )
    user = write(home / "user", text).parent
    found = read(home)
    assert found.text("machine") == str(user / "box")
    assert (found.text("cert"), found.text("client-cert")) == (str(user / "a.pem"), str(home / "b.pem"))
    assert found.items("find-links") == (str(user / "w"), "https://x.example/w")
    write(home / "user", 'machine = "cuda12.8"\ntorch-index = "off"')
    assert (read(home).text("machine"), read(home).text("torch-index")) == ("cuda12.8", "off")
    assert read(home, {"VARIANT_INDEX_CERT": "a.pem"}).text("cert") == "a.pem"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prefr = 'version'", "prefr is no setting; prefer is"),
        ("zzzz = 1", "zzzz is no setting; there are machine, detection-timeout,"),
        ("prefer = 'newest'", "prefer is 'newest'; it can be hardware or version"),
        ("prefer = 1", "prefer is 1; it must be a text in quotes"),
        ("machine = ''", "machine is empty, too long, or has a character that no name has"),
        ("keep-address = 'yes'", "keep-address is 'yes'; it can be true or false"),
        ("keep-address = 1", "keep-address is 1; it can be true or false"),
        ("detection-timeout = true", "detection-timeout is True, not a number of seconds from 0.1 to 3600"),
        ("detection-timeout = nan", "detection-timeout is nan, not a number of seconds from 0.1 to 3600"),
        ("detection-timeout = 1e9", "detection-timeout is 1000000000.0, not a number of seconds"),
        ("merge = 'a'", 'merge is no list of texts: ["…", "…"]'),
        ("merge = [1]", "merge is no list of texts"),
        ("route = ['a=b']", 'route is no table of texts: { "torch*" = "https://…" }'),
        ("route.x = 1", "route is no table of texts"),
        ("prefer = 'https://u:secretword@x'", "prefer is x'; it can be"),
        ("[[", "not TOML"),
    ],
)
def test_errors_name_file_and_key_in_one_line(home: Path, text: str, message: str) -> None:
    path = write(home / "project", text)
    with pytest.raises(SettingError) as caught:
        read(home)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert str(caught.value).isprintable()
    assert "secretword" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("PREFER", "newest", "VARIANT_INDEX_PREFER is 'newest'; it can be hardware or version"),
        ("TIMEOUT", "soon", "VARIANT_INDEX_TIMEOUT is 'soon', not a number of seconds from 0.1 to 3600"),
        ("TIMEOUT", "0", "VARIANT_INDEX_TIMEOUT is 0.0, not a number of seconds"),
        ("ALLOW_UNHASHED", "maybe\x1b", r"VARIANT_INDEX_ALLOW_UNHASHED is 'maybe\x1b'; it can be 1 or 0"),
    ],
)
def test_errors_name_the_variable(home: Path, variable: str, text: str, message: str) -> None:
    with pytest.raises(SettingError) as caught:
        read(home, {f"VARIANT_INDEX_{variable}": text})
    assert str(caught.value).startswith(message)
    assert str(caught.value).isprintable()


def test_values_that_turn_out_bad_later_name_their_origin(home: Path) -> None:
    path = write(home / "project", "torch-backends = ['cuda13']")

    def use(found: Configuration) -> None:
        with found.naming("torch-backends"):
            raise InputError("no such backend")

    with pytest.raises(SettingError, match=f"^{path}: torch-backends: no such backend$"):
        use(read(home))
    with pytest.raises(InputError, match=r"^no such backend$"):
        use(read(home, torch_backends=["cuda13"]))


def test_only_what_a_command_uses_is_noted(home: Path) -> None:
    path = write(home / "project", "index-url = 'https://a.example/s'\nprefer = 'version'\nmerge = ['a']")
    assert read(home).notes == (f"{path} decides where packages come from: index-url, merge",)
    assert read_configuration({}, home / "project", keys=["prefer", "merge"]).notes == (
        f"{path} decides where packages come from: merge",
    )
    assert read_configuration({}, home / "project", keys=["prefer"]).notes == ()
    assert read(home, {"VARIANT_INDEX_INDEX_URL": "https://b.example"}).notes == (
        f"{path} decides where packages come from: merge",
    )
    write(home / "user", path.read_text())
    path.unlink()
    assert read(home).notes == ()


@pytest.mark.parametrize("key", [setting.key for setting in SETTINGS if setting.not_in_projects])
def test_what_weakens_checks_is_not_the_projects_to_say(home: Path, key: str) -> None:
    kind = by_key(key).kind
    choice = (by_key(key).choices or ("x",))[0]
    value = {"flag": "true", "seconds": "1", "list": "['x']"}.get(kind, f"'{choice}'")
    path = write(home / "project", f"{key} = {value}")
    with pytest.raises(SettingError, match=f"^{path}: {key} may not stand in a project's file"):
        read(home)
    write(home / "user", path.read_text())
    path.unlink()
    assert read(home).is_set(key)


def test_the_dangerous_settings_are_marked() -> None:
    kept_out = {setting.key for setting in SETTINGS if setting.not_in_projects}
    assert kept_out >= {"allow-unhashed", "trusted-host", "cert", "proxy", "keyring-provider", "listen"}
    said = {setting.key for setting in SETTINGS if setting.changes_sources}
    assert said >= {"route", "merge", "index-url", "extra-index-url", "find-links", "torch-index", "no-index"}


def outcome(read: Callable[[], object]) -> object:
    """Return what a reader returns, or its error's message."""
    try:
        return read()
    except VariantIndexError as error:
        return f"error {error}"


@given(st.sampled_from(SETTINGS), st.text(max_size=30))
def test_any_text_is_a_value_or_an_error(setting: Setting, text: str) -> None:
    found = outcome(lambda: parse_text(setting, text, "here"))
    assert found is None or isinstance(found, (str, bool, float, tuple))
    assert not str(found).startswith("error") or str(found).isprintable()


@given(
    st.sampled_from([setting.key for setting in SETTINGS] + ["", "x\n\x1b", "a" * 500]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    ),
)
def test_any_toml_is_a_value_or_an_error(key: str, item: object) -> None:
    found = outcome(lambda: effective._table(SettingsFile(Path("/p/x.toml"), "user", {key: item})))
    assert isinstance(found, dict) or (str(found).isprintable() and len(str(found)) < 1000)


def test_too_many_items() -> None:
    with pytest.raises(SettingError, match="more than 1000 items"):
        parse_item(by_key("merge"), ["a"] * 1001, "here", Path("/"))
