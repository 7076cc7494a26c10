"""What pipx command lines mean: the sources of the pip or uv that it runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from variant_index.clients.pipx.take_over import take_over
from variant_index.clients.takeover import AsIs, Child, Takeover


def taken(*arguments: str, folder: Path, **variables: str) -> Takeover:
    environment = {"PIP_CONFIG_FILE": os.devnull, "HOME": str(folder), "PATH": str(folder), **variables}
    environment |= {"XDG_CONFIG_DIRS": str(folder / "none")}
    found = take_over("pipx", arguments, environment, folder)
    assert isinstance(found, Takeover)
    return found


def child(found: Takeover, folder: Path) -> Child:
    return found.child({"": "http://127.0.0.1:1/t/simple/"}, folder)


VARIABLES = {"PIP_INDEX_URL": "http://p/", "UV_DEFAULT_INDEX": "http://u/"}


def test_the_backend_decides_whose_sources_count(tmp_path: Path) -> None:
    def url(*arguments: str, **variables: str) -> str:
        found = taken("install", "x", *arguments, folder=tmp_path, **VARIABLES, **variables)
        started = child(found, tmp_path)
        assert started.environment["PIP_INDEX_URL"] == started.environment["UV_DEFAULT_INDEX"]
        return found.indexes[0].urls[0]

    assert url("--backend=pip") == "http://p/"
    assert url("--backend", "uv") == "http://u/"
    assert url(PIPX_DEFAULT_BACKEND="uv") == "http://u/"
    assert url("--backend=pip", PIPX_DEFAULT_BACKEND="uv") == "http://p/"


@pytest.mark.parametrize(
    "given", [["-i", "http://a/"], ["--index-url=http://a/"], ["--pip-args=-i http://a/"]]
)
@pytest.mark.parametrize("backend", ["pip", "uv"])
def test_named_sources_are_taken_and_said(given: list[str], backend: str, tmp_path: Path) -> None:
    found = taken("install", "x", *given, folder=tmp_path, PIPX_DEFAULT_BACKEND=backend)
    assert (found.indexes[0].urls, found.indexes[0].own) == (("http://a/",), True)
    assert child(found, tmp_path).command == ("pipx", "install", "x")
    assert any("will not remember" in line for line in found.warnings)


def test_other_arguments_for_pip_stay(tmp_path: Path) -> None:
    found = taken("install", "--pip-args", "--retries 3 -i http://a/", "x", folder=tmp_path)
    assert child(found, tmp_path).command == ("pipx", "install", "--pip-args=--retries 3", "x")


def test_run_does_not_reuse_an_environment_of_other_hardware(tmp_path: Path) -> None:
    found = taken("run", "x", "--index-url", "http://a/", folder=tmp_path, PIPX_DEFAULT_BACKEND="pip")
    assert child(found, tmp_path).command == ("pipx", "run", "--no-cache", "x", "--index-url", "http://a/")
    assert "http://a/" not in found.indexes[0].urls


def test_what_needs_no_shim(tmp_path: Path) -> None:
    for arguments in ([], ["list"], ["install", "--help"], ["uninstall", "x"], ["environment"]):
        assert isinstance(take_over("pipx", tuple(arguments), {}, tmp_path), AsIs)
    for command, note in (("manifest", True), ("runpip", True), ("list", False)):
        found = take_over("pipx", (command, "x"), {}, tmp_path)
        assert isinstance(found, AsIs)
        assert bool(found.note) == note
