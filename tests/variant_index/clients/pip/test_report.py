"""What is said once pip has ended."""

from __future__ import annotations

import pytest

from variant_index.clients.pip.report import exit_status, report_lines
from variant_index.shim.present import Chosen

CHOSEN = [
    Chosen("torch", "2.9.0", "cu128", "CUDA ≥ 12.8 fits", "torch-2.9.0-py3-none-any-cu128.whl"),
    Chosen("other", "1.0", "", "no variant fits", "other-1.0-py3-none-any.whl"),
]


def test_lines() -> None:
    assert report_lines(CHOSEN, ["hidden"], ["index u answered 503"], quiet=False) == [
        "torch 2.9.0: cu128 — CUDA ≥ 12.8 fits",
        "other 1.0: the default wheel — no variant fits",
        "warning: hidden",
        "error: index u answered 503",
    ]


def test_quiet_keeps_warnings_and_errors() -> None:
    assert report_lines(CHOSEN, ["w"], ["f", "f"], quiet=True) == ["warning: w", "error: f"]


def test_hostile_text_stays_one_line() -> None:
    for line in report_lines(
        [Chosen("a\x1b[2J", "1\n2", "l\r", "r\n" * 999, "")], ["w\x00"], ["f\n"], quiet=False
    ):
        assert line.isprintable()
        assert len(line) < 800


@pytest.mark.parametrize(
    ("status", "failed", "expected"), [(0, False, 0), (0, True, 3), (1, True, 1), (-2, True, -2)]
)
def test_exit_status(status: int, failed: bool, expected: int) -> None:
    assert exit_status(status, failed=failed) == expected
