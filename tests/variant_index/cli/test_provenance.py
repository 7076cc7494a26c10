from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.making import make_wheel
from tests.variant_index.provenance.test_attestation import DATA
from variant_index.model.provenance_report import ProvenanceReport

SOURCE = "pypi_attestations-0.0.19.tar.gz"
POLICY = """
[[publisher]]
projects = ["pypi-attestations", "demo"]
repository = "https://github.com/trailofbits/pypi-attestations"
workflow = "release.yml"
"""


def run(*arguments: str | Path, command: str = "provenance") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "variant_index.cli", command, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(POLICY)
    return path


@pytest.mark.network
def test_a_published_file_is_shown_to_come_from_its_workflow(tmp_path: Path, policy: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:", "--retries", "0"]
    fetched = subprocess.run(
        [*command, "-d", str(tmp_path), "pypi-attestations==0.0.19"], capture_output=True, text=True
    )
    if fetched.returncode:
        pytest.skip(f"no registry has {SOURCE}: {fetched.stderr.strip().splitlines()[-1]}")
    source = tmp_path / SOURCE
    for suffix in (".provenance", ".publish.attestation"):
        content = json.loads(DATA.read_bytes())
        single = content["attestation_bundles"][0]["attestations"][0]
        place = tmp_path / (SOURCE + suffix)
        place.write_text(json.dumps(content if suffix == ".provenance" else single))
        done = run(source, "--policy", policy)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        assert done.stdout == (
            f"{source}: built by https://github.com/trailofbits/pypi-attestations/.github/workflows/release.yml\n"
        )
        report = ProvenanceReport.model_validate_json(run(source, "--policy", policy, "--json").stdout)
        assert report.files[0].object == str(place)
        if suffix == ".publish.attestation":
            _verified_and_published(source, policy)
        place.unlink()
    # The same bytes under another name are another file.
    renamed = source.rename(tmp_path / "pypi_attestations-0.0.20.tar.gz")
    shutil.copy(DATA, tmp_path / f"{renamed.name}.provenance")
    assert "another file" in run(renamed, "--policy", policy).stderr


def _verified_and_published(source: Path, policy: Path) -> None:
    """By each command that publishes; the object names who was found to have signed."""
    for command in ("build", "add"):
        out = source.with_name(command)
        options = (source, "--out", out, "--base-url", "https://x.example", "--verify-provenance", policy)
        done = run(*options, command=command)
        assert done.returncode == 0, done.stderr
        (place,) = out.glob("files/*/*/*.provenance")
        (bundle,) = json.loads(place.read_bytes())["attestation_bundles"]
        assert bundle["publisher"] == {
            "kind": "GitHub",
            "repository": "trailofbits/pypi-attestations",
            "workflow": "release.yml",
        }


def test_what_is_not_attested_is_not_published(
    tmp_path: Path, policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    bare = make_wheel(tmp_path / "in", "demo-1.0-py3-none-any.whl")
    os.utime(bare, (1, 1))
    # With links, when a file was made does not count: it is known to the next build at once.
    assert run(bare, "--out", tmp_path / "out", "--link", command="build").returncode == 0
    for command, options in (("build", ("--link",)), ("add", ())):
        out = tmp_path / command
        for place in (tmp_path / "out", out):  # what was published without looking is looked at
            done = run(bare, "--out", place, "--verify-provenance", policy, *options, command=command)
            assert (done.returncode, "has no attestation, beside it or in its upload" in done.stderr) == (
                2,
                True,
            ), done.stderr
        assert not list(out.glob("files/*"))
        done = run(bare, "--out", out, "--verify-provenance", tmp_path / "none", command=command)
        assert (done.returncode, "No such file" in done.stderr) == (2, True)


def test_each_file_is_told_what_it_lacks(tmp_path: Path, policy: Path) -> None:
    bare = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl")
    forged = make_wheel(tmp_path, "demo-1.1-py3-none-any.whl")
    shutil.copy(DATA, f"{forged}.provenance")
    foreign = make_wheel(tmp_path, "other-1.0-py3-none-any.whl")
    shutil.copy(DATA, f"{foreign}.provenance")
    broken = make_wheel(tmp_path, "demo-1.2-py3-none-any.whl")
    Path(f"{broken}.publish.attestation").write_bytes(b"{")
    gone = tmp_path / "demo-2.0-py3-none-any.whl"
    other = tmp_path / "x.txt"
    done = run(bare, forged, foreign, broken, gone, other, "--policy", policy)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    told = [line.partition(f"{tmp_path}/")[2] for line in done.stderr.splitlines()]
    assert told == [
        f"{bare.name}: has no attestation beside it "
        f"({bare.name}.provenance or {bare.name}.publish.attestation)",
        f"{forged.name}: the statement is about '{SOURCE}', another file",
        f"{foreign.name}: the policy names nobody who may build this project",
        f"{broken.name}.publish.attestation: not JSON in UTF-8",
        f"{gone.name}: No such file or directory",
        "x.txt: its name is not that of a wheel or source distribution",
    ]


def test_a_wrong_policy_is_told(tmp_path: Path, policy: Path) -> None:
    policy.write_text("[[publisher]]")
    done = run(tmp_path, "--policy", policy)
    assert (done.returncode, done.stderr) == (2, f"error: {policy}: publisher[0].projects: is missing\n")
