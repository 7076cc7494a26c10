"""One limit for a whole query."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.torch_variant_provider.conftest import write_program
from torch_variant_provider.deadline import end_within, seconds_for
from torch_variant_provider.facts import Findings
from torch_variant_provider.isolation import run_isolated
from torch_variant_provider.programs import run_program


@pytest.fixture(autouse=True)
def no_limit() -> Iterator[None]:
    yield
    end_within(None)


def test_without_a_limit_each_call_has_its_own() -> None:
    assert seconds_for(5.0) == (5.0, 5.0)
    assert seconds_for(5.0, extend=True) == (5.0, 5.0)


def test_a_limit_shortens_and_extends() -> None:
    end_within(60)
    assert seconds_for(5.0) == (5.0, 5.0)
    wait, named = seconds_for(5.0, extend=True)
    assert 5 < wait <= 60
    assert named == 60
    end_within(2)
    wait, named = seconds_for(5.0)
    assert 0 < wait <= 2
    assert named == 2


def test_when_the_time_is_over_nothing_is_asked(tmp_path: Path) -> None:
    end_within(0)
    found = run_isolated("NVML", lambda _keep: Findings({"a": "b"}), 10)
    assert (found.values, found.notes) == ({}, ["NVML: not asked, the 0 s were over"])
    program = write_program(tmp_path, "tool", "echo x") / "tool"
    ran = run_program(str(program))
    assert (ran.status, ran.problem) == (None, "it was not run, the 0 s were over")


def test_a_hang_ends_with_the_limit() -> None:
    end_within(0.5)
    began = time.monotonic()

    def hang(_keep: object) -> Findings:
        time.sleep(60)
        return Findings()

    found = run_isolated("NVML", hang, 10)
    assert time.monotonic() - began < 30
    assert found.warnings == ["NVML did not answer in 0.5 s; is a GPU hung?"]
    assert found.hung
    assert found.unanswered
