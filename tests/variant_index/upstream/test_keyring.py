from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.variant_index.upstream.keyrings import make_program
from variant_index.upstream.keyring import Keyring, KeyringError, parse_keyring_provider
from variant_index.upstream.login import Login

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="scripts as programs")

PACKAGE = """
class Credential:
    username, password = "someone", "secret"
def get_credential(service, user):
    if service == "loud":
        raise RuntimeError("no backend")
    return Credential if service == "known" and user in (None, "someone") else None
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "keyring.py").write_text(PACKAGE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "lib"))


def test_providers() -> None:
    assert parse_keyring_provider(" Import ") == "import"
    with pytest.raises(KeyringError, match="auto, import, subprocess, disabled"):
        parse_keyring_provider("1password")


def test_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = make_program(tmp_path / "bin", monkeypatch, {("s", "u"): "pw ü", ("s", ""): "other"})
    keyring = Keyring("subprocess")
    assert keyring.find("s", "u") == Login("u", "pw ü")
    assert keyring.find("s", None) == Login("user", "other")
    assert keyring.find("t", None) is None
    assert log.read_text().splitlines()[0] == "get s u"
    assert Keyring("disabled").find("s", "u") is None


@pytest.mark.usefixtures("package")
def test_the_package_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = make_program(tmp_path / "bin", monkeypatch, {("known", "someone"): "program's"})
    assert Keyring("auto").find("known", "someone") == Login("someone", "secret")
    assert Keyring("import").find("known", None) == Login("someone", "secret")
    assert Keyring("auto").find("unknown", "someone") is None
    assert Keyring("auto").find("loud", None) is None
    assert not log.exists()
    assert Keyring("subprocess").find("known", "someone") == Login("someone", "program's")


def test_auto_falls_back_to_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_program(tmp_path / "bin", monkeypatch, {("s", "u"): "pw"})
    python = str(tmp_path / "python")
    (tmp_path / "python").write_text("#!/bin/sh\nexit 77\n")  # an interpreter without the package
    (tmp_path / "python").chmod(0o755)
    assert Keyring("auto", python).find("s", "u") == Login("u", "pw")
    assert Keyring("import", python).find("s", "u") is None


def test_without_any_keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Keyring("subprocess").find("s", "u") is None
    assert Keyring("import", str(tmp_path / "missing")).find("s", "u") is None


@pytest.mark.parametrize("answer", ["", "null", "[1]", '["a"]', '{"username": 1}', "no json", '["a", null]'])
def test_odd_answers_are_none(answer: str, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\ncat > /dev/null\nprintf '%s' '{answer}'\n")
    python.chmod(0o755)
    assert Keyring("import", str(python)).find("s", None) is None


@pytest.mark.usefixtures("package")
def test_nothing_secret_is_on_a_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = tmp_path / "seen"
    wrapper = tmp_path / "python"
    wrapper.write_text(f'#!/bin/sh\necho "$@" > {seen}\nexec {sys.executable} "$@"\n')
    wrapper.chmod(0o755)
    assert Keyring("import", str(wrapper)).find("known", "someone") == Login("someone", "secret")
    assert "someone" not in seen.read_text()


def test_a_hanging_keyring_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("variant_index.upstream.keyring._SECONDS", 0.2)
    (tmp_path / "keyring").write_text("#!/bin/sh\nexec sleep 30\n")
    (tmp_path / "keyring").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert Keyring("subprocess").find("s", "u") is None
