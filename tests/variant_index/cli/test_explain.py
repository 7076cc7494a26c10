from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.making import make_wheel
from tests.variant_index.shim.family import (
    NAME,
    add_family,
    cpu_machine,
    cuda_machine,
    write_release,
    write_sidecar,
)
from tests.variant_index.upstream.fake_index import FakeIndex, Route
from variant_index.cli import main
from variant_index.model.explain_report import ExplainReport


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def index(tmp_path: Path) -> Iterator[FakeIndex]:
    with FakeIndex() as index:
        add_family(index, tmp_path / "files")
        yield index


@pytest.fixture
def gpu(tmp_path: Path) -> str:
    path = tmp_path / "gpu.json"
    path.write_text(cuda_machine("12.8").model_dump_json())
    return str(path)


def test_the_json_contract(index: FakeIndex, gpu: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", NAME, "--index-url", index.url, "--machine", gpu, "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    ExplainReport.model_validate_json(out)
    report = json.loads(out)
    filename = f"{NAME}-2.0-py3-none-any-cu128.whl"
    assert list(report)[:4] == ["name", "version", "selected", "candidates"]
    assert (report["name"], report["version"]) == (NAME, "2.0")
    assert report["selected"] == {
        "label": "cu128",
        "filename": filename,
        "url": f"{index.root}/files/{filename}",
    }
    assert [(one["label"], one["compatible"], one["rank"]) for one in report["candidates"]] == [
        ("cu128", True, 1),
        ("cu126", True, 2),
        ("null", True, 3),
        ("", True, 4),
        ("cu130", False, None),
    ]
    assert "13.0" in report["candidates"][-1]["reason"]
    assert "12.8" in report["candidates"][-1]["reason"]


def test_the_table_marks_the_winner(
    index: FakeIndex, gpu: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert main(["explain", f"{NAME}>=1", "-i", index.url, "--machine", gpu]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{NAME} 2.0"
    assert lines[2].split() == ["rank", "label", "verdict", "file"]
    assert lines[3].startswith("*  1     cu128")
    table = lines[3 : lines.index("", 3)]
    assert len({line.index(NAME) for line in table}) == 1
    assert not any(line.startswith("*") for line in lines[4:])


def test_this_machine_is_asked_when_no_profile_is_given(
    index: FakeIndex, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION", "12.6")
    assert main(["explain", NAME, "-i", index.url, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["selected"]["label"] == "cu126"


def test_an_older_release_by_specifier_needs_no_machine(
    index: FakeIndex, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", f"{NAME}<2", "-i", index.url, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["version"], report["selected"]["label"]) == ("1.0", "")
    assert not index.asked("variants.json")


def test_nothing_fits(index: FakeIndex, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sidecar = tmp_path / "files" / f"{NAME}-2.0-variants.json"
    wheel = write_release(tmp_path / "files", labels=["cu130"])[1]
    index.add_project(NAME, [index.add_file(wheel), index.add_file(sidecar)])
    machine = tmp_path / "cpu.json"
    machine.write_text(cpu_machine().model_dump_json())
    arguments = ["explain", NAME, "-i", index.url, "--machine", str(machine)]
    assert main([*arguments, "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["version"], report["selected"]) == ("2.0", None)
    assert report["candidates"][0]["compatible"] is False
    assert main(arguments) == 1
    assert "Nothing of this release can be installed here." in capsys.readouterr().out


def test_no_release_and_no_project(index: FakeIndex, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", f"{NAME}>9", "-i", index.url]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"No release of {NAME} matches {NAME}>9."
    assert lines[4:] == [
        "Its releases:",
        "  2.0  does not match >9",
        "  1.0  does not match >9",
    ]
    assert main(["explain", "Other", "-i", index.url, "--json"]) == 1
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert [report[key] for key in ("name", "version", "selected", "candidates")] == ["other", None, None, []]
    assert err == "warning: no source has project other\n"


def test_a_bad_document_is_a_warning(index: FakeIndex, gpu: str, capsys: pytest.CaptureFixture[str]) -> None:
    index.routes[f"/files/{NAME}-2.0-variants.json"].body = b"{}"
    assert main(["explain", NAME, "-i", index.url, "--machine", gpu, "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["selected"]["label"] == ""
    assert err.startswith(f"warning: variants of {NAME} 2.0 are ignored: ")


def test_a_failing_index_is_status_3(index: FakeIndex, capsys: pytest.CaptureFixture[str]) -> None:
    index.routes[f"/simple/{NAME}/"] = Route(status=503)
    assert main(["explain", NAME, "-i", index.url]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: index {index.url} cannot be read: {index.url}{NAME}/ answered 503")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["vtorch=="], "not a requirement"),
        (["vtorch @ https://h/vtorch-1-py3-none-any.whl"], "names a file, a folder or a URL"),
        (["vtorch\x1b[31m=="], "not a requirement"),
        ([NAME, "-i", "ftp://h/"], "http, https or file"),
        ([NAME, "--machine", __file__], "not a machine profile"),
        ([NAME, "--python", __file__], "cannot be run as Python"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    index: FakeIndex, capsys: pytest.CaptureFixture[str], arguments: list[str], rule: str
) -> None:
    assert main(["explain", "-i", index.url, *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert rule in err
    assert err.count("\n") == 1
    assert "\x1b" not in err


def test_find_links_and_extra_indexes(
    index: FakeIndex, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_wheel(tmp_path / "links", f"{NAME}-7.0-py3-none-any.whl")
    with FakeIndex() as empty:
        arguments = ["-i", empty.url, "--extra-index-url", index.url, "-f", str(tmp_path / "links"), "--json"]
        assert main(["explain", NAME, *arguments]) == 0
        assert json.loads(capsys.readouterr().out)["version"] == "7.0"
        assert main(["explain", f"{NAME}<2", *arguments]) == 0
        assert json.loads(capsys.readouterr().out)["version"] == "1.0"


def test_the_target_interpreter_is_asked(
    index: FakeIndex, gpu: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["explain", NAME, "-i", index.url, "--machine", gpu, "--python", sys.executable]
    assert main(arguments) == 0
    assert f"{NAME} 2.0" in capsys.readouterr().out


def test_as_a_program(index: FakeIndex, gpu: str) -> None:
    program = "import sys; from variant_index.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "explain", NAME, "-i", index.url, "--machine", gpu]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout


@pytest.fixture
def behind(tmp_path: Path) -> Iterator[FakeIndex]:
    """Serve 1.0 with a build for this driver, and 2.0 whose only GPU build needs a newer one."""
    with FakeIndex() as index:
        files = []
        for version, labels in (("1.0", ["cu126", "null"]), ("2.0", ["cu130", "null"])):
            files += [index.add_file(path) for path in write_release(tmp_path / "files", version, labels)]
            files.append(index.add_file(write_sidecar(tmp_path / "files", version=version)))
        index.add_project(NAME, files)
        yield index


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([NAME], ("1.0", "cu126")),
        ([NAME, "--prefer", "version"], ("2.0", "null")),
        ([f"{NAME}==2.0"], ("2.0", "null")),
        ([f"{NAME}<2"], ("1.0", "cu126")),
    ],
)
def test_the_newest_release_that_uses_the_hardware(
    arguments: list[str],
    expected: tuple[str, str],
    behind: FakeIndex,
    gpu: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["explain", *arguments, "-i", behind.url, "--machine", gpu, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["version"], report["selected"]["label"]) == expected


def test_a_release_held_back_says_why(
    behind: FakeIndex, gpu: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", f"{NAME}>1", "-i", behind.url, "--machine", gpu]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[2:4] for line in lines[3:5]] == [["held", "back"]] * 2
    (said,) = (line for line in lines if line.startswith("Held back: "))
    assert said.startswith(
        f"Held back: {NAME} 2.0 has no build for this machine's GPU (cu130 needs CUDA ≥ 13.0"
    )
    assert said.endswith("1.0 (cu126) uses it, VARIANT_INDEX_PREFER=version takes the newest.")
    assert f"Installers take this release only where it is pinned: {NAME}==2.0" in lines
    assert main(["explain", f"{NAME}>1", "-i", behind.url, "--machine", gpu, "--json"]) == 1
    candidates = json.loads(capsys.readouterr().out)["candidates"]
    assert all(
        one["reason"].startswith(f"held back: {NAME} 2.0 has no")
        for one in candidates
        if one["label"] == "null"
    )
    assert main(["explain", NAME, "-i", behind.url, "--machine", gpu, "--json"]) == 0
    (newer,) = json.loads(capsys.readouterr().out)["newer"]
    assert newer["reason"].startswith(f"held back: {NAME} 2.0 has no build")


def test_a_project_without_files(index: FakeIndex, capsys: pytest.CaptureFixture[str]) -> None:
    index.add_project("empty", [])
    assert main(["explain", "empty", "-i", index.url]) == 1
    assert capsys.readouterr().out.splitlines()[0] == "There is no release of empty."
    assert main(["explain", "missing", "-i", index.url]) == 1
    assert capsys.readouterr().out == "No source that was asked has project missing.\n"
