"""`explain` for several requirements and for files, and its agreement with what real pip installs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.making import make_wheel
from tests.variant_index.cli.test_variant_pip import MAIN, Shell, posix_only
from tests.variant_index.shim.family import DOCUMENT, LABELS, NAME, write_release, write_sidecar
from tests.variant_index.upstream.fake_index import FakeIndex, Route
from variant_index.cli import main
from variant_index.model.explain_report import ExplainListReport, ExplainReport

GPU = ("--machine", "cuda12.8")


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[FakeIndex]:
    """Serve vtorch 1.0 (plain), 2.0 (variants, cu128 for a Python to come) and plain 1.0, 2.0, 3.0rc1."""
    with FakeIndex() as index:
        folder = tmp_path / "upstream"
        files = [index.add_file(make_wheel(folder, f"{NAME}-1.0-py3-none-any.whl"))]
        for path in write_release(folder):
            needs = ">=3.99" if "cu128" in path.name else ">=3.8"
            files.append(replace(index.add_file(path), requires_python=needs))
        index.add_project(NAME, [*files, index.add_file(write_sidecar(folder))])
        plain = [
            make_wheel(folder, f"plain-{version}-py3-none-any.whl") for version in ("1.0", "2.0", "3.0rc1")
        ]
        index.add_project("plain", map(index.add_file, plain))
        yield index


def explain(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> tuple[Any, list[str]]:
    assert main(["explain", *arguments, *GPU, "--json"]) == status
    out, err = capsys.readouterr()
    return json.loads(out), err.splitlines()


@posix_only
@pytest.mark.parametrize("asked", [NAME, f"{NAME}<2", f"{NAME}==2.0"])
def test_pip_installs_what_explain_says(
    asked: str, index: FakeIndex, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report, _ = explain(capsys, asked, "-i", index.url)
    shell = Shell(Path(sys.prefix), tmp_path)
    variables = {**shell.variables, "VARIANT_INDEX_MACHINE": "cuda12.8"}
    command = [sys.executable, "-c", MAIN, "install", "--target", "target", asked, "-i", index.url]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert shell.installed() == report["selected"]["filename"]
    if report["version"] == "2.0":
        assert report["selected"]["label"] == "cu126"
        reasons = {one["label"]: one["reason"] for one in report["candidates"]}
        assert reasons["cu128"].startswith("requires Python >=3.99, the target has 3.")


@posix_only
def test_requires_python_can_be_ignored(index: FakeIndex, tmp_path: Path) -> None:
    shell = Shell(Path(sys.prefix), tmp_path)
    variables = {**shell.variables, "VARIANT_INDEX_MACHINE": "cuda12.8"}
    command = [sys.executable, "-c", MAIN, "install", "--target", "target", NAME, "-i", index.url]
    command.append("--ignore-requires-python")
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert shell.installed() == f"{NAME}-2.0-py3-none-any-cu128.whl"


def test_source_newer_releases_and_platforms(index: FakeIndex, capsys: pytest.CaptureFixture[str]) -> None:
    report, _ = explain(capsys, "plain", "-i", index.url)
    ExplainReport.model_validate(report)
    assert report["source"] == {
        "kind": "index",
        "url": index.url,
        "reason": "the first index that has the project",
    }
    (newer,) = report["newer"]
    assert newer["version"] == "3.0rc1"
    assert "prerelease" in newer["reason"]
    assert report["platforms"] == [
        {"tags": "py3-none-any", "label": "", "filename": "plain-2.0-py3-none-any.whl"}
    ]
    assert [one["tags"] for one in report["candidates"]] == ["py3-none-any"]


def test_the_wheel_for_each_platform(
    index: FakeIndex, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "platforms"
    wheels = []
    for platform, labels in (
        ("any", ["", "cu126"]),
        ("any.win32", [""]),
        ("win_amd64", ["", "cu130"]),
        ("win_arm64", ["cu130"]),
    ):
        for label in labels:
            own = {**DOCUMENT, "variants": {label: LABELS[label]}} if label else None
            name = f"{NAME}-3.0-py3-none-{platform}{label and f'-{label}'}.whl"
            wheels.append(make_wheel(folder, name, variant_json=own))
    files = list(map(index.add_file, wheels))
    index.add_project(NAME, [*files, index.add_file(write_sidecar(folder, version="3.0"))])
    report, _ = explain(capsys, NAME, "-i", index.url)
    assert [(one["tags"].rpartition("-")[2], one["label"]) for one in report["platforms"]] == [
        ("any", "cu126"),
        ("any.win32", ""),
        ("win_amd64", ""),
        ("win_arm64", None),
    ]
    assert main(["explain", NAME, *GPU, "-i", index.url]) == 0
    assert "by platform:" in capsys.readouterr().out


def test_several_requirements(index: FakeIndex, capsys: pytest.CaptureFixture[str]) -> None:
    report, err = explain(capsys, "plain<2", NAME, "plain>=1", "-i", index.url)
    ExplainListReport.model_validate(report)
    first, second = report["requirements"]
    assert (first["name"], first["version"], first["requirement"]) == ("plain", "1.0", "plain<2, plain>=1")
    assert (second["name"], second["selected"]["label"]) == (NAME, "cu126")
    assert err == []
    assert main(["explain", "plain", NAME, *GPU, "-i", index.url]) == 0
    out = capsys.readouterr().out
    assert out.index("plain 2.0\n") < out.index(f"\n{NAME} 2.0\n")


def test_a_requirements_file(index: FakeIndex, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    digest = "0" * 64
    (tmp_path / "r.txt").write_text(
        f"{NAME}==2.0 --hash=sha256:{digest}\n-c c.txt\nplain\n--pre\n"
        "absent; sys_platform == 'nowhere'\n./local.whl\n--prefer-binary\n"
    )
    (tmp_path / "c.txt").write_text("plain<3\n")
    report, err = explain(capsys, "-r", "r.txt", "-i", index.url)
    family, plain, absent = report["requirements"]
    assert family["places"] == [f"{tmp_path / 'r.txt'}, line 1"]
    (note,) = family["notes"]
    assert "cu126 is chosen for this machine, but its sha256 is not among the pinned hashes" in note
    assert (plain["version"], plain["requirement"]) == ("2.0", "plain, plain<3 (constraint)")
    assert absent["ignored"] == 'its marker sys_platform == "nowhere" is false for this interpreter'
    assert (absent["selected"], absent["error"]) == (None, None)
    assert err == [
        f"warning: {tmp_path / 'r.txt'}, line 7: --prefer-binary is not taken into account",
        f"warning: {tmp_path / 'r.txt'}, line 6: './local.whl' names a file, a folder or a URL, so there is"
        " nothing to choose",
    ]
    (tmp_path / "c.txt").write_text("")
    assert explain(capsys, "-r", "r.txt", "-i", index.url)[0]["requirements"][1]["version"] == "3.0rc1"
    assert main(["explain", "-r", "r.txt", "-i", index.url, *GPU]) == 0
    assert "absent is not installed: its marker" in capsys.readouterr().out


def test_a_whole_file_with_an_unknown_project_in_the_middle(
    index: FakeIndex, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "sources-2.0.tar.gz"
    source.write_bytes(b"")
    wheel = make_wheel(tmp_path / "upstream", "sources-1.0-py3-none-any.whl")
    index.add_project("sources", map(index.add_file, (source, wheel)))
    (tmp_path / "base.txt").write_text("# what all need\nplain[one,two] ; python_version >= '3'\n")
    (tmp_path / "limits.txt").write_text("plain<2\nnobody-asks==1\n")
    (tmp_path / "all.txt").write_text(
        "-r base.txt\n-c limits.txt\nunknown>=1\n"
        f"{NAME}==2.0 \\\n    --hash=sha256:{'1' * 64}\nSources\ngit+https://h.example/x.git#egg=x\n"
    )
    report, err = explain(capsys, "-r", "all.txt", "-i", index.url, status=1)
    answers = [(one["name"], one["version"], one["selected"] is not None) for one in report["requirements"]]
    assert answers == [
        ("plain", "1.0", True),
        ("unknown", None, False),
        (NAME, "2.0", True),
        ("sources", "2.0", True),
    ]
    assert report["requirements"][0]["requirement"] == "plain[one,two], plain<2 (constraint)"
    assert [line.partition(", ")[2] for line in err[:1]] == [
        "line 7: 'git+https://h.example/x.git#egg=x' names a file, a folder or a URL, so there is nothing to"
        " choose"
    ]
    assert err[1:] == ["warning: no source has project unknown"]
    # One rule more in the file, or on the command line.
    for only, asked in (("sources", "1.0"), (":all:", "1.0"), ("plain", "2.0")):
        report, _ = explain(capsys, "sources", "-i", index.url, "--only-binary", only)
        assert report["version"] == asked
    (tmp_path / "wheels.txt").write_text("sources\n--only-binary=:all:\n")
    (one,) = explain(capsys, "-r", "wheels.txt", "-i", index.url)[0]["requirements"]
    assert one["version"] == "1.0"
    assert one["newer"][0]["reason"] == "source distribution, and only wheels may be taken"
    (tmp_path / "wheels.txt").write_text("sources\n--only-binary=:all:\n--no-binary=sources\n")
    (one,) = explain(capsys, "-r", "wheels.txt", "-i", index.url)[0]["requirements"]
    assert one["version"] == "2.0"
    (tmp_path / "wheels.txt").write_text(f"{NAME}\n--no-binary={NAME}\n")
    (one,) = explain(capsys, "-r", "wheels.txt", "-i", index.url, status=1)[0]["requirements"]
    assert (one["version"], one["selected"], one["platforms"]) == ("2.0", None, [])
    reasons = {(file["label"], file["reason"]) for file in one["candidates"]}
    assert ("cu128", "wheel, and only source distributions may be taken") in reasons
    assert len({reason for _, reason in reasons}) == 1
    report, _ = explain(capsys, "sources", "-i", index.url, "--no-binary", ":all:")
    assert report["selected"]["filename"].endswith(".tar.gz")


def test_what_is_built_from_sources_is_not_held_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with FakeIndex() as index:
        labels = {"1.0": "cu126", "2.0": "cu130"}  # of 2.0 there is no build for the GPU
        files = [
            path for version, label in labels.items() for path in write_release(tmp_path, version, [label])
        ]
        files += [write_sidecar(tmp_path, version=version) for version in labels]
        for version in labels:
            files.append(tmp_path / f"{NAME}-{version}.tar.gz")
            files[-1].touch()
        index.add_project(NAME, [index.add_file(path) for path in files])
        assert explain(capsys, NAME, "-i", index.url)[0]["version"] == "1.0"
        report, _ = explain(capsys, NAME, "-i", index.url, "--no-binary", NAME)
        assert report["selected"]["filename"] == f"{NAME}-2.0.tar.gz"


def test_a_file_that_asks_for_nothing(
    index: FakeIndex, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty.txt").write_text("# nothing\n")
    report, err = explain(capsys, "-r", "empty.txt", "-i", index.url)
    assert (report, err) == ({"requirements": []}, ["note: no project is asked for"])


def test_a_false_marker_on_the_command_line(index: FakeIndex, capsys: pytest.CaptureFixture[str]) -> None:
    report, _ = explain(capsys, "plain; python_version < '3'", "-i", index.url)
    assert (report["selected"], report["ignored"] is not None) == (None, True)
    assert index.requests == []
    assert explain(capsys, "plain; python_version >= '3'", "-i", index.url)[0]["version"] == "2.0"


def test_sources_in_a_file(index: FakeIndex, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_wheel(tmp_path / "links", "plain-9.0-py3-none-any.whl")
    (tmp_path / "r.txt").write_text(f"--index-url {index.url}\n--find-links links\nplain\n{NAME}\n")
    report, _ = explain(capsys, "-r", "r.txt", "-i", "http://127.0.0.1:9/simple/")
    plain, family = report["requirements"]
    assert (plain["version"], plain["source"]["kind"]) == ("9.0", "find-links")
    assert family["source"]["kind"] == "index"
    (tmp_path / "r.txt").write_text("--no-index\n--find-links links\nplain\n")
    report, _ = explain(capsys, "-r", "r.txt", "-i", "http://127.0.0.1:9/simple/")
    assert report["requirements"][0]["version"] == "9.0"


def test_an_index_that_fails_spoils_only_its_own_answer(
    index: FakeIndex, capsys: pytest.CaptureFixture[str]
) -> None:
    index.routes["/simple/plain/"] = Route(status=503)
    report, err = explain(capsys, "plain", NAME, "-i", index.url, status=3)
    plain, family = report["requirements"]
    assert "503" in plain["error"]
    assert family["selected"]["label"] == "cu126"
    assert len(err) == 1
    assert err[0] == f"error: {plain['error']}"
    assert main(["explain", "plain", NAME, *GPU, "-i", index.url]) == 3
    assert "plain: no answer: " in capsys.readouterr().out


def test_nothing_fits_for_one_of_several(index: FakeIndex, capsys: pytest.CaptureFixture[str]) -> None:
    explain(capsys, "plain", f"{NAME}>7", "-i", index.url, status=1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("plain==", "r.txt, line 1: 'plain==' is not a requirement (PEP 508)"),
        ("plain\n-r gone.txt", "gone.txt: no such file"),
        ("plain\n--nonsense", "r.txt, line 2: "),
        ("plain --hash=x", "not of the form algorithm:digest"),
        (None, "r.txt: no such file"),
    ],
)
def test_bad_files_are_one_line_and_status_2(
    text: str | None, message: str, index: FakeIndex, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is not None:
        (tmp_path / "r.txt").write_text(text)
    assert main(["explain", "-r", "r.txt", "-i", index.url]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert message in err


def test_without_anything_to_explain(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--pre"]) == 2
    assert "name a requirement" in capsys.readouterr().err


def test_a_folder_is_an_index(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wheels = write_release(tmp_path / "wheels", labels=["cu126", "null"])
    built = subprocess.run(
        [sys.executable, "-m", "variant_index.cli", "build", *wheels, "--out", "site"],
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    report, _ = explain(capsys, NAME, "-i", "site/simple")
    assert report["selected"]["label"] == "cu126"
    assert report["source"]["url"] == (tmp_path / "site" / "simple").as_uri()
    # The folder that was named to `build` is not the index.
    assert main(["explain", NAME, "-i", "site"]) == 2
    url = (tmp_path / "site").as_uri()
    assert capsys.readouterr().err == f"error: index {url}: its pages are in {url}/simple, name that\n"


@posix_only
def test_builds_for_another_torch(
    index: FakeIndex, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"ext-1.0+pt{torch}cu128-py3-none-any.whl" for torch in ("2.8.0", "2.9.0", "2.10.0")]
    wheels = [make_wheel(tmp_path / "upstream", name) for name in names]
    index.add_project("ext", map(index.add_file, wheels))
    monkeypatch.setenv("VARIANT_ABI_DEPENDENCY", "torch==2.9.0+cu128")
    report, _ = explain(capsys, "ext", "-i", index.url)
    assert report["selected"]["filename"] == names[1]
    assert "torch 2.9.0" in report["candidates"][0]["reason"]
    shell = Shell(Path(sys.prefix), tmp_path)
    stated = {"VARIANT_INDEX_MACHINE": "cuda12.8", "VARIANT_ABI_DEPENDENCY": "torch==2.9.0+cu128"}
    command = [sys.executable, "-c", MAIN, "download", "--no-deps", "-d", "got", "ext", "-i", index.url]
    done = subprocess.run(
        command, env={**shell.variables, **stated}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "got").iterdir()] == [names[1]]
