"""The tags of another target, as pip sees them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from variant_index.clients.pip.arguments import parse_arguments
from variant_index.clients.pip.configuration import PipConfiguration
from variant_index.clients.pip.tags import (
    TargetTagsError,
    tags_in_debug_output,
    target_options,
    target_platforms,
    target_tags,
    target_version,
)
from variant_index.model.filename import WheelFilename

NOTHING = PipConfiguration({}, {})
PIP = (sys.executable, "-m", "pip")
ENVIRONMENT = {"PATH": os.environ["PATH"], "PIP_CONFIG_FILE": os.devnull}


def test_options_are_repeated_in_full() -> None:
    line = ["download", "--platform", "a", "--platform=b", "--python-version", "3.12", "--abi", "none", "x"]
    assert target_options(parse_arguments(line), NOTHING) == (
        "--platform=a",
        "--platform=b",
        "--python-version=3.12",
        "--abi=none",
    )
    assert target_options(parse_arguments(["download", "x"]), NOTHING) == ()


def test_the_configuration_chooses_a_target_too() -> None:
    configured = PipConfiguration(
        {"global.python-version": "3.11", "download.abi": "cp311"}, {"platform": "a b", "abi": ""}
    )
    line = ["download", "--platform", "c", "x"]
    assert target_platforms(parse_arguments(line), configured) == ("a", "b", "c")
    assert target_options(parse_arguments(line), configured) == (
        "--platform=a",
        "--platform=b",
        "--platform=c",
        "--python-version=3.11",
        "--abi=cp311",
    )
    assert target_version(parse_arguments(line), configured) == "3.11.0"
    # `pip wheel` has no such options.
    assert target_options(parse_arguments(["wheel", "x"]), configured) == ()


def test_pip_tells_the_tags_of_another_machine() -> None:
    options = (
        "--platform=manylinux2014_x86_64",
        "--python-version=3.12",
        "--implementation=cp",
        "--abi=cp312",
    )
    tags = target_tags(PIP, options, ENVIRONMENT, "3.12.0")
    assert tags.python_version == "3.12.0"
    assert tags.position(WheelFilename.parse("x-1-cp312-cp312-manylinux2014_x86_64.whl")) is not None
    assert tags.position(WheelFilename.parse("x-1-cp312-cp312-manylinux2010_x86_64.whl")) is not None
    assert tags.position(WheelFilename.parse("x-1-py3-none-any.whl")) is not None
    assert tags.position(WheelFilename.parse("x-1-cp312-cp312-manylinux2014_aarch64.whl")) is None
    assert tags.position(WheelFilename.parse("x-1-cp311-cp311-manylinux2014_x86_64.whl")) is None


@pytest.mark.parametrize(
    ("given", "meant"),
    [("3", "3.0.0"), ("3.12", "3.12.0"), ("312", "3.12.0"), ("37", "3.7.0"), ("3.7.3", "3.7.3")],
)
def test_the_python_version_is_read_as_pip_does(given: str, meant: str) -> None:
    assert target_version(parse_arguments(["download", "--python-version", given, "x"]), NOTHING) == meant
    done = subprocess.run(
        [*PIP, "debug", "--verbose", f"--python-version={given}"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    shown = meant[:-2] if meant.endswith(".0") else meant
    assert "version_info='" in done.stdout
    assert shown.startswith(done.stdout.partition("version_info='")[2].partition("'")[0].removesuffix(".0"))


@pytest.mark.parametrize("given", ["", "x", "3.x", "1.2.3.4", "3.", "٣"])
def test_what_pip_refuses_is_no_version(given: str) -> None:
    assert target_version(parse_arguments(["download", f"--python-version={given}", "x"]), NOTHING) is None


def test_pips_refusal_is_an_error() -> None:
    with pytest.raises(TargetTagsError, match="python-version=nonsense"):
        target_tags(PIP, ("--python-version=nonsense",), ENVIRONMENT, None)
    with pytest.raises(TargetTagsError, match="lists no tags"):
        target_tags((sys.executable, "-c", "pass"), ("--abi=none",), ENVIRONMENT, None)


def test_only_the_list_of_tags_is_read() -> None:
    head = "sys.version: 3\n  a-b-c\nCompatible tags: 2 (target: platforms=['x'])\n"
    text = f"{head}  cp312-cp312-any\n  py3-none-any\n\n  x-y-z\n"
    assert tags_in_debug_output(text) == ["cp312-cp312-any", "py3-none-any"]
    assert tags_in_debug_output("Compatible tags: 0\n...\n") == []
    assert tags_in_debug_output("") == []
