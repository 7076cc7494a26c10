"""explain and the shim's page say the same of variant markers: what they become, and what is hidden."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.variant_index.shim.family import cpu_machine, cuda_machine
from tests.variant_index.shim.marked import NAME, REQUIRES, UNDECIDABLE, Requires, add_marked
from tests.variant_index.shim.serving import Shim, running_shim
from tests.variant_index.shim.test_markers import requirements
from tests.variant_index.upstream.fake_index import FakeIndex
from variant_index.cli import main
from variant_index.model.explain_report import ExplainReport
from variant_index.model.filename import WheelFilename
from variant_index.model.machine import MachineProfile

HIDDEN = "hidden, its variant markers cannot be decided"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.fixture
def index() -> Iterator[FakeIndex]:
    with FakeIndex() as index:
        yield index


def arguments(index: FakeIndex, tmp_path: Path, machine: MachineProfile, wanted: str = NAME) -> list[str]:
    path = tmp_path / "machine.json"
    path.write_text(machine.model_dump_json())
    return ["explain", wanted, "-i", index.url, "--machine", str(path)]


def explained(
    capsys: pytest.CaptureFixture[str], arguments: list[str], status: int = 0
) -> tuple[dict[str, Any], list[str]]:
    assert main([*arguments, "--json"]) == status
    out, err = capsys.readouterr()
    ExplainReport.model_validate_json(out)
    return json.loads(out), err.splitlines()


def test_what_markers_become(index: FakeIndex, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add_marked(index, tmp_path / "files", v2_0=REQUIRES)
    command = arguments(index, tmp_path, cuda_machine("12.8"))
    report, errors = explained(capsys, command)
    assert errors == []
    assert report["hidden"] == []
    assert report["markers"] == [
        {"requirement": "gpulib; 'nvidia' in variant_namespaces", "becomes": "gpulib"},
        {
            "requirement": "cu128lib; variant_label == 'cu128' and python_version >= '3'",
            "becomes": "cu128lib ; python_version >= '3'",
        },
        {
            "requirement": "nolib; 'nvidia :: cuda_version_lower_bound :: 12.7' in variant_properties",
            "becomes": None,
        },
        {"requirement": "defaultlib; variant_label == ''", "becomes": None},
        {
            "requirement": "extralib; extra == 'more' and variant_label != 'null'",
            "becomes": "extralib ; extra == 'more'",
        },
    ]
    assert main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    table = lines[
        lines.index("Its requirements with variant markers, and what installers see of them:") + 1 :
    ]
    assert table[0].split("->")[0].strip() == "gpulib; 'nvidia' in variant_namespaces"
    assert [line.split("->")[1].strip() for line in table[:5]] == [
        "gpulib",
        "cu128lib ; python_version >= '3'",
        "(dropped)",
        "(dropped)",
        "extralib ; extra == 'more'",
    ]


def test_wheels_without_markers_have_no_section(
    index: FakeIndex, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_marked(index, tmp_path / "files", v2_0=["plainlib"])
    command = arguments(index, tmp_path, cuda_machine("12.8"))
    report, _ = explained(capsys, command)
    assert report["markers"] == report["hidden"] == []
    assert main(command) == 0
    assert "variant markers" not in capsys.readouterr().out


def test_hidden_wheels_and_their_reason(
    index: FakeIndex, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_marked(index, tmp_path / "files", v1_0=UNDECIDABLE, v2_0={"cu128": UNDECIDABLE})
    command = arguments(index, tmp_path, cuda_machine("12.8"))
    report, errors = explained(capsys, command)
    hidden = f"{NAME}-2.0-py3-none-any-cu128.whl"
    assert report["selected"]["label"] == "cu126"
    assert [(one["version"], one["filename"]) for one in report["hidden"]] == [("2.0", hidden)]
    reason = report["hidden"][0]["reason"]
    assert reason.startswith("marker \"variant_label ~= '1'\" is not defined")
    refused = [one for one in report["candidates"] if one["reason"] == HIDDEN]
    assert [(one["filename"], one["compatible"]) for one in refused] == [(hidden, False)]
    assert any(f"{hidden} is hidden and " in line for line in errors)
    assert main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    heading = "Wheels that installers do not see, because their variant markers cannot be decided:"
    assert lines[lines.index(heading) + 1] == f"  {hidden}  {reason}"


def test_a_release_that_lost_all_wheels_is_passed_over(
    index: FakeIndex, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_marked(index, tmp_path / "files", v1_0=["plainlib"], v2_0=UNDECIDABLE)
    report, _ = explained(capsys, arguments(index, tmp_path, cuda_machine("12.8")))
    assert report["version"] == "1.0"
    assert {one["filename"] for one in report["hidden"]} == {
        f"{NAME}-2.0-py3-none-any{end}.whl" for end in ("", "-cu126", "-cu128", "-null")
    }
    assert report["newer"][0]["reason"] == HIDDEN
    report, _ = explained(capsys, arguments(index, tmp_path, cuda_machine("12.8"), f"{NAME}<2"))
    assert report["hidden"] == []


def _metadata(shim: Shim, index: FakeIndex, url: str) -> bytes:
    answer = shim.ask(url + ".metadata")
    moved = answer.headers.get("Location", "")
    return index.routes[moved.removeprefix(index.root)].body if moved else answer.body


@pytest.mark.parametrize("machine", [cuda_machine("12.8"), cuda_machine("12.6"), cpu_machine()])
@pytest.mark.parametrize(
    "releases",
    [
        {"v1_0": REQUIRES, "v2_0": REQUIRES},
        {"v1_0": ["plainlib"], "v2_0": {"cu128": UNDECIDABLE}},
        {"v1_0": ["plainlib"], "v2_0": {"cu128": UNDECIDABLE, "cu126": UNDECIDABLE}},
        {"v1_0": {"cu128": UNDECIDABLE}, "v2_0": UNDECIDABLE},
        {"v1_0": UNDECIDABLE, "v2_0": UNDECIDABLE},
        {
            "v3_0": ["plainlib"],
            **{f"v2_{number}": ["plainlib"] for number in range(8)},
            "v1_0": {"cu128": UNDECIDABLE, "cu126": REQUIRES},
        },
    ],
)
def test_explain_and_the_page_agree(
    index: FakeIndex,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    machine: MachineProfile,
    releases: dict[str, Requires],
) -> None:
    add_marked(index, tmp_path / "files", **releases)
    with running_shim(index.url, machine=lambda: machine) as shim:
        files = shim.ask(f"{NAME}/").files()
        metadata = {
            filename: requirements(_metadata(shim, index, file["url"])) for filename, file in files.items()
        }
        warnings = shim.journal.warnings
    for version in ("3.0", "2.0", "1.0"):
        name = f"v{version.replace('.', '_')}"
        if name not in releases:
            continue
        listed = [one for one in files if WheelFilename.parse(one).version == version]
        command = arguments(index, tmp_path, machine, f"{NAME}=={version}")
        report, errors = explained(capsys, command, status=0 if listed else 1)
        assert errors == [f"warning: {line}" for line in warnings]
        if not listed:
            assert report["selected"] is None
            continue
        (shown,) = listed
        label = report["selected"]["label"]
        assert shown == f"{NAME}-{version}-{f'0_{label}-' if label else ''}py3-none-any.whl"
        written = releases[name]
        own = written.get(label, REQUIRES) if isinstance(written, dict) else written
        became = {one["requirement"]: one["becomes"] for one in report["markers"]}
        expected = [became.get(requirement, requirement) for requirement in own]
        assert metadata[shown] == [requirement for requirement in expected if requirement is not None]
