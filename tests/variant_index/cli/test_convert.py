from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.making import document, make_wheel
from tests.variant_index.generations.samples import old, plugin
from variant_index.model.convert_report import ConvertReport
from variant_index.model.document import MAX_DOCUMENT_BYTES, SCHEMA_URL, parse_document
from variant_index.wheel.archive import WheelError
from variant_index.wheel.read import read_wheel

CUDA = {"nvidia": {"cuda_version_lower_bound": ["12.0"]}}
NAME = "torch-2.9.0-variants.json"


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "variant_index.cli", "convert", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
    )


def _write(folder: Path, content: Any, name: str = NAME) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    provider = plugin("nvidia-variant-provider>=0.0.2,<1.0.0") | {"enable-if": "platform_system == 'Linux'"}
    return _write(tmp_path / "old", old({"cu12": CUDA, "null": {}}, {"nvidia": provider}))


def test_one_document_goes_to_stdout_and_its_losses_to_stderr(source: Path) -> None:
    done = run(source)
    assert done.returncode == 0
    read = parse_document(done.stdout.encode(), "stdout", strict=True)
    assert (read.schema_url, sorted(read.variants)) == (SCHEMA_URL, ["cu12", "null"])
    lost = [line.split(": ")[:3] for line in done.stderr.splitlines()]
    paths = ["providers.nvidia.enable-if", "providers.nvidia.requires"]
    assert lost == [["notice", str(source), path] for path in paths]
    relaxed = run(source, "--relax-requires")
    assert '"nvidia-variant-provider>=0.0.1,<1.0.0"' in relaxed.stdout
    assert len(relaxed.stderr.splitlines()) == 1


def test_several_go_to_a_folder_and_a_bad_one_does_not_stop_the_others(source: Path, tmp_path: Path) -> None:
    bad = _write(tmp_path, b"{", "a\x1bb.json")
    gone = tmp_path / "gone.json"
    big = _write(tmp_path, b" " * (MAX_DOCUMENT_BYTES + 1), "big.json")
    out = tmp_path / "new" / "folder"
    done = run(bad, gone, big, tmp_path, source, "--out", out)
    assert done.returncode == 2
    assert done.stdout == f"{out / NAME}\n"
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert [error.partition(str(tmp_path))[2].split(": ")[1] for error in errors] == [
        "not JSON",
        "No such file or directory",
        f"larger than {MAX_DOCUMENT_BYTES} bytes",
        "Is a directory",
    ]
    assert "\\x1b" in errors[0]
    assert [path.name for path in out.iterdir()] == [NAME]
    assert parse_document((out / NAME).read_bytes(), "x", strict=True).schema_url == SCHEMA_URL


def test_other_content_is_replaced_only_when_told_to(source: Path) -> None:
    before = source.read_bytes()
    done = run(source, "--out", source.parent)
    assert (done.returncode, source.read_bytes()) == (2, before)
    assert "exists with other content; --force replaces it" in done.stderr
    assert run(source, "--out", source.parent, "--force").returncode == 0
    after = source.read_bytes()
    assert after != before
    assert run(source, "--out", source.parent).returncode == 0
    assert source.read_bytes() == after
    assert list(source.parent.iterdir()) == [source]


def test_two_of_one_name_would_overwrite_each_other(source: Path, tmp_path: Path) -> None:
    twin = _write(tmp_path / "twin", document({"a": CUDA}))
    done = run(source, twin, "--out", tmp_path / "out")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{NAME} is given 2 times" in done.stderr
    assert not (tmp_path / "out").exists()
    assert run(source, twin, "--check").returncode == 1


def test_check_writes_nothing_and_says_what_would_change(source: Path, tmp_path: Path) -> None:
    new = _write(tmp_path / "new", document({"a": CUDA}))
    done = run(source, new, "--check", "--out", tmp_path / "out")
    assert (done.returncode, done.stdout) == (1, f"{source}: is 0.0.3, would change\n")
    assert not (tmp_path / "out").exists()
    assert run(new, "--check").returncode == 0
    assert run(source, "--check", "--to", "0.0.3").returncode == 0
    assert run(source, _write(tmp_path, b"{"), "--check").returncode == 2


