"""`variant-index check` as a user runs it: a process, its streams and its exit status."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.loopback import serving
from tests.making import make_wheel
from tests.variant_index.publish.family import make_family, published_file
from variant_index.model.check_report import CheckReport
from variant_index.model.rules import RULES
from variant_index.publish.build import build_index
from variant_index.publish.serve import IndexServer

_PROGRAM = [sys.executable, "-c", "from variant_index.cli import main; raise SystemExit(main())", "check"]


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*_PROGRAM, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=60,
    )


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """A family without a plain wheel and with a truncated one."""
    folder = make_family(tmp_path / "in", default=False)
    path = make_wheel(folder, "broken-1.0-py3-none-any.whl")
    path.write_bytes(path.read_bytes()[:-1])
    return folder


def test_a_good_folder(tmp_path: Path) -> None:
    done = run(make_family(tmp_path / "in"), "--ignore", "REL112")
    assert (done.returncode, done.stdout, done.stderr) == (0, "5 files: 0 errors, 0 warnings\n", "")


def test_findings_and_remedies(bad: Path) -> None:
    done = run(bad)
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"error WHL101 {bad}/broken-1.0-py3-none-any.whl: not a complete zip archive")
    assert lines[1].startswith("warning REL101 vdemo 2.0: no plain wheel")
    assert lines[2].startswith("note REL112 vdemo 2.0: ")
    assert lines[3:] == [
        "What to do:",
        f"  REL101  {RULES['REL101'].remedy}",
        f"  WHL101  {RULES['WHL101'].remedy}",
        "5 files: 1 error, 1 warning",
    ]


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ([], 1),
        (["--select", "REL"], 0),
        (["--select", "REL", "--strict"], 1),
        (["--ignore", "WHL101"], 0),
        (["--ignore", "WHL1,REL101", "--strict"], 0),
        (["--select", "WHL,REL", "--ignore", "WHL"], 0),
    ],
)
def test_what_counts(bad: Path, arguments: list[str], status: int) -> None:
    assert run(bad, *arguments).returncode == status


def test_json(bad: Path) -> None:
    done = run(bad, "--json")
    report = CheckReport.model_validate_json(done.stdout)
    assert (report.files, report.errors, report.warnings) == (5, 1, 1)
    assert [finding.code for finding in report.findings] == ["WHL101", "REL101", "REL112"]
    assert report.findings[0].path == str(bad / "broken-1.0-py3-none-any.whl")
    assert report.findings[1].path is None
    assert done.stdout == run(bad, "--format", "json").stdout
    assert done.returncode == 1


def test_github(bad: Path) -> None:
    done = run(bad, "--format", "github")
    assert [line.partition("::")[2].partition(" ")[0] for line in done.stdout.splitlines()] == [
        "error",
        "warning",
        "notice",
    ]
    assert done.returncode == 1


def test_wheels_and_an_index_together(bad: Path, tmp_path: Path) -> None:
    build_index([bad], tmp_path / "out", now="2026-01-31T12:00:00Z")
    published_file(tmp_path / "out", "vdemo-1.0-py3-none-any.whl").unlink()
    done = run(bad / "broken-1.0-py3-none-any.whl", tmp_path / "out", "--select", "WHL,IDX", "--json")
    report = CheckReport.model_validate_json(done.stdout)
    assert [finding.code for finding in report.findings] == ["WHL101", "IDX004"]
    assert report.files == 1 + 5


def test_what_the_remedy_says_mends_an_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    build = [*_PROGRAM[:-1], "build", str(make_family(tmp_path / "in")), "--out", str(tmp_path / "out")]
    subprocess.run(build, check=True, timeout=60)
    damaged = published_file(tmp_path / "out", "vdemo-1.0-py3-none-any.whl")
    damaged.write_bytes(damaged.read_bytes()[:-1])
    (tmp_path / "out" / "simple" / "vdemo" / "index.json").write_bytes(b"{")
    found = run(tmp_path / "out", "--select", "IDX").stdout
    for code in ("IDX001", "IDX005", "IDX006"):
        assert f"  {code}  write the index again from all wheels: variant-index build " in found
    assert " --no-cache;" in found
    subprocess.run([*build, "--no-cache"], check=True, timeout=60)
    assert run(tmp_path / "out", "--select", "IDX").returncode == 0


def test_an_index_on_a_server(tmp_path: Path) -> None:
    build_index([make_family(tmp_path / "in")], tmp_path / "out", now="2026-01-31T12:00:00Z")
    with serving(IndexServer(tmp_path / "out")) as server:
        good = run(server.url, "--select", "WHL,VAR,IDX", "--strict")
        published_file(tmp_path / "out", "vdemo-2.0-variants.json").unlink()
        missing = run(server.url, "--project", "VDemo")
        url = server.url
    assert (good.returncode, good.stdout) == (0, "6 files: 0 errors, 0 warnings\n")
    assert missing.returncode == 1
    assert "error IDX004 " in missing.stdout
    down = run(url, "--timeout", "1")
    assert down.returncode == 3
    assert down.stderr.startswith("error: ")
    assert len(down.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing"], "no such file or folder"),
        (["empty"], "no wheels there, and no index"),
        (["in", "--select", "ABC"], "begins no rule's code"),
        (["in", "--ignore", "WHL9"], "begins no rule's code"),
        (["in", "--project", "x"], "--project chooses from an index"),
        (["in", "--format", "xml"], "xml"),
        (["ftp://x/simple"], "http"),
        ([], ""),
    ],
)
def test_wrong_usage(tmp_path: Path, arguments: list[str], message: str) -> None:
    make_family(tmp_path / "in")
    (tmp_path / "empty").mkdir()
    done = subprocess.run(
        [*_PROGRAM, *arguments], capture_output=True, text=True, cwd=tmp_path, env=os.environ, timeout=60
    )
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_hostile_names_are_printed_harmlessly(tmp_path: Path) -> None:
    (tmp_path / "x-1-py3-none-any-\x1b[31m.whl").write_bytes(b"")
    for form in ("text", "github", "json"):
        done = run(tmp_path, "--format", form)
        assert done.returncode == 1
        assert done.stdout.replace("\n", "").isprintable()
        assert "\\x1b" in done.stdout


def test_list_rules() -> None:
    done = run("--list-rules")
    assert done.returncode == 0
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [
        [rule.code, rule.severity] for rule in RULES.values()
    ]


def test_a_terminal_gets_a_bar_for_long_work(tmp_path: Path) -> None:
    make_wheel(tmp_path, "big-1.0-py3-none-any.whl", files={"big.bin": os.urandom(1 << 20)})
    program = [
        sys.executable,
        "-c",
        "from variant_index.cli import check, main; check._LONG_WORK_BYTES = 1; raise SystemExit(main())",
    ]
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [*program, "check", str(tmp_path)], stdout=subprocess.PIPE, stderr=theirs, timeout=60
    )
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:
        pass  # Linux's end of a terminal
    os.close(ours)
    assert done.returncode == 0
    assert b"Checking" in shown
    assert done.stdout == b"1 file: 0 errors, 0 warnings\n"
