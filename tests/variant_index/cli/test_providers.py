"""`variant-index providers` and `--trust-provider`, as a user runs them, with real wheels and pip."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.making import document, make_wheel
from tests.variant_index.providers.conftest import environment, index, loader, root
from tests.variant_index.providers.toys import GOOD, Index, provider_wheel
from variant_index.model.machine import parse_profile
from variant_index.model.providers_report import ProvidersReport

__all__ = ["environment", "index", "loader", "root"]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="environments with symbolic links")

MODULES = {"variant-index": "variant_index.cli", "variant-pip": "variant_index.cli.variant_pip"}


def _run(
    environment: dict[str, str], *arguments: str, program: str = "variant-index"
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", MODULES[program], *arguments]
    return subprocess.run(
        command, env=environment, cwd=environment["HOME"], capture_output=True, text=True, timeout=60
    )


def test_trust_list_query_machine_forget(environment: dict[str, str], index: Index) -> None:
    pin = provider_wheel(index.folder)
    trusted = _run(environment, "providers", "trust", pin, "--index-url", index.url)
    assert trusted.returncode == 0, trusted.stderr
    assert "acme 1.2 is trusted from now on and says what this machine supports of acme" in trusted.stderr
    file = Path(environment["XDG_DATA_HOME"], "variant-index", "providers", "trusted.json")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    listed = _run(environment, "providers", "list")
    assert listed.stdout == f"acme 1.2: answers for acme\n  {pin}\n"
    report = ProvidersReport.model_validate_json(_run(environment, "providers", "list", "--json").stdout)
    assert (report.providers[0].name, report.providers[0].answer) == ("acme", None)

    query = _run(environment, "providers", "query", "Acme")
    assert query.stdout == "acme 1.2:\n  acme :: speed :: fast, slow\n  acme :: size :: big\n"
    report = ProvidersReport.model_validate_json(_run(environment, "providers", "query", "--json").stdout)
    assert report.providers[0].answer is not None

    machine = _run(environment, "machine")
    assert "acme provider  acme 1.2" in machine.stdout
    assert "trusted provider" in machine.stdout
    assert "acme :: speed" in machine.stdout
    profile = parse_profile(_run(environment, "machine", "--json").stdout.encode(), "x")
    assert profile.properties["acme"] == {"speed": ["fast", "slow"], "size": ["big"]}
    for off in (["--providers", "off"], ["--machine", "cpu"]):
        assert "acme" not in _run(environment, "machine", *off).stdout

    forgotten = _run(environment, "providers", "forget", "acme")
    assert (forgotten.returncode, forgotten.stdout) == (0, "acme 1.2 is no longer trusted\n")
    assert _run(environment, "providers", "list").stdout == "No third-party provider is trusted.\n"
    assert _run(environment, "providers", "forget", "acme").returncode == 1
    assert _run(environment, "providers", "query", "acme").returncode == 1


@pytest.mark.parametrize("pin", ["acme==1.2", f"acme>=1 --hash=sha256:{'0' * 64}", "-r missing.txt", "acme"])
def test_what_is_not_exact_installs_nothing(environment: dict[str, str], index: Index, pin: str) -> None:
    trust = ["-r", pin.removeprefix("-r ")] if pin.startswith("-r") else [pin]
    for arguments in (["providers", "trust", *trust], ["machine", "--trust-provider", pin]):
        done = _run(environment, *arguments)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
        assert done.stderr.startswith("error: ")
    assert index.asked == []


def test_pips_own_sources_are_used_and_nothing_else_of_it(environment: dict[str, str], index: Index) -> None:
    configuration = Path(environment["HOME"], ".config", "pip", "pip.conf")
    configuration.parent.mkdir(parents=True)
    configuration.write_text(
        f"[global]\nindex-url = {index.url}\nextra-index-url =\nfind-links =\n"
        f"[install]\ntarget = {environment['HOME']}/elsewhere\nno-binary = :all:\n"
    )
    pin = provider_wheel(index.folder)
    variables = {
        **environment,
        "PIP_REQUIREMENT": "other.txt",
        "XDG_CONFIG_HOME": str(configuration.parents[1]),
    }
    del variables["PIP_CONFIG_FILE"]
    done = _run(variables, "machine", "--trust-provider", pin, "--json")
    assert done.returncode == 0, done.stderr
    assert "acme" in json.loads(done.stdout)["properties"]
    assert not Path(environment["HOME"], "elsewhere").exists()


def test_a_failing_provider_is_a_warning(environment: dict[str, str], index: Index) -> None:
    files = {
        "acme_plugin.py": GOOD.replace('return [Config("speed"', 'print("stray"); return [Config("speed"')
    }
    pin = provider_wheel(index.folder, files=files)
    assert _run(environment, "providers", "trust", pin, "-i", index.url).returncode == 0
    done = _run(environment, "machine")
    assert done.returncode == 0
    assert "acme 1.2" in done.stdout
    assert "warning: provider acme 1.2 gave no answer for acme: it printed something" in done.stderr
    assert _run(environment, "machine", "--on-detection-failure", "error").returncode == 3
    assert _run(environment, "providers", "query").returncode == 1


def test_a_damaged_list_is_one_line(environment: dict[str, str]) -> None:
    file = Path(environment["XDG_DATA_HOME"], "variant-index", "providers", "trusted.json")
    file.touch(0o600)
    file.write_text("{")
    for arguments in (["providers", "list"], ["machine"]):
        done = _run(environment, *arguments)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
        assert "trusted.json: is not the list of trusted providers" in done.stderr
    assert _run(environment, "machine", "--providers", "off").returncode == 0


def test_a_provider_takes_over_what_we_know_where_it_may(environment: dict[str, str], index: Index) -> None:
    files = {"mine.py": GOOD.replace('"speed", ["fast", "slow"]', '"level", ["v9"]')}
    pin = provider_wheel(index.folder, files=files, entry_points="x86_64 = mine:Plugin")
    refused = _run(environment, "providers", "trust", pin, "-i", index.url)
    assert (refused.returncode, "add --namespace=x86_64" in refused.stderr) == (2, True)
    done = _run(environment, "providers", "trust", pin, "--namespace", "x86_64", "-i", index.url)
    assert done.returncode == 0, done.stderr
    profile = parse_profile(_run(environment, "machine", "--json").stdout.encode(), "x")
    assert profile.properties["x86_64"]["level"] == ["v9"]
    assert list(profile.facts["x86_64"]) == ["provider"]


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A folder as an index: `thing` for acme hardware and for none, `only` for the former."""
    folder = tmp_path / "release"
    plugin = {"acme": {"requires": ["acme>=1"], "plugin-api": "acme_plugin:Plugin"}}
    variants: dict[str, dict[str, dict[str, list[str]]]] = {"fast": {"acme": {"speed": ["fast"]}}, "null": {}}
    for label, properties in variants.items():
        own = document({label: properties}, ["acme"], plugin)
        make_wheel(folder, f"thing-1.0-py3-none-any-{label}.whl", variant_json=own)
        if label != "null":
            make_wheel(folder, f"only-1.0-py3-none-any-{label}.whl", variant_json=own)
    done = subprocess.run(
        [sys.executable, "-m", "variant_index.cli", "build", str(folder), "--out", str(tmp_path / "site")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return tmp_path / "site"


def test_an_index_that_names_a_provider_runs_nothing(
    environment: dict[str, str], index: Index, release: Path
) -> None:
    pin = provider_wheel(index.folder)
    site = (release / "simple").as_uri()
    arguments = ["explain", "thing", "--index-url", site, "--json"]
    before = json.loads(_run(environment, *arguments).stdout)
    assert before["selected"]["label"] == "null"
    assert any("need the provider acme, which is not trusted" in note for note in before["notes"])
    assert index.asked == []

    assert _run(environment, "providers", "trust", pin, "-i", index.url).returncode == 0
    after = json.loads(_run(environment, *arguments).stdout)
    assert after["selected"]["label"] == "fast"
    assert after["notes"] == []


def test_variant_pip_names_the_provider_where_nothing_fits(
    environment: dict[str, str], release: Path
) -> None:
    site = (release / "simple").as_uri()
    done = _run(environment, "install", "only", "--index-url", site, "--dry-run", program="variant-pip")
    assert done.returncode == 1
    hints = [
        line for line in done.stderr.splitlines() if "need the provider acme, which is not trusted" in line
    ]
    assert len(hints) == 1


def test_variant_pip_trusts_and_installs(environment: dict[str, str], index: Index, release: Path) -> None:
    pin = provider_wheel(index.folder)
    site = (release / "simple").as_uri()
    target = Path(environment["HOME"], "target")
    arguments = [
        "install",
        "thing",
        "--target",
        str(target),
        "--index-url",
        site,
        "--disable-pip-version-check",
    ]
    plain = _run(environment, *arguments, program="variant-pip")
    assert plain.returncode == 0, plain.stderr
    assert "fast" not in (target / "thing.py").read_text()
    done = _run(
        environment,
        *(*arguments, "--upgrade", "--extra-index-url", index.url, "--trust-provider", pin),
        program="variant-pip",
    )
    assert done.returncode == 0, done.stderr
    assert "acme 1.2 is trusted from now on" in done.stderr
    assert "-fast.whl" in (target / "thing.py").read_text()
    assert "not trusted" not in plain.stderr + done.stderr  # who gets something is not bothered
    listed = _run(environment, "list", "--trust-provider", pin, program="variant-pip")
    assert (listed.returncode, "goes with install" in listed.stderr) == (2, True)


@pytest.mark.network
def test_the_loader_comes_from_a_registry(tmp_path: Path) -> None:
    pin = provider_wheel(tmp_path / "wheels", "variant_index_toy_provider")  # acme is a real project
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data")}
    done = _run(environment, "providers", "trust", pin, "--find-links", str(tmp_path / "wheels"))
    if done.returncode == 3:
        pytest.skip(f"no variantlib from a package registry: {done.stderr.strip()[-200:]}")
    assert done.returncode == 0, done.stderr
    assert "acme :: speed :: fast, slow" in _run(environment, "providers", "query").stdout