def test_json_is_the_report(source: Path, tmp_path: Path) -> None:
    bad = _write(tmp_path, b"[]", "bad.json")
    done = run(source, bad, "--out", tmp_path / "out", "--to", "825", "--json")
    assert done.returncode == 2
    report = ConvertReport.model_validate_json(done.stdout)
    assert report.target == "825"
    good, failed = report.documents
    assert (good.source, good.generation, good.path) == (str(source), "0.0.3", str(tmp_path / "out" / NAME))
    assert (good.changed, good.error) == (True, None)
    assert [notice.path for notice in good.notices] == ["providers.nvidia.enable-if", "providers.nvidia"]
    assert (failed.generation, failed.path, failed.changed) == (None, None, False)
    assert failed.error is not None
    assert "JSON object" in failed.error


def test_settings_bring_the_providers_of_other_namespaces(tmp_path: Path) -> None:
    content = document({"a": {"rank": {"order": ["1"]}}}, ["rank"], {"rank": {}})
    del content["providers"]
    content["$schema"] = SCHEMA_URL.replace("850/v0.2.0", "825/v0.1.1")
    source = _write(tmp_path, content)
    assert run(source).returncode == 2
    settings = tmp_path / "pyproject.toml"
    settings.write_text('[variant.providers.rank]\nstatic-properties = {order = ["1"]}\n', encoding="utf-8")
    done = run(source, "--settings", settings)
    assert json.loads(done.stdout)["providers"] == {"rank": {"static-properties": {"order": ["1"]}}}


@pytest.mark.parametrize("arguments", [["--json"], ["x.json"], ["--to", "1.0"]])
def test_usage(source: Path, arguments: list[str]) -> None:
    done = run(source, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Usage:" in done.stderr


def _old_wheel(folder: Path, label: str, properties: Any) -> Path:
    provider = plugin("nvidia-variant-provider>=0.0.2,<1.0.0") | {"enable-if": "platform_system == 'Linux'"}
    content = old({label: properties}, {"nvidia": provider})
    return make_wheel(folder, f"demo-1.0-py3-none-any-{label}.whl", variant_json=content)


def test_wheels_are_converted_and_can_be_published(tmp_path: Path) -> None:
    wheels = [_old_wheel(tmp_path / "old", "cu12", CUDA), _old_wheel(tmp_path / "old", "null", {})]
    with pytest.raises(WheelError, match=r"variant\.json"):
        read_wheel(wheels[0])
    out = tmp_path / "new"
    done = run(*wheels, "--out", out, "--relax-requires")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(out / wheel.name) for wheel in wheels]
    for wheel in wheels:
        made = read_wheel(out / wheel.name, verify=True)
        assert made.document is not None
        assert made.document.schema_url == SCHEMA_URL
        with zipfile.ZipFile(wheel) as before, zipfile.ZipFile(made.path) as after:
            assert after.read("demo.py") == before.read("demo.py")
    assert run(*out.iterdir(), "--check").returncode == 0
    assert run(*wheels, "--check").returncode == 1
    back = run(out / wheels[0].name, "--to", "0.0.3", "--out", tmp_path / "back")
    assert back.returncode == 0, back.stderr


def test_the_first_drafts_name_of_null_goes_from_the_file_name_too(tmp_path: Path) -> None:
    wheel = _old_wheel(tmp_path / "old", "00000000", {})
    done = run(wheel, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert read_wheel(tmp_path / "demo-1.0-py3-none-any-null.whl").label == "null"


def test_wheels_that_cannot_be_converted(tmp_path: Path) -> None:
    wrong = _old_wheel(tmp_path / "old", "cu12", CUDA).rename(tmp_path / "demo-1.0-py3-none-any-cu13.whl")
    plain = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl")
    gone = tmp_path / "gone-1.0-py3-none-any-cu12.whl"
    done = run(wrong, plain, gone, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert [line.partition(": ")[2] for line in done.stderr.splitlines() if line.startswith("error")] == [
        f"{wrong}: its variant.json must describe the label cu13 of the file name and nothing else",
        f"{plain.name}: has no label, so it is no variant",
        f"{gone}: there is no such file",
    ]
    assert not (tmp_path / "out").exists()
    assert "a wheel needs --out DIR or --check" in run(wrong).stderr
