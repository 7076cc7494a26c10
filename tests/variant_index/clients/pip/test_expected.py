from __future__ import annotations

import os
from pathlib import Path

import pytest

from variant_index.clients.pip.arguments import parse_arguments
from variant_index.clients.pip.configuration import PipConfiguration
from variant_index.clients.pip.expected import expected_pages
from variant_index.clients.pip.requirements import read_requirements
from variant_index.clients.pip.wishes import pip_wishes
from variant_index.upstream.lookahead import Expected
from variant_index.upstream.project import PREFER_HTML, PREFER_JSON


def expected(*words: str, version: tuple[int, ...] = (26, 3)) -> Expected:
    arguments = parse_arguments(words)
    files = {option: arguments.all(option) for option in ("requirement", "constraint")}
    requirements = read_requirements([*files["constraint"], *files["requirement"]], os.environ)
    wishes = pip_wishes(arguments, PipConfiguration({}, {}), requirements, files, os.environ)
    return expected_pages(arguments, wishes, lambda: {"there"}, version)


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("install", "A_a==1.0", "b[x]"), {"a-a", "b"}),
        (("install", "--target", "folder", "a", "-r", "file.txt"), {"a"}),
        (("install", "--", "a", "b>=2"), {"a", "b"}),
        (("install", "./folder", "./x.whl", "https://files.example/y-1.0-py3-none-any.whl", "a"), {"a"}),
        (("install", "a ; python_version < '3'"), set()),
        (("download", "-d", "folder", "a"), {"a"}),
        (("index", "versions", "a"), {"a"}),
    ],
)
def test_what_the_command_line_names(arguments: tuple[str, ...], names: set[str]) -> None:
    assert set(expected(*arguments).projects) == names


def test_files_and_extras_count(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("a[x] --hash=sha256:00\nc\n-i https://index.example/simple\n")
    found = expected("install", "-r", str(file), "a[y]")
    assert found.projects == {"a": {"x", "y"}, "c": frozenset()}


def test_what_is_installed_is_not_asked_for() -> None:
    likely = expected("install", "there", "a").is_likely
    assert not likely("there")
    assert likely("a")
    assert likely("required-by-a")
    assert expected("install", "-U", "there").is_likely("there")
    assert not expected("install", "-U", "a").is_likely("there")
    assert expected("install", "-U", "--upgrade-strategy", "eager", "a").is_likely("there")


def test_requirements_are_not_followed_where_pip_does_not() -> None:
    for arguments in (("install", "--no-deps", "a"), ("index", "versions", "a")):
        likely = expected(*arguments).is_likely
        assert likely("a")
        assert not likely("required-by-a")


def test_old_pip_reads_html() -> None:
    assert expected("install", "a").accept == PREFER_JSON
    assert expected("install", "a", version=(22, 1)).accept == PREFER_HTML
    assert expected("install", "a", version=(22, 2)).accept == PREFER_JSON
