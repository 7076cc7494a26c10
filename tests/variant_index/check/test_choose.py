"""Rules are chosen by code or prefix; errors decide the exit status."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from variant_index.check.choose import RuleChoiceError, choose, exit_status, parse_codes
from variant_index.model.rules import RULES, Finding

ALL = [Finding(code, code) for code in RULES]
PREFIXES = sorted({code[:length] for code in RULES for length in (1, 3, 4, 6)})


def chosen(select: str, ignore: str) -> list[str]:
    return [
        finding.code
        for finding in choose(
            ALL, parse_codes([select] if select else []), parse_codes([ignore] if ignore else [])
        )
    ]


def test_codes_are_stable_and_complete() -> None:
    for code, rule in RULES.items():
        assert rule.code == code
        assert re.fullmatch(r"(WHL|VAR|REL|IDX)\d{3}", code)
        assert rule.summary
        assert rule.remedy
    assert len({rule.summary for rule in RULES.values()}) == len(RULES)


def test_by_code_and_by_prefix() -> None:
    assert chosen("", "") == list(RULES)
    assert chosen("REL101,WHL307", "") == ["WHL307", "REL101"]
    assert chosen("whl3", "WHL307") == [
        code for code in RULES if code.startswith("WHL3") and code != "WHL307"
    ]
    assert chosen("REL101", "REL") == ["REL101"]
    assert chosen("", "WHL,VAR,REL,IDX") == []


def test_the_same_for_both_is_ignored() -> None:
    assert chosen("REL", "REL") == []


@pytest.mark.parametrize("text", ["X", "WHL9", "WHL1011", "", "REL101,,REL102", "\x1b[31m"])
def test_unknown_codes(text: str) -> None:
    with pytest.raises(RuleChoiceError, match="--list-rules") as caught:
        parse_codes([text])
    assert str(caught.value).isprintable()


@given(select=st.lists(st.sampled_from(PREFIXES)), ignore=st.lists(st.sampled_from(PREFIXES)))
def test_selecting_adds_and_ignoring_takes_away(select: list[str], ignore: list[str]) -> None:
    found = choose(ALL, select, ignore)
    assert set(found) <= set(choose(ALL, select, []))
    if select:
        assert all(finding.code.startswith(tuple(select)) for finding in found)
    else:
        assert found == [finding for finding in ALL if not finding.code.startswith(tuple(ignore) or ("-",))]


@pytest.mark.parametrize(("code", "plain", "strict"), [("WHL307", 1, 1), ("REL101", 0, 1), ("REL112", 0, 0)])
def test_exit_status(code: str, plain: int, strict: int) -> None:
    findings = [Finding("REL112", "x"), Finding(code, "x")]
    assert exit_status(findings, strict=False) == plain
    assert exit_status(findings, strict=True) == strict
    assert exit_status([], strict=True) == 0
