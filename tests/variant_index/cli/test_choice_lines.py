"""The lines on what was chosen: only what pip took, whatever it read before."""

from __future__ import annotations

import hashlib
import json
import venv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.making import make_wheel
from tests.variant_index.cli.test_variant_pip import Shell, posix_only, said
from tests.variant_index.shim.family import DOCUMENT, LABELS, NAME, write_sidecar
from tests.variant_index.upstream.fake_index import JSON_TYPE, FakeIndex, Route

pytestmark = posix_only


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("choice-lines") / "env"
    venv.create(folder, with_pip=True)
    return folder


@pytest.fixture
def shell(environment: Path, tmp_path: Path) -> Shell:
    home = tmp_path / "home"
    home.mkdir()
    return Shell(environment, home)


BOTH = pytest.mark.parametrize("index", ["metadata apart", "metadata in the wheel"], indirect=True)


@pytest.fixture
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FakeIndex]:
    """Serve vtorch 1.0 (plain) and 2.0 (variants, needs dep 2), dep 1 and 2, and old, which needs dep 1."""
    with FakeIndex() as index:

        def add(name: str, *wheels: Path, more: Path | None = None) -> None:
            files = [index.add_file(wheel) for wheel in wheels]
            if getattr(request, "param", "") == "metadata in the wheel":
                files = [replace(file, core_metadata=False) for file in files]
            index.add_project(name, files + ([index.add_file(more)] if more else []))

        folder = tmp_path / "upstream"
        variants = [make_wheel(folder, f"{NAME}-2.0-py3-none-any.whl", requires_dist=["dep==2"])]
        for label in LABELS:
            own = {**DOCUMENT, "variants": {label: LABELS[label]}}
            name = f"{NAME}-2.0-py3-none-any-{label}.whl"
            variants.append(make_wheel(folder, name, requires_dist=["dep==2"], variant_json=own))
        sidecar = write_sidecar(folder)
        add(NAME, make_wheel(folder, f"{NAME}-1.0-py3-none-any.whl"), *variants, more=sidecar)
        add("dep", *(make_wheel(folder, f"dep-{version}-py3-none-any.whl") for version in (1, 2)))
        add("old", make_wheel(folder, "old-1-py3-none-any.whl", requires_dist=["dep==1"]))
        yield index


def into(folder: str, index: FakeIndex) -> tuple[str, ...]:
    return ("--target", folder, "-i", index.url)


@BOTH
def test_a_release_that_pip_passed_over_is_not_said(shell: Shell, index: FakeIndex) -> None:
    done = shell.variant_pip("install", *into("target", index), NAME, "old")
    assert done.returncode == 0, done.stderr
    assert shell.installed() == f"{NAME}-1.0-py3-none-any.whl"
    assert index.asked("variants.json")
    assert said(done) == []


def test_a_run_that_fails_says_nothing_of_choices(shell: Shell, index: FakeIndex) -> None:
    done = shell.variant_pip("install", *into("target", index), f"{NAME}==2.0", "old")
    assert done.returncode == 1
    assert index.asked("variants.json")
    assert said(done) == []


@BOTH
def test_a_dry_run_says_what_would_be_taken(shell: Shell, index: FakeIndex) -> None:
    done = shell.variant_pip("install", "--dry-run", *into("target", index), NAME)
    (line,) = said(done)
    assert line.startswith(f"variant-pip: {NAME} 2.0: cu128 — ")
    assert said(shell.variant_pip("install", "--dry-run", *into("target", index), NAME, "old")) == []
    assert not (shell.folder / "target").exists()


def test_what_is_installed_already_is_not_said(tmp_path: Path, shell: Shell, index: FakeIndex) -> None:
    venv.create(tmp_path / "bare", with_pip=False)
    arguments = ("--python", str(tmp_path / "bare"), "install", "--upgrade", NAME, "-i", index.url)
    assert len(said(shell.variant_pip(*arguments))) == 1
    again = shell.variant_pip(*arguments)
    assert "Requirement already satisfied" in again.stdout
    assert said(again) == []


