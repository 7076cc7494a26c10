"""Provenance objects beside files are published with them, and never those that are about something else."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.making import make_wheel
from tests.variant_index.provenance.test_attestation import published, statement
from tests.variant_index.publish.family import CU128, make_variant
from tests.variant_index.publish.folder.crash import pages
from variant_index.model.build_report import BuildReport
from variant_index.publish.build import build_index
from variant_index.publish.content_types import content_type
from variant_index.publish.edit import add_files, parse_target, remove, yank
from variant_index.publish.find import find_states, state_of
from variant_index.publish.folder.store import FolderStore
from variant_index.publish.plan import listed_paths
from variant_index.simple_api.page import ProjectFile, ProjectPage

BASE = "https://wheels.example/site"
NAME = "vdemo-1.0-py3-none-any-cu128.whl"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    make_wheel(tmp_path / "in", "vdemo-1.0-py3-none-any.whl")
    attest(make_variant(tmp_path / "in", NAME, CU128))
    return tmp_path / "in"


def attest(path: Path, *, about: str | None = None, publisher: str = "one", alone: bool = False) -> Path:
    """Write a provenance object beside a file, or its attestation `alone`, as publishing tools do.

    Its signature is worth nothing, and is not looked at.
    """
    content = published()
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    (bundle,) = content["attestation_bundles"]
    bundle["publisher"] = {"kind": publisher}
    payload = base64.b64encode(statement(about or path.name, sha256)).decode()
    bundle["attestations"][0]["envelope"]["statement"] = payload
    place = path.with_name(f"{path.name}.{'publish.attestation' if alone else 'provenance'}")
    place.write_text(json.dumps(bundle["attestations"][0] if alone else content))
    return place


def build(source: Path, out: Path, base_url: str | None = BASE, notes: Path | None = None) -> BuildReport:
    return build_index(
        [source], FolderStore(out, grace=-1), now="2026-01-01T00:00:00Z", base_url=base_url, notes=notes
    )


def linked(out: Path) -> dict[str, Path]:
    """Return the published objects by the names of their files."""
    page = FolderStore(out).page("vdemo")
    assert page is not None
    found = {}
    for file in page.files:
        if file.provenance is not None:
            assert file.provenance.startswith(f"{BASE}/files/vdemo/")
            found[file.filename] = out / file.provenance.removeprefix(f"{BASE}/")
    return found


def objects(out: Path) -> set[Path]:
    return set(out.glob("files/**/*.provenance"))


def test_it_is_published_and_linked(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    report = build(source, out)
    (place,) = objects(out)
    assert linked(out) == {NAME: place}
    assert place.read_bytes() == (source / f"{NAME}.provenance").read_bytes()
    assert content_type(place.name) == "application/json"
    assert place.relative_to(out).as_posix() in report.releases[0].files
    assert json.loads((out / "simple/vdemo/index.json").read_text())["meta"]["api-version"] == "1.3"
    assert f'data-provenance="{BASE}/' in (out / "simple/vdemo/index.html").read_text()
    before = pages(out)
    assert build(source, out).releases[0].changed == []
    assert pages(out) == before


def test_without_an_address_there_is_no_link_but_a_warning(source: Path, tmp_path: Path) -> None:
    report = build(source, tmp_path / "out", None)
    assert objects(tmp_path / "out") == set()
    assert any("--base-url" in warning for warning in report.releases[0].warnings)
    assert not any(
        "--base-url" in warning for warning in build(source, tmp_path / "out").releases[0].warnings
    )
    assert objects(tmp_path / "out")


def test_what_is_attested_later_is_noticed(source: Path, tmp_path: Path) -> None:
    out, notes = tmp_path / "out", tmp_path / "notes"
    (source / f"{NAME}.provenance").rename(tmp_path / "aside")
    time.sleep(0.15)  # files that have just changed are read again anyhow
    build(source, out, notes=notes)
    assert linked(out) == {}
    times = (out / next(iter(out.glob(f"files/**/{NAME}")))).stat()
    (tmp_path / "aside").rename(source / f"{NAME}.provenance")
    build(source, out, notes=notes)
    (first,) = linked(out).values()
    assert first.is_file()
    time.sleep(0.15)
    build(source, out, notes=notes)
    assert (out / next(iter(out.glob(f"files/**/{NAME}")))).stat().st_ino == times.st_ino

    attest(source / NAME, publisher="another")
    build(source, out, notes=notes)
    (second,) = linked(out).values()
    assert second != first  # what lies under files/ never changes
    assert objects(out) == {second}  # after the grace period
    assert b"another" in second.read_bytes()


def test_a_source_distribution(tmp_path: Path) -> None:
    path = tmp_path / "in" / "vdemo-1.0.tar.gz"
    path.parent.mkdir()
    path.write_bytes(b"anything")
    attest(path)
    build(path.parent, tmp_path / "out")
    assert list(linked(tmp_path / "out")) == [path.name]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"{}", "its version is not 1"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b" " * ((1 << 20) + 1), "larger than"),
        (json.dumps(published()["attestation_bundles"][0]["attestations"][0]).encode(), "another file"),
    ],
)
def test_what_is_no_provenance_of_the_file(
    source: Path, tmp_path: Path, content: bytes, problem: str
) -> None:
    (source / f"{NAME}.provenance").write_bytes(content)
    (refusal,) = build(source, tmp_path / "out").refused
    assert (refusal.rule, problem in refusal.reason) == ("REL009", True)


def test_one_attestation_alone_becomes_an_object_that_names_nobody(source: Path, tmp_path: Path) -> None:
    out, notes = tmp_path / "out", tmp_path / "notes"
    time.sleep(0.15)  # files that have just changed are read again anyhow
    build(source, out, notes=notes)
    first = linked(out)
    alone = attest(source / NAME, alone=True)
    build(source, out, notes=notes)
    assert linked(out) == first, "an object that is there comes first"
    (source / f"{NAME}.provenance").unlink()
    build(source, out, notes=notes)
    (place,) = linked(out).values()
    content = json.loads(place.read_text())
    (bundle,) = content["attestation_bundles"]
    assert content["version"] == 1
    assert bundle["publisher"] == {"kind": "unverified"}
    assert bundle["attestations"] == [json.loads(alone.read_text())]
    # Wherever it lies; and given by name, a file comes with what is beside it.
    alone.rename(source / f"{NAME}.provenance")
    assert not add_files([source / NAME], FolderStore(out), now="2026-01-01T00:00:00Z", base_url=BASE).refused
    assert linked(out) == {NAME: place}


def test_what_lies_beside_a_file_is_part_of_its_state(source: Path) -> None:
    path = source / NAME

    def changed() -> int:
        (found,) = [state for state in find_states([source]) if state.name == NAME]
        assert found == state_of(path) == find_states([path])[0]
        return found.attested_ns

    whole = (source / f"{NAME}.provenance").stat()
    alone = attest(path, alone=True).stat()
    assert changed() == max(whole.st_mtime_ns, whole.st_ctime_ns), "what is published of the two"
    (source / f"{NAME}.provenance").unlink()
    assert changed() == max(alone.st_mtime_ns, alone.st_ctime_ns)
    (source / f"{NAME}.publish.attestation").unlink()
    assert changed() == 0


def test_one_attestation_alone_of_another_file(source: Path, tmp_path: Path) -> None:
    (source / f"{NAME}.provenance").unlink()
    place = attest(source / NAME, alone=True, about="vdemo-1.0-py3-none-any.whl")
    (refusal,) = build(source, tmp_path / "out").refused
    assert (refusal.rule, place.name in refusal.reason, "another file" in refusal.reason) == (
        "REL009", True, True,
    )  # fmt: skip


def test_one_of_another_file(source: Path, tmp_path: Path) -> None:
    attest(source / NAME, about="vdemo-1.0-py3-none-any.whl")
    (refusal,) = build(source, tmp_path / "out").refused
    assert "another file" in refusal.reason
    attest(source / NAME)
    assert build(source, tmp_path / "out").refused == []


def test_add_yank_and_remove(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    now = "2026-01-01T00:00:00Z"
    store = FolderStore(out, grace=-1)
    add_files([source / NAME], store, now=now, base_url=BASE)
    (place,) = linked(out).values()
    # What is added without it, or elsewhere, takes nothing away.
    make_wheel(tmp_path / "more", "vdemo-1.0-2-py3-none-any.whl")
    add_files([tmp_path / "more"], store, now=now)
    yank([parse_target("vdemo==1.0")], store)
    assert linked(out) == {NAME: place}
    remove([parse_target(NAME)], store, now=now)
    assert linked(out) == {}
    assert objects(out) == set()


@pytest.mark.parametrize("url", [f"{BASE}/files/vdemo/../../x", f"{BASE}/files/other/1/x", "https://x/y"])
def test_addresses_that_name_nothing_of_ours(url: str) -> None:
    file = ProjectFile("vdemo-1.0.tar.gz", "../../files/vdemo/1/vdemo-1.0.tar.gz", provenance=url)
    assert listed_paths(ProjectPage("vdemo", (file,)), file) == ["files/vdemo/1/vdemo-1.0.tar.gz"]


@pytest.mark.parametrize("command", ["build", "add"])
def test_the_option(source: Path, tmp_path: Path, command: str) -> None:
    def run(url: str) -> subprocess.CompletedProcess[str]:
        program = "from variant_index.cli import main; raise SystemExit(main())"
        options = [str(source), "--out", str(tmp_path / "out"), "--base-url", url]
        return subprocess.run(
            [sys.executable, "-c", program, command, *options], capture_output=True, text=True, timeout=60
        )

    for bad in ("http://x/", "https://", "wheels.example", "https://x/?a", 'https://x/"', "https://u@x/"):
        assert run(bad).returncode == 2
    assert run(f"{BASE}/").returncode == 0
    assert list(linked(tmp_path / "out")) == [NAME]
