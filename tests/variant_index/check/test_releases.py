"""Every rule about wheels and releases is found where it is broken, and a good release is good."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.making import document, make_wheel
from tests.variant_index.check.examples import EXAMPLES, GOOD, LABELLED, NAME, Example, change, contents
from tests.variant_index.check.test_zip_confusion import CORPUS
from tests.variant_index.publish.family import CU128, make_family
from variant_index.check.releases import check_files
from variant_index.model.rules import RULES, Finding
from variant_index.publish.build import build_index
from variant_index.publish.find import find_files
from variant_index.wheel.archive import Archive

_CASES = [(code, example) for code, examples in EXAMPLES.items() for example in examples]
_IDS = [f"{code}-{number}" for code, examples in EXAMPLES.items() for number in range(len(examples))]


def check(folder: Path) -> tuple[Finding, ...]:
    return check_files(find_files([folder])).findings


def test_a_good_family_has_a_note_only(tmp_path: Path) -> None:
    assert [finding.code for finding in check(make_family(tmp_path))] == ["REL112"]


@pytest.mark.parametrize(("code", "example"), _CASES, ids=_IDS)
def test_every_rule_has_an_example(tmp_path: Path, code: str, example: Example) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    example(folder)
    found = {finding.code: finding for finding in check(folder)}
    assert code in found, found
    for finding in found.values():
        assert finding.message.isprintable()
        assert finding.code in RULES
    # What is an error is refused by a build, and nothing else is.
    report = build_index([folder], tmp_path / "out", now="2026-01-31T12:00:00Z")
    errors = {name for name, finding in found.items() if finding.rule.severity == "error"}
    assert {refusal.rule for refusal in report.refused} == errors
    if RULES[code].severity == "error":
        assert not list((tmp_path / "out").rglob("*.whl"))
    elif RULES[code].severity == "warning":
        assert any(f"({code})" in warning for release in report.releases for warning in release.warnings)


def test_no_rule_is_without_example() -> None:
    seen = {*EXAMPLES, *(code for code, _ in CORPUS.values())}
    elsewhere = {"WHL004", "REL008", "REL010", *(code for code in RULES if code.startswith("IDX"))}
    assert seen | elsewhere == RULES.keys()
    assert not seen & elsewhere


def test_a_wheel_of_more_than_four_gigabytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("variant_index.wheel.archive.MAX_ARCHIVE_BYTES", 100)
    make_wheel(tmp_path, NAME)
    assert [finding.code for finding in check(tmp_path)] == ["WHL004"]


def test_a_published_file_with_other_bytes(tmp_path: Path) -> None:
    make_wheel(tmp_path / "in", NAME)
    build_index([tmp_path / "in"], tmp_path / "out", now="2026-01-31T12:00:00Z")
    make_wheel(tmp_path / "in", NAME, requires_python=">=3.10")
    report = build_index([tmp_path / "in"], tmp_path / "out", now="2026-01-31T12:00:00Z")
    assert [refusal.rule for refusal in report.refused] == ["REL008"]


def test_one_bad_wheel_hides_nothing_of_the_others(tmp_path: Path) -> None:
    make_wheel(tmp_path, "bad-1.0-py3-none-any.whl").write_bytes(b"")
    change(make_wheel(tmp_path, NAME), {"Demo.py": b""})
    make_wheel(tmp_path, "demo-1.0-py3-none-any-cu128.whl")
    make_wheel(tmp_path, "other-1.0-py3-none-any-cu128.whl", variant_json=document({"cu128": CU128}))
    assert {finding.code for finding in check(tmp_path)} == {"WHL101", "WHL401", "VAR001", "REL101", "REL112"}


def test_progress_is_told_in_bytes(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, NAME, files={"demo.py": b"x = 1\n" * 10_000})
    told: list[int] = []
    check_files([path], on_bytes=told.append)
    assert 0 < sum(told) <= path.stat().st_size


@settings(
    max_examples=300,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_damage_is_found_or_harms_nobody(tmp_path: Path, data: st.DataObject) -> None:
    """A damaged wheel without an error still has the content of the original."""
    path = make_wheel(tmp_path, LABELLED, variant_json=GOOD)
    original = contents(path)
    damaged = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.integers(0, 9)) == 0:
        del damaged[data.draw(st.integers(0, len(damaged))) :]
    path.write_bytes(damaged)
    findings = check_files([path]).findings
    assert all(finding.message.isprintable() for finding in findings)
    if all(finding.rule.severity != "error" for finding in findings):
        with Archive(path) as archive:
            read = {name: archive.read(entry, 1 << 20) for name, entry in archive.entries.items()}
        assert read == original
