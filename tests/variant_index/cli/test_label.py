from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.making import make_wheel
from variant_index.model.label_report import LabelReport
from variant_index.wheel.archive import Archive
from variant_index.wheel.read import read_wheel

CUDA = "nvidia :: cuda_version_lower_bound :: 12.8"


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "variant_index.cli", "label", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_labels_several_wheels_with_one_line_each(tmp_path: Path) -> None:
    wheels = [make_wheel(tmp_path, f"demo-1.0-{python}-none-any.whl") for python in ("py2", "py3")]
    done = run(*wheels, "-p", CUDA, "--label", "cu128", "--out", tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")
    made = [tmp_path / "out" / f"demo-1.0-{python}-none-any-cu128.whl" for python in ("py2", "py3")]
    assert done.stdout.splitlines() == [str(path) for path in made]
    assert [read_wheel(path).label for path in made] == ["cu128", "cu128"]


def test_json_is_the_report(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl")
    done = run(wheel, "--property", CUDA, "--out", tmp_path, "--rename", "other", "--json")
    assert done.returncode == 0
    assert LabelReport.model_validate_json(done.stdout).model_dump() == {
        "wheels": [
            {
                "source": str(wheel),
                "path": str(tmp_path / "other-1.0-py3-none-any-f839a2dd.whl"),
                "label": "f839a2dd",
                "properties": [CUDA],
                "error": None,
            }
        ]
    }


def test_a_bad_wheel_does_not_stop_the_others(tmp_path: Path) -> None:
    good = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl")
    bad = tmp_path / "bad-1.0-py3-none-any.whl"
    bad.write_bytes(b"no zip")
    gone = tmp_path / "gone-1.0-py3-none-any.whl"
    done = run(bad, gone, good, "--out", tmp_path / "out", "--json")
    assert done.returncode == 2
    assert [wheel["label"] for wheel in json.loads(done.stdout)["wheels"]] == [None, None, "null"]
    first, second, summary = done.stderr.splitlines()
    assert first == f"error: {bad.name}: not a complete zip archive (truncated?)"
    assert second == f"error: {gone}: there is no such file"
    assert summary == "2 of 3 wheels were not labelled"


def test_settings_and_their_warning(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl")
    settings = tmp_path / "pyproject.toml"
    settings.write_text(
        '[variant.providers.nvidia]\nrequires = ["nvidia-variant-provider>=0.0.2"]\n'
        '[variant.providers.rank]\nstatic-properties = {order = ["first"]}\n'
    )
    done = run(wheel, "-p", "rank::order::first", "--settings", settings, "--out", tmp_path / "out")
    assert done.returncode == 0
    assert "uv's built-in provider does not match" in done.stderr
    document = read_wheel(Path(done.stdout.strip())).document
    assert document is not None
    assert document.default_priorities.namespace == ["nvidia", "rank"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-p", "nonsense"], "is not of the form 'namespace :: feature :: value'"),
        (["-p", CUDA, "--label", "null"], "the label null is for the variant without properties"),
        (["--label", "cu128"], "the label cu128 has no properties"),
        (["-p", "x86_64::level::v3"], "add a table [variant.providers.x86_64] to the settings file"),
        (["--settings", "gone.toml"], "gone.toml: No such file or directory"),
        (["--rename", "../x"], "is not a project name"),
    ],
)
def test_bad_usage_is_one_line_and_status_2(tmp_path: Path, arguments: list[str], message: str) -> None:
    wheel = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl")
    done = run(wheel, *arguments, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_an_existing_file_needs_force(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl")
    (tmp_path / "demo-1.0-py3-none-any-null.whl").write_bytes(b"x")
    assert "--force replaces it" in run(wheel, "--out", tmp_path).stderr
    assert run(wheel, "--out", tmp_path, "--force").returncode == 0


@pytest.mark.parametrize(("long", "quiet"), [(True, []), (True, ["--json"]), (False, [])])
def test_long_work_on_a_terminal_shows_progress(tmp_path: Path, long: bool, quiet: list[str]) -> None:
    wheel = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl")
    script = (
        "import sys\n"
        "from variant_index.cli import label, main\n"
        "label._LONG_WORK_BYTES = int(sys.argv[1])\n"
        "sys.exit(main(sys.argv[2:]))\n"
    )
    words = ["0" if long else "10000000", "label", str(wheel), "--out", str(tmp_path / "out"), *quiet]
    leader, follower = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", script, *words], stdout=subprocess.DEVNULL, stderr=follower, timeout=60
    )
    os.set_blocking(leader, False)
    try:
        shown = os.read(leader, 10_000)
    except BlockingIOError:
        shown = b""
    os.close(leader)
    os.close(follower)
    assert done.returncode == 0
    assert (b"Labelling" in shown) == (long and not quiet)


@pytest.mark.parametrize("plain", [True, False])
def test_colours_on_a_terminal_unless_told_not_to(tmp_path: Path, plain: bool) -> None:
    leader, follower = pty.openpty()
    words = [
        sys.executable,
        "-m",
        "variant_index.cli",
        "label",
        str(tmp_path / "x.whl"),
        "--out",
        str(tmp_path),
    ]
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    subprocess.run(words, stderr=follower, env={**environment, **({"NO_COLOR": "1"} if plain else {})})
    shown = os.read(leader, 10_000)
    os.close(leader)
    os.close(follower)
    assert b"error" in shown
    assert (b"\x1b[" in shown) == (not plain)


def test_damaged_content_is_refused_unless_nobody_looks(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl", files={"demo.py": b"x" * 500})
    with Archive(wheel) as archive:
        start = archive.entries["demo.py"].offset + 30 + len("demo.py")
    data = bytearray(wheel.read_bytes())
    data[start + 2] ^= 1
    wheel.write_bytes(data)
    done = run(wheel, "--label", "null", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "demo.py" in done.stderr
    assert run(wheel, "--label", "null", "--out", tmp_path / "out", "--no-verify").returncode == 0


def test_help_has_examples() -> None:
    done = run("--help")
    assert "Examples:" in done.stdout
    assert "--rename jax-gpu-plugin" in done.stdout
