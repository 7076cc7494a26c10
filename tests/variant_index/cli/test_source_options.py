"""The source options of shim, explain and others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.making import make_wheel
from tests.variant_index.shim.family import NAME, add_family, cpu_machine
from tests.variant_index.upstream.fake_index import FakeIndex
from variant_index.cli import main
from variant_index.cli.source_options import SourceOptions
from variant_index.configuration.effective import read_configuration
from variant_index.upstream.login import Login
from variant_index.upstream.source import Source, SourceError


def options(**given: object) -> SourceOptions:
    """Return the options of a command line, by key with underscores."""
    said = {key.replace("_", "-"): value for key, value in given.items()}
    return SourceOptions.of(read_configuration({"VARIANT_INDEX_CONFIG": "off"}, Path("/"), said))


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("VARIANT_INDEX_ROUTE", "VARIANT_INDEX_MERGE", "REQUESTS_CA_BUNDLE", "NETRC"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def cpu(tmp_path: Path) -> str:
    path = tmp_path / "cpu.json"
    path.write_text(cpu_machine().model_dump_json())
    return str(path)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[FakeIndex]:
    with FakeIndex() as index:
        add_family(index, tmp_path / "files")
        yield index


def test_no_index_leaves_find_links(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    found = options(no_index=True, find_links=[str(tmp_path / "wheels")])
    assert found.sources() == [Source(str(tmp_path / "wheels"), "find-links")]
    assert found.torch().source is None
    assert options().torch().source is not None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"index_url": "file:///no/such"}, "index file:///no/such: no such folder"),
        ({"extra_index_url": ["file:///no/such"]}, "index file:///no/such: no such folder"),
        ({"find_links": ["/no/such"]}, "find-links /no/such: no such folder"),
    ],
)
def test_missing_folders_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SourceError) as caught:
        options(**changes).sources()
    assert str(caught.value) == message


def test_missing_folders_end_a_command_with_status_2(cpu: str, capsys: pytest.CaptureFixture[str]) -> None:
    for named in (["-i", "file:///no/such"], ["--route", "x=/no/such"]):
        assert main(["explain", NAME, "--machine", cpu, *named]) == 2
        assert capsys.readouterr().err.splitlines() == ["error: index file:///no/such: no such folder"]


def test_logins_of_all_sources_are_known() -> None:
    found = options(
        index_url="https://i:2@index.example/",
        torch_index="https://t:3@torch.example/",
        route=["x=https://r:1@route.example/"],
    )
    credentials = found.network().credentials
    assert credentials.login("https://route.example/f") == Login("r", "1")
    assert credentials.login("https://index.example/f") == Login("i", "2")
    assert credentials.login("https://torch.example/f") == Login("t", "3")


def test_certificates_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "odd.pem").write_text("no certificate")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "odd.pem"))
    with pytest.raises(SourceError, match=r"odd\.pem: not readable as certificates"):
        options().network()


def test_explain_follows_routes_and_logins(
    index: FakeIndex, cpu: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with FakeIndex() as private:
        private.login = "user:secretword"
        wheel = make_wheel(tmp_path, f"{NAME}-9.0-py3-none-any.whl")
        private.add_project(NAME, [private.add_file(wheel)])
        route = f"{NAME}={private.url.replace('://', '://user:secretword@')}"
        command = ["explain", NAME, "--json", "--machine", cpu, "-i", index.url]
        assert main([*command, "--route", route]) == 0
        out, err = capsys.readouterr()
        report = json.loads(out)
        assert (report["version"], report["selected"]["url"]) == ("9.0", f"{private.root}/files/{wheel.name}")
        assert "secretword" not in out + err
        assert index.requests == []
        extra = ["--extra-index-url", private.url.replace("://", "://user:secretword@")]
        for more, version in (([], "2.0"), (["--merge-indexes", "other"], "2.0")):
            assert main([*command, *extra, *more]) == 0
            assert json.loads(capsys.readouterr().out)["version"] == version
        assert main([*command, *extra, "--merge-indexes", f"other,{NAME}"]) == 0
        assert json.loads(capsys.readouterr().out)["version"] == "9.0"


def test_a_route_for_torch_takes_its_family_along(
    index: FakeIndex, cpu: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("torch", "torchvision"):
        wheel = make_wheel(tmp_path, f"{name}-1.0-py3-none-any.whl")
        index.add_project(name, [index.add_file(wheel)])
    unreachable = ["--torch-index", "http://127.0.0.1:9/whl"]
    command = ["explain", "torchvision", "--machine", cpu, "-i", index.url, *unreachable]
    assert main(command) == 3
    assert main([*command, "--route", f"torch={index.url}"]) == 0
    assert main([*command, "--route", f"torchvision={index.url}"]) == 0
    assert "torchvision 1.0" in capsys.readouterr().out
