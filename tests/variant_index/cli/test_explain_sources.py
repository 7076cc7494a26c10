"""What `explain` says of where a project comes from, and that this is where pip takes it from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.making import make_wheel
from tests.variant_index.cli.test_variant_pip import MAIN, Shell, posix_only
from tests.variant_index.shim.torch_machines import TAGS, add_torch_family
from tests.variant_index.torch_index.fake_torch import FakeTorch
from tests.variant_index.upstream.fake_index import FakeIndex
from variant_index.cli import main

MACHINE = "cuda12.8-sm70"


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def indexes(tmp_path: Path) -> Iterator[tuple[FakeIndex, FakeIndex]]:
    """Serve `plain` 1.0 and `one`; and `plain` 1.0 and 2.0."""
    with FakeIndex() as first, FakeIndex() as second:
        for index, names in ((first, ["plain-1.0", "one-1.0"]), (second, ["plain-1.0", "plain-2.0"])):
            folder = tmp_path / index.root.rpartition(":")[2]
            wheels = [make_wheel(folder, f"{name}-py3-none-any.whl") for name in names]
            for project in {wheel.name.partition("-")[0] for wheel in wheels}:
                own = [wheel for wheel in wheels if wheel.name.startswith(f"{project}-")]
                index.add_project(project, [index.add_file(wheel) for wheel in own])
        yield first, second


def explain(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> tuple[Any, Any]:
    """Return the chosen version and what is said of the source."""
    assert main(["explain", *arguments, "--machine", MACHINE, "--json"]) == status
    report = json.loads(capsys.readouterr().out)
    return report["version"], report["source"]


def test_the_rule_that_decided_is_named(
    indexes: tuple[FakeIndex, FakeIndex], capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = indexes
    both = ("-i", first.url, "--extra-index-url", second.url)
    version, source = explain(capsys, "plain", *both)
    assert (version, source["url"], source["kind"]) == ("1.0", first.url, "index")
    assert source["reason"] == "the first index that has the project"

    version, source = explain(capsys, "plain", *both, "--route", f"pl*={second.url}")
    assert (version, source["url"], source["kind"]) == ("2.0", second.url, "index")
    assert source["reason"] == "the route of pl* sends the project there and nowhere else"

    version, source = explain(capsys, "plain", *both, "--merge-indexes", "plain")
    assert (version, source["url"], source["kind"]) == ("2.0", second.url, "index")
    assert source["reason"] == "2 indexes are merged for the project, this one has the chosen file"
    version, source = explain(capsys, "plain<2", *both, "--merge-indexes", "plain")
    assert (version, source["url"]) == ("1.0", first.url)
    version, source = explain(capsys, "plain>2", *both, "--merge-indexes", "plain", status=1)
    assert (version, source["url"]) == (None, first.url)
    assert source["reason"] == "2 indexes are merged for the project, the first of them"
    _, source = explain(capsys, "one", *both, "--merge-indexes", "*")
    assert source["reason"] == "the only one of the merged indexes that has the project"
    assert main(["explain", "one", *both, "--merge-indexes", "*"]) == 0
    said = f"From {first.url}: the only one of the merged indexes that has the project.\n"
    assert said in capsys.readouterr().out


def test_find_links(
    indexes: tuple[FakeIndex, FakeIndex], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index, _ = indexes
    links = tmp_path / "links"
    wheel = make_wheel(links, "plain-1.5-py3-none-any.whl")
    only = make_wheel(links, "only-1.0-py3-none-any.whl")
    options = ("-i", index.url, "-f", str(links))
    version, source = explain(capsys, "plain", *options)
    assert (version, source["kind"], source["url"]) == ("1.5", "find-links", wheel.as_uri())
    assert source["reason"] == "a find-links location has this file, besides what the index has"
    version, source = explain(capsys, "plain<1.5", *options)
    assert (version, source["kind"], source["url"]) == ("1.0", "index", index.url)
    for asked, status in (("only", 0), ("only>1", 1)):
        _, source = explain(capsys, asked, *options, status=status)
        assert (source["kind"], source["url"]) == ("find-links", only.as_uri())
        assert source["reason"] == "only a find-links location has the project"


@pytest.fixture(scope="module")
def torch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeTorch]:
    with FakeTorch(tmp_path_factory.mktemp("torch")) as torch:
        add_torch_family(torch)
        yield torch


linux = pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.uname().machine != "x86_64",
    reason="the wheels are for Linux on x86-64",
)


@linux
def test_the_torch_family(
    torch: FakeTorch, indexes: tuple[FakeIndex, FakeIndex], capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("-i", indexes[0].url, "--torch-index", torch.url)
    for name, who in (
        ("torch", "torch comes"),
        ("torchvision", "torchvision is of torch's family, which comes"),
    ):
        _, source = explain(capsys, name, *options)
        assert (source["kind"], source["url"]) == ("pytorch", torch.url)
        assert source["reason"] == (
            f"{who} from PyTorch's index alone; VARIANT_INDEX_TORCH_INDEX=off asks the other indexes"
        )
    command = ["explain", "torch", *options, "--machine", MACHINE, "--json", "--no-binary", "torch"]
    assert main(command) == 1
    reasons = {one["reason"] for one in json.loads(capsys.readouterr().out)["candidates"]}
    assert reasons == {"wheel, and only source distributions may be taken"}


@linux
@posix_only
@pytest.mark.parametrize(
    "case",
    [
        ("torch", ["2.16.0", "2.14.0"], "2.16.0", "find-links"),
        ("torch", ["2.14.1", "2.17.0rc1"], "2.14.1", "pytorch"),
        ("torch>=2.15", ["2.14.2"], None, "pytorch"),
        ("torch==2.15.0", ["2.15.0"], "2.15.0", "find-links"),
        ("torchao", ["1.0"], "1.0", "find-links"),
    ],
)
def test_find_links_beside_pytorchs_index_are_taken_as_pip_takes_them(
    case: tuple[str, list[str], str | None, str],
    torch: FakeTorch,
    indexes: tuple[FakeIndex, FakeIndex],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked, wheels, expected, kind = case
    name = asked.partition("=")[0].rstrip(">=")
    for version in wheels:
        make_wheel(tmp_path / "links", f"{name}-{version}-{TAGS}.whl")
    # pip does not read this name.
    make_wheel(tmp_path / "links", f"{name}-9.0-{TAGS}-cu126.whl")
    options = ("-i", indexes[0].url, "-f", str(tmp_path / "links"))
    status = 0 if expected is not None else 1
    assert main(["explain", asked, *options, "--torch-index", torch.url, "--machine", MACHINE, "--json"]) == (
        status
    )
    report = json.loads(capsys.readouterr().out)
    assert report["source"]["kind"] == kind
    shell = Shell(Path(sys.prefix), tmp_path)
    variables = {
        **shell.variables,
        "VARIANT_INDEX_MACHINE": MACHINE,
        "VARIANT_INDEX_TORCH_INDEX": torch.url,
    }
    command = [sys.executable, "-c", MAIN, "download", "--no-deps", "-d", "taken", asked, *options]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60)
    taken = [path.name for path in Path("taken").glob("*.whl")]
    assert (done.returncode, taken) == (
        (0, [report["selected"]["filename"]]) if expected is not None else (1, [])
    ), done.stderr
    if expected is not None:
        assert report["version"] == expected
