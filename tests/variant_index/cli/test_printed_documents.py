"""Reports and lock files that pip prints: what the user gets names the files upstream."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.making import make_wheel
from tests.variant_index.cli.test_variant_pip import Shell, posix_only, said
from tests.variant_index.shim.family import NAME, add_family
from tests.variant_index.upstream.fake_index import FakeIndex

pytestmark = posix_only

OWN_PIP = {"VIRTUAL_ENV": sys.prefix}  # 25.1 or newer, for `pip lock`
DRY_RUN = ("install", "--dry-run", "--ignore-installed")
FILE = f"{NAME}-2.0-py3-none-any-cu128.whl"


@pytest.fixture
def index(tmp_path: Path) -> Iterator[FakeIndex]:
    with FakeIndex() as index:
        add_family(index, tmp_path / "upstream")
        yield index


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    (tmp_path / "home").mkdir()
    return Shell(Path(sys.prefix), tmp_path / "home")


@pytest.mark.parametrize("kind", ["option", "variable"])
def test_a_report_on_stdout(kind: str, shell: Shell, index: FakeIndex) -> None:
    options, variables = {"option": (["--report", "-"], {}), "variable": ([], {"PIP_REPORT": "-"})}[kind]
    done = shell.variant_pip(*DRY_RUN, NAME, "--quiet", *options, "-i", index.url, **variables)
    assert done.returncode == 0, done.stderr
    (item,) = json.loads(done.stdout)["install"]
    assert item["download_info"]["url"] == f"{index.root}/files/{FILE}"
    assert said(done) == []


def test_the_lines_around_it_stay(shell: Shell, index: FakeIndex) -> None:
    done = shell.variant_pip(*DRY_RUN, NAME, "--report=-", "-i", index.url)
    assert done.returncode == 0, done.stderr
    before, brace, rest = done.stdout.partition("{\n")
    assert before.startswith("Looking in indexes: http://127.0.0.1:")
    assert f"Collecting {NAME}\n" in before
    document, end, after = f"{brace}{rest}".partition("\n}\n")
    assert json.loads(f"{document}{end}")["install"][0]["download_info"]["url"].endswith(FILE)
    assert after == f"Would install {NAME}-2.0\n"
    (line,) = said(done)
    assert "cu128" in line


def test_a_lock_file_on_stdout_is_the_one_in_a_file(shell: Shell, index: FakeIndex) -> None:
    wheel = make_wheel(shell.folder / "wheels", "alpha-1.0-py3-none-any.whl")
    own = str(wheel.relative_to(shell.folder))
    lock = ("lock", NAME, own, "--quiet", "-i", index.url)
    printed = shell.variant_pip(*lock, "--output", "-", **OWN_PIP)
    written = shell.variant_pip(*lock, "--output", "pylock.toml", **OWN_PIP)
    assert (printed.returncode, written.returncode) == (0, 0), printed.stderr
    assert printed.stdout == (shell.folder / "pylock.toml").read_text()
    assert f"{index.root}/files/{FILE}" in printed.stdout
    notes = [[line for line in said(done) if "note: the lock file" in line] for done in (printed, written)]
    assert len(notes[0]) == 1
    assert notes[0] == notes[1]
    assert not any("names addresses of the shim" in line for line in said(printed))


def test_the_status_of_a_pip_that_fails_stays(shell: Shell, index: FakeIndex) -> None:
    done = shell.variant_pip(*DRY_RUN, "absent", "--quiet", "--report", "-", "-i", index.url)
    assert (done.returncode, done.stdout) == (1, "")
    assert "No matching distribution found for absent" in done.stderr