@BOTH
@pytest.mark.parametrize(("command", "option"), [("download", "-d"), ("wheel", "--wheel-dir")])
def test_what_lies_in_the_folder_is_said(command: str, option: str, shell: Shell, index: FakeIndex) -> None:
    done = shell.variant_pip(command, option, "got", "-i", index.url, NAME)
    assert done.returncode == 0, done.stderr
    assert (shell.folder / "got" / f"{NAME}-2.0-0_cu128-py3-none-any.whl").exists()
    assert [line.partition(" — ")[0] for line in said(done)] == [f"variant-pip: {NAME} 2.0: cu128"]
    assert said(shell.variant_pip(command, option, "other", "-i", index.url, NAME, "old")) == []


def test_the_users_own_report_is_read(shell: Shell, index: FakeIndex) -> None:
    arguments = ("install", "--report", "own.json", *into("target", index), NAME)
    lines = said(shell.variant_pip(*arguments))
    assert [line.partition(" — ")[0] for line in lines[:1]] == [f"variant-pip: {NAME} 2.0: cu128"]
    assert len(lines) == 1
    assert f"/files/{NAME}-2.0-py3-none-any-cu128.whl" in (shell.folder / "own.json").read_text()
    report = json.loads((shell.folder / "own.json").read_text())
    assert {item["metadata"]["name"] for item in report["install"]} == {NAME, "dep"}


def test_a_report_on_stdout_stays_there(shell: Shell, index: FakeIndex) -> None:
    done = shell.variant_pip("install", "--dry-run", "-q", "--report", "-", *into("target", index), NAME)
    assert json.loads(done.stdout)["install"]
    # It names the files upstream, so there is nothing to say.
    assert said(done) == []


def test_nothing_of_ours_is_left_over(shell: Shell, index: FakeIndex) -> None:
    temporary = shell.folder / "tmp"
    temporary.mkdir()
    for arguments in ([NAME], [f"{NAME}==9"]):
        shell.variant_pip("install", *into("target", index), *arguments, TMPDIR=str(temporary))
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("body", [b'{"files": [', b'{"files": null}', b"<html>"])
def test_what_is_no_page_is_one_line(body: bytes, shell: Shell, index: FakeIndex) -> None:
    index.routes["/simple/dep/"] = Route(body, JSON_TYPE)
    done = shell.variant_pip("install", *into("target", index), "dep")
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    (line,) = said(done)
    assert line.startswith(f"variant-pip: error: {index.url}dep/: ")


def hashes_of(index: FakeIndex, *labels: str) -> str:
    names = [f"{NAME}-2.0-py3-none-any{label and f'-{label}'}.whl" for label in labels]
    digests = [hashlib.sha256(index.routes[f"/files/{name}"].body).hexdigest() for name in names]
    return " ".join(f"--hash=sha256:{digest}" for digest in digests)


def test_pins_that_miss_the_chosen_build_are_said(shell: Shell, index: FakeIndex) -> None:
    pins = shell.folder / "pins.txt"
    arguments = ("install", "--no-deps", *into("target", index), "-r", "pins.txt")
    pins.write_text(f"# pinned\n{NAME}==2.0 {hashes_of(index, '', 'cu126')}\n")
    done = shell.variant_pip(*arguments)
    assert done.returncode == 1
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert said(done) == [
        f"variant-pip: warning: {NAME} 2.0: cu128 is chosen for this machine, but its sha256 is not among the"
        f" pinned hashes ({pins}, line 2); add {hashes_of(index, 'cu128')}"
    ]
    pins.write_text(f"{NAME}==2.0 {hashes_of(index, '', 'cu128')}\n")
    done = shell.variant_pip(*arguments)
    assert done.returncode == 0, done.stderr
    assert len(said(done)) == 1


def test_pins_that_are_fine_are_not_blamed(shell: Shell, index: FakeIndex) -> None:
    (shell.folder / "pins.txt").write_text(
        f"{NAME}==2.0 {hashes_of(index, 'cu128')}\nno-such-project==1 --hash=sha256:{'0' * 64}\n"
    )
    done = shell.variant_pip("install", *into("target", index), "-r", "pins.txt")
    assert (done.returncode, said(done)) == (1, [])
