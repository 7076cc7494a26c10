"""`variant-index run` with real uv; the other installers are in tests/variant_index/clients/test_table.py."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.making import make_wheel
from tests.variant_index.clients.workshop import FORCE, RUN, Workshop
from tests.variant_index.shim.family import NAME
from tests.variant_index.upstream.fake_index import FakeIndex, Route

pytestmark = pytest.mark.skipif(os.name != "posix", reason="POSIX paths and signals")

INSTALL = ("uv", "pip", "install", NAME)


@pytest.fixture
def index() -> Iterator[FakeIndex]:
    with FakeIndex() as index:
        yield index


@pytest.fixture
def shop(tmp_path: Path, index: FakeIndex) -> Workshop:
    """Return a project with an environment, and uv configured to use the index."""
    tools = tmp_path / "tools"
    (tools / "uv-bin").mkdir(parents=True)
    (tools / "uv-bin" / "uv").symlink_to(Path(sys.executable).with_name("uv"))
    shop = Workshop(tmp_path / "shop", tools, index)
    shop.make_environment()
    shop.write("~/.config/uv/uv.toml", f'[[index]]\nurl = "{index.url}"\ndefault = true\n')
    return shop


@pytest.mark.parametrize(("driver", "label"), [("13.0", "cu130"), ("12.9", "cu128"), ("none", "null")])
def test_the_machine_decides(driver: str, label: str, shop: Workshop) -> None:
    shop.variables["AMD_VARIANT_PROVIDER_FORCE_GFX_ARCH"] = "none"
    assert shop.behind(*INSTALL, driver=driver) == 0, shop.last
    assert shop.installed() == label
    assert f"variant-index: {NAME} 2.0: {label} — " in shop.last


def test_a_named_machine(shop: Workshop) -> None:
    shop.variables[FORCE] = ""
    assert shop.behind(*INSTALL, options=("--machine", "cuda12.6-sm90")) == 0, shop.last
    assert shop.installed() == "cu126"
    assert shop.behind(*INSTALL, options=("--machine", "nonsense")) == 2


def test_pip_is_variant_pip(shop: Workshop) -> None:
    shop.variables["VIRTUAL_ENV"] = sys.prefix
    arguments = ("install", "--target", "target", "--no-cache-dir", "-i", shop.index.url, NAME)
    options = ("--machine", "cuda12.6-sm90")
    assert shop.behind("pip", *arguments, options=options) == 0, shop.last
    assert f"variant-pip: {NAME} 2.0: cu126 — " in shop.last


def test_the_default_wheel_without_variant_index(shop: Workshop) -> None:
    assert shop.plain(*INSTALL) == 0
    assert shop.installed() == "default"


def test_quiet_says_no_choices(shop: Workshop) -> None:
    assert shop.behind(*INSTALL, "-q") == 0
    assert "variant-index:" not in shop.last


def test_the_status_is_the_installers(shop: Workshop) -> None:
    assert shop.behind("uv", "pip", "install", "no-such-project") == 1
    assert "no-such-project" in shop.last
    assert "error: index" not in shop.last


def test_an_index_that_fails_is_none_to_go_on_without(shop: Workshop) -> None:
    url = f"{shop.index.root}/other/"
    shop.index.routes[f"/other/{NAME}/"] = Route(status=500)
    shop.index.routes[f"/simple/{NAME}/"] = Route(status=404)
    assert shop.behind(*INSTALL, "--index", url) not in (0, 1)
    assert f"{url}{NAME}/ answered 500" in shop.last
    assert shop.installed() == ""


def test_a_failure_that_the_installer_overlooks_counts(shop: Workshop) -> None:
    program = shop.tools / "uv-bin" / "uv"
    program.unlink()
    wait = "print(os.environ['UV_HTTP_TIMEOUT'])"
    fetch = f"urllib.request.urlopen(os.environ['UV_DEFAULT_INDEX'] + '{NAME}/')"
    lines = [f"#!{sys.executable}", "import contextlib, os, sys, urllib.request"]
    lines += ["if sys.argv[1] == 'python':", "    sys.exit(print(sys.executable))"]
    lines += ["with contextlib.suppress(OSError):", f"    {fetch}"]
    program.write_text("\n".join([*lines, wait]) + "\n")
    program.chmod(0o755)
    assert shop.behind(*INSTALL, options=("--detection-timeout", "100")) == 0, shop.last
    assert "\n115\n" in shop.last  # it waits for the drivers
    shop.index.routes[f"/simple/{NAME}/"] = Route(status=500)
    assert shop.behind(*INSTALL) == 3, shop.last
    assert "error: index " in shop.last


def test_an_installed_project_is_no_failure_of_the_index(shop: Workshop) -> None:
    assert shop.behind(*INSTALL) == 0
    asked = len(shop.index.requests)
    assert shop.behind(*INSTALL) == 0
    assert len(shop.index.requests) == asked
    assert "variant-index:" not in shop.last


def test_commands_that_need_no_index_are_the_installer_itself(shop: Workshop) -> None:
    assert shop.behind("uv", "--version") == 0
    assert shop.last.splitlines()[1].startswith("uv 0.13.8")
    assert shop.behind("uv", "pip", "list", "--nonsense") == 2
    assert "variant-index" not in shop.last.split("\n", 1)[1]


@pytest.mark.parametrize("command", [("uv", "lock"), ("uv", "sync"), ("uv", "add", "app")])
def test_addresses_in_files_are_refused_before_anything_is_written(
    command: tuple[str, ...], shop: Workshop
) -> None:
    text = f'[project]\nname = "p"\nversion = "1"\nrequires-python = ">=3.10"\ndependencies = ["{NAME}"]\n'
    shop.write("pyproject.toml", text)
    before = sorted(shop.project.iterdir())
    assert shop.behind(*command) == 2
    lines = shop.last.splitlines()[1:-1]
    assert len(lines) == 1
    assert lines[0].startswith(f"error: uv {command[1]} would write the shim's address")
    assert sorted(shop.project.iterdir()) == before
    assert (shop.project / "pyproject.toml").read_text() == text
    assert shop.index.requests == []


def test_the_flag_allows_them_in_a_lock_file(shop: Workshop) -> None:
    text = f'[project]\nname = "p"\nversion = "1"\nrequires-python = ">=3.10"\ndependencies = ["{NAME}"]\n'
    shop.write("pyproject.toml", text)
    assert shop.behind("uv", "sync", options=("--allow-loopback-lock",)) == 0, shop.last
    assert shop.installed() == "cu128"
    assert shop.addresses()
    assert (shop.project / "pyproject.toml").read_text() == text


def test_a_project_that_declares_indexes(shop: Workshop) -> None:
    with FakeIndex() as second:
        newer = make_wheel(shop.folder / "second", f"{NAME}-99.0-py3-none-any.whl")
        second.add_project(NAME, [second.add_file(newer)])
        tables = f'[[tool.uv.index]]\nname = "first"\nurl = "{shop.index.url}"\n'
        tables += f'[[tool.uv.index]]\nname = "second"\nurl = "{second.url}"\n'
        text = f'[project]\nname = "p"\nversion = "1"\ndependencies = ["{NAME}"]\n{tables}'
        shop.write("pyproject.toml", text)
        assert shop.behind("uv", "pip", "install", "-r", "pyproject.toml") == 0, shop.last
        assert second.requests == []
    assert shop.installed() == "cu128"
    assert (shop.project / "pyproject.toml").read_text() == text


def test_environments_of_uv_run_follow_the_hardware(shop: Workshop) -> None:
    program = f"import {NAME}; print({NAME}.__file_name__)"
    for driver, label in (("12.9", "cu128"), ("13.0", "cu130")):
        command = ("uv", "run", "--no-project", "--with", NAME, "python", "-c", program)
        assert shop.behind(*command, driver=driver) == 0, shop.last
        assert f"-py3-none-any-{label}.whl" in shop.last


def test_a_kept_address_keeps_the_cache_of_uv_warm(shop: Workshop) -> None:
    keep = ("--keep-address",)
    for options, fetched in (((), True), ((), True), (keep, True), (keep, False)):
        shop.make_environment()
        assert shop.behind(*INSTALL, options=options) == 0, shop.last
        assert ("variant-index: " in shop.last) is fetched
        assert shop.installed() == "cu128"
    for driver, label in (("13.0", "cu130"), ("12.9", "cu128")):
        shop.make_environment()
        assert shop.behind(*INSTALL, options=("--keep-address",), driver=driver) == 0, shop.last
        assert shop.installed() == label
    (kept,) = (shop.home / ".local" / "state" / "variant-index" / "addresses").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600


def test_hashes_of_all_variants_in_requirements(shop: Workshop) -> None:
    shop.write("requirements.in", f"{NAME}\n")
    assert shop.behind("uv", "pip", "compile", "--generate-hashes", "requirements.in", "-o", "r.txt") == 0
    assert (shop.project / "r.txt").read_text().count("--hash=sha256:") == 5
    assert shop.behind("uv", "pip", "install", "--require-hashes", "-r", "r.txt", driver="13.0") == 0
    assert shop.installed() == "cu130"


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (("conda", "install", "x"), "not an installer that can be run behind the shim"),
        (("poetry", "install"), "no such command"),
        (("uv", "pip", "install", "x", "-i", "ftp://host/"), "http, https or file URL"),
        (("uv", "pip", "install", "x", "--config-file", "bad.toml"), "not TOML"),
    ],
)
def test_errors_are_one_line(command: tuple[str, ...], reason: str, shop: Workshop) -> None:
    shop.write("bad.toml", "= nonsense")
    assert shop.behind(*command) == 2
    (line,) = shop.last.splitlines()[1:-1]
    assert line.startswith("error: ")
    assert reason in line


def test_help(shop: Workshop) -> None:
    done = subprocess.run([*RUN, "--help"], capture_output=True, text=True, check=True)
    assert "Examples:" in done.stdout
    assert "--allow-loopback-lock" in done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_installer_and_the_shim(number: signal.Signals, shop: Workshop) -> None:
    shop.index.routes[f"/simple/{NAME}/"] = Route(seconds_before=300)
    with subprocess.Popen(
        [*RUN, "--", *INSTALL],
        cwd=shop.project,
        env=shop.environment("12.9"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        end = time.monotonic() + 120
        while not shop.index.asked(NAME) and time.monotonic() < end:
            time.sleep(0.05)
        assert shop.index.asked(NAME)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=120)
    # uv ends with 130 on the first interrupt.
    assert process.returncode in ((130, -number) if number == signal.SIGINT else (-number,))
    assert "Traceback" not in stderr
    with pytest.raises(ProcessLookupError):  # nothing of its session is left
        os.killpg(process.pid, 0)


def test_nothing_of_ours_is_left_over(shop: Workshop) -> None:
    temporary = shop.folder / "tmp"
    temporary.mkdir()
    shop.variables["TMPDIR"] = str(temporary)
    for command in (INSTALL, ("uv", "pip", "install", "no-such-project")):
        shop.behind(*command)
        assert list(temporary.iterdir()) == []
    assert shop.addresses() == set()
    receipt = (shop.project / ".venv").glob("lib/python*/site-packages/vtorch-2.0.dist-info/direct_url.json")
    assert [json.loads(path.read_text()) for path in receipt] == []
