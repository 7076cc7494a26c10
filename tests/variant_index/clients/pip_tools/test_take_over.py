"""What command lines of pip-tools mean: pip's sources, and the tools' own options."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from variant_index.clients.pip_tools.take_over import take_over
from variant_index.clients.takeover import AsIs, Child, ClientError, Takeover


def taken(text: str, folder: Path, **variables: str) -> Takeover:
    program, *arguments = text.split()
    environment = {"PIP_CONFIG_FILE": os.devnull, "HOME": str(folder), **variables}
    found = take_over(program, tuple(arguments), environment, folder)
    assert isinstance(found, Takeover)
    return found


def child(found: Takeover, folder: Path) -> Child:
    return found.child({"": "http://127.0.0.1:1/t/simple/"}, folder)


def test_sources_of_pip_and_of_the_tool(tmp_path: Path) -> None:
    found = taken("pip-compile -q", tmp_path, PIP_INDEX_URL="http://v/", PIP_FIND_LINKS="http://l/")
    assert (found.indexes[0].urls, found.indexes[0].find_links) == (("http://v/",), ("http://l/",))
    assert (found.locks, found.quiet, found.indexes[0].own) == (True, True, False)
    found = taken("pip-sync -i http://a/ --extra-index-url=http://e/ -f http://l/ --cert c.pem", tmp_path)
    assert found.indexes[0].urls == ("http://a/", "http://e/")
    assert (found.indexes[0].own, found.locks, found.network.cert) == (True, False, "c.pem")
    started = child(found, tmp_path)
    assert started.command == ("pip-sync", "--cert", "c.pem")
    assert started.environment["PIP_INDEX_URL"] == "http://127.0.0.1:1/t/simple/"
    assert not started.environment["PIP_EXTRA_INDEX_URL"].strip()
    found = taken("pip-sync --no-index -f http://l/", tmp_path)
    assert (found.indexes[0].urls, found.indexes[0].find_links) == ((), ("http://l/",))


def test_what_is_handed_through_to_pip(tmp_path: Path) -> None:
    text = "pip-compile --pip-args=--extra-index-url=http://e/"
    found = taken(text, tmp_path)
    assert found.indexes[0].urls[-1] == "http://e/"
    assert child(found, tmp_path).command == ("pip-compile", "--no-emit-index-url")
    arguments = ("--pip-args", "--retries 3 -i http://a/")
    mixed = take_over("pip-compile", arguments, {"PIP_CONFIG_FILE": os.devnull}, tmp_path)
    assert isinstance(mixed, Takeover)
    assert child(mixed, tmp_path).command[2:] == ("--pip-args=--retries 3",)


def test_the_head_of_the_output_names_the_users_command(tmp_path: Path) -> None:
    found = taken("pip-compile --generate-hashes", tmp_path)
    said = child(found, tmp_path).environment["CUSTOM_COMPILE_COMMAND"]
    assert said == "variant-index run -- pip-compile --generate-hashes"
    own = taken("pip-compile", tmp_path, CUSTOM_COMPILE_COMMAND="make lock")
    assert child(own, tmp_path).environment["CUSTOM_COMPILE_COMMAND"] == "make lock"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("pyproject.toml", '[tool.pip-tools]\nindex-url = "http://a/"\n'),
        ("pyproject.toml", '[tool.pip-tools.compile]\nfind_links = ["http://a/"]\n'),
        (".pip-tools.toml", '[tool.pip-tools]\npip_args = "-i http://a/"\n'),
    ],
)
def test_sources_in_the_tools_configuration_are_refused(file: str, text: str, tmp_path: Path) -> None:
    (tmp_path / file).write_text(text)
    with pytest.raises(ClientError, match="pip's configuration"):
        taken("pip-compile", tmp_path)
    taken("pip-compile --no-config", tmp_path)


@pytest.mark.parametrize(
    ("command", "file"),
    [
        ("pip-compile", "requirements.in"),
        ("pip-compile", "requirements.txt"),
        ("pip-compile other.in", "other.in"),
        ("pip-compile -o out.txt", "out.txt"),
        ("pip-compile -c c.txt", "c.txt"),
        ("pip-sync", "requirements.txt"),
        ("pip-sync dev.txt", "dev.txt"),
    ],
)
def test_sources_in_input_files_are_refused(command: str, file: str, tmp_path: Path) -> None:
    taken(command, tmp_path)
    (tmp_path / file).write_text("--index-url http://a/\n")
    with pytest.raises(ClientError, match="--index-url in a requirements file"):
        taken(command, tmp_path)


def test_the_shims_address_in_the_output_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClientError, match="--emit-index-url would write the shim's address"):
        taken("pip-compile --emit-index-url", tmp_path)
    environment = {"PIP_CONFIG_FILE": os.devnull}
    arguments = ("--emit-index-url",)
    allowed = take_over("pip-compile", arguments, environment, tmp_path, allow_loopback_lock=True)
    assert isinstance(allowed, Takeover)
    # The tool's configuration may ask for it too, and its own options come before that.
    assert child(taken("pip-compile", tmp_path), tmp_path).command[1] == "--no-emit-index-url"


def test_help_needs_no_shim(tmp_path: Path) -> None:
    assert isinstance(take_over("pip-compile", ("--help",), {}, tmp_path), AsIs)


def test_the_interpreter(tmp_path: Path) -> None:
    assert taken("pip-sync --python-executable /a/python", tmp_path).python() == "/a/python"
