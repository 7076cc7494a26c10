"""The files in deploy/: understood by systemd where it is there, and what they start does start."""

from __future__ import annotations

import http.client
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from variant_index.configuration.settings import SETTINGS

DEPLOY = Path(__file__).parents[2] / "deploy"
PROGRAM = "import sys; from variant_index.cli import main; sys.exit(main(sys.argv[1:]))"
INSTALLED = "/opt/variant-index/bin/variant-index"


def unit() -> dict[str, dict[str, list[str]]]:
    """Return the unit: section -> key -> values."""
    sections: dict[str, dict[str, list[str]]] = {}
    for line in (DEPLOY / "variant-index-shim.service").read_text().splitlines():
        if found := re.fullmatch(r"\[(\w+)\]", line):
            section = sections.setdefault(found[1], {})
        elif line and not line.startswith("#"):
            key, equals, value = line.partition("=")
            assert equals, line
            section.setdefault(key, []).append(value)
    return sections


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the container file."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Containerfile").read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in lines if line.strip()]


def environment_of_container() -> dict[str, str]:
    (text,) = (text for name, text in instructions() if name == "ENV")
    return dict(word.split("=", 1) for word in shlex.split(text))


def environment_of_unit() -> dict[str, str]:
    return dict(value.split("=", 1) for value in unit()["Service"]["Environment"])


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("needs systemd-analyze")
    copy = tmp_path / "variant-index-shim.service"
    text = (DEPLOY / copy.name).read_text()
    assert text.count(INSTALLED) == 1
    copy.write_text(text.replace(INSTALLED, sys.executable))
    done = subprocess.run([program, "verify", "--man=no", copy], capture_output=True, text=True, timeout=60)
    ours = [line for line in done.stderr.splitlines() if copy.name in line]
    assert ours == [], done.stderr


def test_the_unit_is_hardened() -> None:
    service = unit()["Service"]
    for key in (
        "NoNewPrivileges",
        "PrivateDevices",
        "PrivateTmp",
        "ProtectHome",
        "DynamicUser",
        "RestrictNamespaces",
    ):
        assert service[key] == ["yes"], key
    assert service["ProtectSystem"] == ["strict"]
    assert service["CapabilityBoundingSet"] == [""]
    assert service["Type"] == ["notify"]
    (stop,) = (setting for setting in SETTINGS if setting.key == "stop-timeout")
    assert isinstance(stop.default, float)
    assert float(service["TimeoutStopSec"][0]) > stop.default


def test_the_container_has_no_rights_and_names_no_registry() -> None:
    found = instructions()
    names = [name for name, _ in found]
    assert {"USER", "HEALTHCHECK", "STOPSIGNAL", "VOLUME", "EXPOSE"} <= set(names)
    assert [text.split()[0] for name, text in found if name == "FROM"] == ["python:3.13-slim"] * 2
    last = len(names) - 1 - names[::-1].index("USER")
    assert not any(name in ("RUN", "COPY") for name in names[last:])
    assert dict(found)["USER"] not in ("0", "root")
    text = (DEPLOY / "Containerfile").read_text()
    assert re.findall(r"https?://[^/'\"]+", text) == ["http://127.0.0.1:8765"]
    for source in dict(found)["COPY"], *(text for name, text in found if name == "COPY"):
        for path in source.split()[:-1]:
            assert path.startswith("--from") or path.startswith("/") or (DEPLOY.parent / path).exists(), path


@pytest.mark.parametrize("settings", [environment_of_unit, environment_of_container])
def test_only_settings_that_there_are(settings: object) -> None:
    assert callable(settings)
    known = {setting.variable for setting in SETTINGS}
    named = {name for name in settings() if name.startswith("VARIANT_INDEX_")}
    assert named <= known
    assert {"VARIANT_INDEX_LISTEN", "VARIANT_INDEX_TOKEN_FILE"} <= named


@pytest.mark.parametrize("kind", ["unit", "container"])
def test_what_is_started_answers(tmp_path: Path, kind: str) -> None:
    if kind == "unit":
        settings, (line,) = environment_of_unit(), unit()["Service"]["ExecStart"]
        words = shlex.split(line)
    else:
        settings = {**environment_of_container(), "VARIANT_INDEX_ALLOW_HOST": "shim.example"}
        words = re.findall(r'"([^"]*)"', dict(instructions())["ENTRYPOINT"])
    assert words[0] == INSTALLED
    settings = {
        name: value.replace("/var/", f"{tmp_path}/").replace(":8765", ":0")
        for name, value in settings.items()
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VARIANT_INDEX_")}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words[1:]],
        env={**kept, **settings},
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r":([0-9]+)/\$\(cat ", line)
        assert found is not None, process.communicate()[1]
        assert (tmp_path / "lib" / "variant-index" / "token").is_file()
        connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=60)
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b"ok\n"
        connection.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.communicate()
