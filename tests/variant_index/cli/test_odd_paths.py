"""Folders whose names are not Unicode, as Linux allows: commands work in them and print what can be read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.making import make_wheel

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="names of files are Unicode there")

SHOWN = "\\udcff"


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    folder = tmp_path / os.fsdecode(b"\xff")
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system has no such names")
    return folder


def run(*arguments: str | Path, status: int = 0) -> str:
    """Run a command and return what it printed, which is UTF-8."""
    done = subprocess.run(
        [sys.executable, "-m", "variant_index.cli", *map(str, arguments)],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"},
        timeout=60,
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == status, out + err
    assert "Traceback" not in err
    return out


def report(*arguments: str | Path, status: int = 0) -> Any:
    """Run a command with --json and return what it printed, which holds no lone surrogates."""
    content = json.loads(run(*arguments, "--json", status=status))
    json.dumps(content, ensure_ascii=False).encode()
    return content


def test_build_and_build_again(odd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    wheel = make_wheel(odd, "demo-1.0-py3-none-any.whl")
    make_wheel(tmp_path / "plain", "other-1.0-py3-none-any.whl")
    out = tmp_path / "site"
    command = ("build", odd, tmp_path / "plain", "--out", out)
    assert "demo 1.0: 1 wheel" in run(*command)
    assert (out / "simple" / "demo" / "index.html").exists()
    assert "2 releases up to date" in run(*command)
    # What is not noted is read again when something beside it is new, and still known to be published.
    make_wheel(odd, "demo-1.0-1-py3-none-any.whl")
    assert "demo 1.0: 2 wheels" in run(*command)
    wheel.write_bytes(b"no wheel")
    (refused,) = report(*command, status=2)["refused"]
    assert refused


def test_build_into_such_a_folder_with_such_a_cache(
    odd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(odd / "cache"))
    make_wheel(tmp_path / "plain", "demo-1.0-py3-none-any.whl")
    for changed in (1, 0):
        done = report("build", tmp_path / "plain", "--out", odd / "site")
        assert sum(bool(release["changed"]) for release in done["releases"]) == changed
    make_wheel(odd, "demo-2.0-py3-none-any.whl")
    report("add", odd / "demo-2.0-py3-none-any.whl", "--out", odd / "site")
    assert report("check", odd / "site")["errors"] == 0


def test_check(odd: Path) -> None:
    make_wheel(odd, "demo-1.0-py3-none-any.whl").write_bytes(b"no wheel")
    (finding,) = report("check", odd, status=1)["findings"]
    assert finding["path"].endswith(f"/{SHOWN}/demo-1.0-py3-none-any.whl")
    run("check", odd, status=1)
    run("check", odd, "--format", "github", status=1)


def test_provenance(odd: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(
        '[[publisher]]\nprojects = ["demo"]\nrepository = "https://github.com/a/b"\nworkflow = "c.yml"\n'
    )
    wheel = make_wheel(odd, "demo-1.0-py3-none-any.whl")
    for content in (None, b"{}"):
        if content is not None:
            Path(f"{wheel}.provenance").write_bytes(content)
        (file,) = report("provenance", wheel, "--policy", policy, status=2)["files"]
        assert SHOWN in file["file"]
        assert SHOWN in file["error"]
        run("provenance", wheel, "--policy", policy, status=2)


def test_repack_and_repack_again(odd: Path) -> None:
    make_wheel(odd / "in", "torch-2.9.0+cu126-cp312-cp312-manylinux_2_28_x86_64.whl")
    out = odd / "out"
    for state in ("written", "done"):
        (wheel,) = report("repack", odd / "in", "--out", out)["wheels"]
        assert SHOWN in wheel["source"]
        assert {file["state"] for file in wheel["files"]} == {state}
    run("repack", odd / "in", "--out", out)
    for line in (out / "repack.jsonl").read_text(encoding="utf-8").splitlines():
        assert SHOWN in json.loads(line)["source"]


def test_label_and_convert(odd: Path) -> None:
    wheel = make_wheel(odd, "demo-1.0-py3-none-any.whl")
    (labelled,) = report("label", wheel, "--label", "null", "--out", odd / "out")["wheels"]
    assert SHOWN in labelled["path"]
    run("label", wheel, "--label", "null", "--out", odd / "out2")
    report(
        "label", wheel.with_name("missing-1.0-py3-none-any.whl"), "--label", "null", "--out", odd, status=2
    )
    path = odd / "out" / "demo-1.0-py3-none-any-null.whl"
    (document,) = report("convert", path, "--to", "0.0.3", "--out", odd / "converted")["documents"]
    assert SHOWN in document["source"]
    run("convert", path, "--to", "0.0.3", "--out", odd / "converted2")
