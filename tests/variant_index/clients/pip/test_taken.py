"""Where it stands what pip took."""

from __future__ import annotations

from pathlib import Path

import pytest

from variant_index.clients.pip.arguments import parse_arguments
from variant_index.clients.pip.configuration import PipConfiguration
from variant_index.clients.pip.taken import Evidence, evidence, taken
from variant_index.shim.present import Chosen

SHOWN = "torch-2.9.0-0_cu128-py3-none-any.whl"
CHOSEN = Chosen("torch", "2.9.0", "cu128", "why", "torch-2.9.0-py3-none-any-cu128.whl", SHOWN)
OTHER = Chosen("alpha", "1.0", "", "why", "alpha-1.0-py3-none-any.whl")
FOLDERS = PipConfiguration({"download.dest": "configured", "install.report": ""}, {"wheel-dir": "wheels"})
NEW, OLD = (26, 3), (22, 3, 1)


@pytest.mark.parametrize(
    ("line", "version", "expected"),
    [
        ("install x", NEW, Evidence("document")),
        ("install x", (23,), Evidence("document")),
        ("install --dry-run x", NEW, Evidence("document")),
        ("install x", OLD, Evidence("installed", Path("env"))),
        ("install x", (), Evidence("installed", Path("env"))),
        ("install --prefix p x", OLD, Evidence("installed", Path("p"))),
        ("install -t folder x", OLD, Evidence("installed", Path("folder"))),
        ("install --user x", OLD, Evidence("none")),
        ("install --root r x", OLD, Evidence("none")),
        ("install --dry-run x", OLD, Evidence("none")),
        ("install --report r.json x", OLD, Evidence("document", Path("r.json"))),
        ("install --report - x", NEW, Evidence("printed")),
        ("install --report - --dry-run x", OLD, Evidence("printed")),
        ("download x", NEW, Evidence("wheels", Path("configured"))),
        ("download --destination-dir here x", NEW, Evidence("wheels", Path("here"))),
        ("download -dthere x", OLD, Evidence("wheels", Path("there"))),
        ("wheel x", NEW, Evidence("wheels", Path("wheels"))),
        ("wheel -w here x", NEW, Evidence("wheels", Path("here"))),
        ("lock x", NEW, Evidence("document", Path("pylock.toml"))),
        ("lock -o pylock.a.toml x", NEW, Evidence("document", Path("pylock.a.toml"))),
        ("lock --output=- x", NEW, Evidence("printed")),
        ("index versions x", NEW, Evidence("none")),
    ],
)
def test_where_to_look(line: str, version: tuple[int, ...], expected: Evidence) -> None:
    assert evidence(parse_arguments(line.split()), FOLDERS, version, lambda: "env") == expected


def test_what_stands_there(tmp_path: Path) -> None:
    fetched = [OTHER, CHOSEN]
    assert taken(Evidence("none"), fetched, lambda _: fetched) == ()
    for place in ("torch-2.9.0.dist-info", "lib/python3.12/site-packages/torch-2.9.0.dist-info"):
        assert taken(Evidence("installed", tmp_path), fetched, lambda _: fetched) == []
        (tmp_path / place).mkdir(parents=True)
        assert taken(Evidence("installed", tmp_path), fetched, lambda _: []) == [CHOSEN]
        (tmp_path / place).rmdir()
    (tmp_path / SHOWN).touch()
    assert taken(Evidence("wheels", tmp_path), fetched, lambda _: []) == [CHOSEN]
    document = tmp_path / "report.json"
    assert taken(Evidence("document", document), fetched, lambda _: fetched) == ()
    document.write_bytes(b"\xff one")

    def chosen_in(text: str) -> list[Chosen]:
        assert text == "\ufffd one"
        return [CHOSEN, OTHER]

    assert taken(Evidence("document", document), [], chosen_in) == fetched


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("install x", "install --report F x"),
        ("--log install install x -- y", "--log install install --report F x -- y"),
        ("-v install -i u -r a", "-v install --report F -r a"),
        ("-- install x", "-- install --report F x"),
    ],
)
def test_an_option_behind_the_command(line: str, expected: str) -> None:
    assert parse_arguments(line.split()).passed_with("--report", "F") == tuple(expected.split())
